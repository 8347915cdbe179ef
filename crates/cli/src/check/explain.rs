//! `stagedoor check --explain`: what would hold one script here and now, and why not more.
//!
//! Nothing of it is decided here: a runner is asked, started as `serve` would start it.

mod stage;
mod text;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use stagedoor_catalog::Snapshot;
use stagedoor_config::document::nearest;
use stagedoor_config::{Environment, Flags, Settings, Sources};
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::invocation::Invocation;
use stagedoor_domain::name::{ScriptName, SecretName};
use stagedoor_domain::script::Script;
use stagedoor_runner::{Plan, Preview, preview};

use super::reach::{self, Fault};
use super::roles::Roles;
use crate::accounts::Accounts;
use crate::args::{CheckOptions, StateOption};
use crate::database::{block_on, open_if_there};
use crate::serve::{open_folder, scripts};
use crate::state::{self, apart};
use crate::system::{KernelChance, SystemClock};
use crate::{EXIT_FAILED, EXIT_OK};
use stage::Stage;

const NOT_STARTED: &str = "`stagedoor serve` would not start";

/// Prints what would become of a start of this script.
pub fn explain(name: &str, asked: &CheckOptions) -> anyhow::Result<u8> {
    let root = asked.dir.canonicalize()?;
    let settings = settings(asked, &root)?;
    let options = stagedoor_catalog::Options {
        timeout: settings.limits.timeout,
        permits: settings.permits.clone(),
        ..stagedoor_catalog::Options::new(Arc::new(SystemClock::new()))
    };
    let roles = Roles::of(&settings).context(NOT_STARTED)?;
    let checked = super::read(&root, &roles, options)?;
    let scripts = &checked.snapshot;
    let found = ScriptName::parse(name).ok();
    let Some(script) = found.and_then(|name| scripts.get(&name)) else {
        return unknown(name, scripts, &asked.dir);
    };
    let looked = look(script, &root, &settings)?;
    text::print(script, &looked, &settings.limits);
    let (whose, fault) = (text::whose(), reach::fault(&root, &roles, script));
    // Only now, because who looks at the store becomes the account that owns it.
    let stored = stored(script, &asked.state);
    text::print_credentials(script, &stored);
    println!("\n{whose}");
    let known = stored.as_ref().ok().and_then(Option::as_ref);
    let refusal = refusal(script, &looked, known)
        .map(Fault::refusal)
        .or(fault);
    text::print_end(script, refusal.as_ref());
    Ok(if refusal.is_some() {
        EXIT_FAILED
    } else {
        EXIT_OK
    })
}

/// As `serve` would have them, of the account that asks.
fn settings(asked: &CheckOptions, root: &Path) -> anyhow::Result<Settings> {
    let flags = Flags {
        config: asked.config.clone(),
        state: asked.state.dir.clone(),
        ..Flags::default()
    };
    Ok(stagedoor_config::load(Sources {
        folder: root,
        folder_name: &asked.dir,
        flags: &flags,
        environment: &Environment::of_process(),
        cores: 1,
        is_root: rustix::process::geteuid().is_root(),
    })?)
}

/// One that has errors is told with them; else the name that was meant.
fn unknown(name: &str, scripts: &Snapshot, dir: &Path) -> anyhow::Result<u8> {
    let mut broken = scripts.broken().iter();
    if let Some(broken) = broken.find(|broken| broken.name.as_deref() == Some(name)) {
        for problem in &broken.problems {
            println!("{problem}\n");
        }
        println!("`{name}` is not published before this is mended, so it cannot run.");
        return Ok(EXIT_FAILED);
    }
    let names = scripts.scripts().map(|script| script.name.as_str());
    let near = nearest(name, names).map(|near| format!("; did you mean `{near}`?"));
    let near = near.unwrap_or_else(|| {
        "; a script is named by its path below the folder, without the end of its file, as in ops/backup"
            .to_owned()
    });
    anyhow::bail!("there is no script `{name}` in {}{near}", dir.display())
}

/// Asks a runner with the rights, settings and accounts that the server's would have.
fn look(script: &Script, root: &Path, settings: &Settings) -> anyhow::Result<Preview> {
    let accounts = Accounts::choose(settings).context(NOT_STARTED)?;
    apart::check(root, &settings.state).context(NOT_STARTED)?;
    let owner = std::fs::metadata(&settings.state).map(|found| found.uid());
    if let (Ok(owner), None) = (owner, &accounts.server) {
        state::is_mine(&settings.state, owner, accounts.server_uid).context(NOT_STARTED)?;
    }
    let stage = Stage::make(&KernelChance)?;
    let places = stage.places(&settings.state)?;
    let folder = open_folder(root)?;
    let options = scripts::options(places, root, &folder, settings, &accounts)?;
    let nothing = Invocation {
        args: Vec::new(),
        env: Vec::new(),
        stdin: Vec::new(),
        files: Vec::new(),
    };
    let attempt = (RunId::from_bytes([0; 16]), Epoch(1));
    let plan = Plan::of(script, attempt, nothing, script.env.clone());
    preview(Path::new("/proc/self/exe"), &options, &plan)
        .context("the process that starts scripts would not start")
}

/// Which of the script's secrets are stored; none where there is no state yet, or it lists none.
fn stored(script: &Script, state: &StateOption) -> anyhow::Result<Option<BTreeSet<SecretName>>> {
    if script.credentials.is_empty() {
        return Ok(None);
    }
    let Some(db) = open_if_there(state)? else {
        return Ok(Some(BTreeSet::new()));
    };
    let records = block_on(async { Ok(db.store.list_secrets().await?) })?;
    Ok(Some(
        records.into_iter().map(|record| record.name).collect(),
    ))
}

/// Why a start would come to nothing, in the order in which the server meets it.
fn refusal(
    script: &Script,
    looked: &Preview,
    stored: Option<&BTreeSet<SecretName>>,
) -> Option<String> {
    let disabled = script
        .disabled
        .as_ref()
        .map(|why| format!("the script is disabled: {why}"));
    let lacking = stored.and_then(|stored| {
        let mut listed = script.credentials.iter();
        let lacking = listed.find(|one| !stored.contains(&one.secret))?;
        let secret = &lacking.secret;
        Some(format!(
            "the secret `{secret}` of its `credentials` is not stored: stagedoor secret set {secret} < FILE"
        ))
    });
    disabled.or(lacking).or_else(|| looked.refusal.clone())
}
