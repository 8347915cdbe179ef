//! What would hold a script here and now, without starting it: a runner in a process of its own goes
//! the way of a start up to the point where the child would begin, and says what it found.
//!
//! It is a process of its own because a runner gives up what cannot be had again. It listens nowhere,
//! and its folders and cgroups are its own, so that a runner that serves notices nothing of it.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde::{Deserialize, Serialize};
use stagedoor_domain::sandbox::Enforced;

use super::cgroups::Others;
use super::hiding::Hiding;
use super::log::warn;
use super::settings::RunnerArgs;
use super::{leave_others, raise_open_files, settle};
use crate::handle::RunnerOptions;
use crate::protocol::{LARGEST_PLAN, Plan};

/// The subcommand's first word, after which the runner's own arguments follow.
pub const PREVIEW_WORD: &str = "preview";

/// What would come of a start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Why it would be refused.
    pub refusal: Option<String>,
    /// What would hold the script; also where it is refused only because it demands more.
    pub enforced: Option<Enforced>,
    /// By what Stagedoor's own files are hidden from it.
    pub hides: Hides,
}

/// What keeps scripts from Stagedoor's own files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hides {
    /// Nothing that the machine has.
    #[default]
    Nothing,
    /// A mount namespace.
    View,
    /// A Landlock ruleset.
    Landlock,
}

impl Hides {
    pub(super) fn of(hiding: Option<&Hiding>) -> Self {
        match hiding {
            Some(Hiding::View(_)) => Self::View,
            Some(Hiding::Domain(_)) => Self::Landlock,
            None => Self::Nothing,
        }
    }
}

/// What would hold this plan's script, by a runner with these options. `binary` is this program. The
/// socket is not made: its folder is where the state lies, and its name must be no other runner's.
pub fn preview(binary: &Path, options: &RunnerOptions, plan: &Plan) -> io::Result<Preview> {
    let args = options.args()?;
    let plan = postcard::to_allocvec(plan).map_err(io::Error::other)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a runner is started here, for one answer"
    )]
    let mut child = Command::new(binary)
        .args(["runner", PREVIEW_WORD])
        .args(
            RunnerArgs {
                root_on_stdin: false,
                ..args
            }
            .to_argv(),
        )
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One that ended already says why, or that it ended.
        let _ = input.write_all(&plan);
    }
    let output = child.wait_with_output()?;
    if output.stdout.is_empty() {
        return Err(io::Error::other(format!("it ended with {}", output.status)));
    }
    let said: Result<Preview, String> =
        postcard::from_bytes(&output.stdout).map_err(io::Error::other)?;
    said.map_err(io::Error::other)
}

/// The whole life of such a runner: a plan on standard input, what came of it on standard output.
pub fn serve_preview(args: RunnerArgs) -> ExitCode {
    let said = look(args).map_err(|error| error.to_string());
    let text = postcard::to_allocvec(&said).unwrap_or_default();
    if let Err(error) = tell(&text) {
        warn(format_args!("{error}"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn tell(text: &[u8]) -> io::Result<()> {
    let stdout = rustix::stdio::stdout().try_clone_to_owned()?;
    std::fs::File::from(stdout).write_all(text)
}

fn look(args: RunnerArgs) -> io::Result<Preview> {
    let mut bytes = Vec::new();
    let stdin = rustix::stdio::stdin().try_clone_to_owned()?;
    let most = LARGEST_PLAN as u64;
    std::fs::File::from(stdin)
        .take(most)
        .read_to_end(&mut bytes)?;
    let mut plan: Plan = postcard::from_bytes(&bytes).map_err(io::Error::other)?;
    let has_no_terminal = leave_others()?;
    let (mut station, _) = settle(args, has_no_terminal, Others::Left, raise_open_files())?;
    let refusal = match station.rehearse(&plan) {
        Ok((enforced, hides)) => {
            return Ok(Preview {
                refusal: None,
                enforced: Some(enforced),
                hides,
            });
        }
        Err(refusal) => refusal.to_string(),
    };
    // What there is, when what is demanded is more.
    plan.sandbox.required = false;
    let (enforced, hides) = station.rehearse(&plan).ok().unzip();
    Ok(Preview {
        refusal: Some(refusal),
        enforced,
        hides: hides.unwrap_or_default(),
    })
}
