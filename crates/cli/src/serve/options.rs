//! What the settings mean for the parts.

use std::path::Path;
use std::sync::Arc;

use stagedoor_app::app::Options;
use stagedoor_app::external::ExternalCommand;
use stagedoor_app::throttle::Limits;
use stagedoor_config::{Environment, Flags, Settings, SignInCommand, Sources};
use stagedoor_domain::queue::Capacity;

use super::machine::{cores, starts_in_flight};
use crate::args::ServeOptions;
use crate::sign_in_command;
use crate::system::host_name;

/// The settings as the operator gives them. What cannot work is an error.
pub fn load(
    options: &ServeOptions,
    folder: &Path,
    environment: &Environment,
    is_root: bool,
) -> anyhow::Result<Settings> {
    let flags = Flags {
        listen: options.listen.clone(),
        config: options.config.clone(),
        state: options.state.dir.clone(),
    };
    let settings = stagedoor_config::load(Sources {
        folder,
        folder_name: &options.dir,
        flags: &flags,
        environment,
        cores: u32::try_from(cores()).unwrap_or(u32::MAX),
        is_root,
    })?;
    let command = settings.sign_in.command.as_ref();
    if let Some(program) = command.and_then(|command| command.argv.first()) {
        sign_in_command::check(program)?;
    }
    Ok(settings)
}

/// For the use cases.
pub fn options_of(settings: &Settings, environment: Environment) -> Options {
    let count = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    Options {
        capacity: Capacity {
            running: count(settings.limits.running),
            starting: starts_in_flight(),
            queued: count(settings.limits.queued),
            queued_per_user: count(settings.limits.queued_per_user),
        },
        output_cap: settings.limits.output,
        session: settings.session,
        sign_in: Limits {
            failures: settings.sign_in.failures,
            blocked_for: settings.sign_in.blocked_for,
        },
        external: settings.sign_in.command.as_ref().map(external_of),
        keep_audit_log: settings.keep_audit_log,
        grants: Arc::new(settings.grants.clone()),
        environment,
    }
}

fn external_of(command: &SignInCommand) -> Arc<ExternalCommand> {
    Arc::new(ExternalCommand {
        argv: command.argv.clone(),
        timeout: command.timeout,
        may_name_admins: command.names_admins,
    })
}

/// What the server is called: by the operator, and by the machine.
pub fn hosts(settings: &Settings) -> Vec<String> {
    let public = settings.public_host.iter().cloned();
    public.chain(host_name()).collect()
}
