//! What server and runner say to each other: one message per packet, in postcard's encoding.
//!
//! Every message about an attempt names it by run and epoch. A message that was released keeps its
//! place and its form; new ones are added behind it, and each side uses only what the other's version
//! knows. `Hello`, `Bye` and `Welcome` stay for ever, so that any two versions can tell each other so.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::invocation::Invocation;
use stagedoor_domain::quantity::say_size;
use stagedoor_domain::run::Met;
use stagedoor_domain::sandbox::{Enforced, ProcessLimits, Sandbox};
use stagedoor_domain::script::{Fingerprint, Launch, Script};
use stagedoor_domain::time::Timestamp;

/// The version of this protocol.
pub const VERSION: u32 = 6;

/// The earliest version whose runner can be taken over with what it holds. Earlier ones cannot hold a
/// script to its sandbox.
pub const EARLIEST: u32 = 5;

/// The largest plan in bytes; a request's body is limited to much less.
pub const LARGEST_PLAN: usize = 8 << 20;

/// Everything that the runner needs to start one attempt.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub epoch: Epoch,
    /// What is started.
    pub launch: Launch,
    /// The script's folder, relative to the root of the catalog; empty for the root.
    pub folder: String,
    /// Absolute, or none for the script's folder.
    pub working_directory: Option<String>,
    /// The file that was checked when the run was asked for.
    pub fingerprint: Option<Fingerprint>,
    /// Arguments, their environment, standard input and private files.
    pub invocation: Invocation,
    /// Constants, inherited names and `STAGEDOOR_…`. The runner adds `PATH`, `HOME`, `TMPDIR`,
    /// `LANG` and `TZ` where they are absent, and always its own `STAGEDOOR_RUN_ID`.
    pub env: Vec<(String, String)>,
    /// How long the attempt may run; none means for ever.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    pub stop_grace: Duration,
    /// What it may do beside what its account may.
    pub sandbox: Sandbox,
    /// What the machine bounds for each of its processes.
    pub process_limits: ProcessLimits,
    /// The name of the account that it runs as; none means the usual one. The runner knows by itself
    /// which names it takes.
    pub run_as: Option<String>,
}

impl Plan {
    /// An attempt of this script, with what it is given.
    pub fn of(
        script: &Script,
        (run, epoch): (RunId, Epoch),
        invocation: Invocation,
        env: Vec<(String, String)>,
    ) -> Self {
        Self {
            run,
            epoch,
            launch: script.launch.clone(),
            folder: script.folder.clone(),
            working_directory: script.working_directory.clone(),
            fingerprint: script.fingerprint,
            invocation,
            env,
            timeout: script.timeout,
            stop_grace: script.stop_grace,
            sandbox: script.sandbox.clone(),
            process_limits: script.process_limits,
            run_as: script.run_as.clone(),
        }
    }
}

/// Arguments and private files may be secret, so a plan shows only whose it is.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("run", &self.run)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// How an attempt is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopKind {
    /// TERM now, KILL after the plan's grace.
    Term,
    /// KILL now.
    Kill,
}

/// From the server to the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToRunner {
    /// The first message of a connection.
    Hello {
        /// The server's [`VERSION`].
        version: u32,
    },
    /// The server leaves for good: a runner that holds nothing ends now.
    Bye,
    /// Start this attempt.
    Start(Box<Plan>),
    /// End this attempt.
    Stop {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// How.
        kind: StopKind,
        /// Why, for the runner's log.
        cause: String,
    },
    /// The server has committed how this attempt ended: let go of its pipes, record and scratch.
    Forget {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
    },
    /// What was told of this attempt did not arrive whole: tell it all again, if it is held.
    Again {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
    },
    /// Start the attempt whose plan is in the sealed memory file that comes with this message. It is
    /// refused when the runner has no descriptor free for the file.
    StartSealed {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// The plan's size in bytes, at most [`LARGEST_PLAN`].
        bytes: u64,
    },
    /// `Forget`, for each of these; since version 6.
    ForgetAll {
        /// Run and attempt.
        attempts: Vec<(RunId, Epoch)>,
    },
}

/// From the runner to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromRunner {
    /// The answer to `Hello`. Everything that is held follows, then `Complete`.
    Welcome {
        /// The runner's [`VERSION`].
        version: u32,
        /// How many attempts it holds.
        held: u32,
        /// What it was started with; a server with other settings must not use it.
        settings: Vec<String>,
    },
    /// The attempt's process executes. With it come, in this order, the read end of standard
    /// output, that of standard error, and a pidfd.
    Started {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// The process, which is also its process group.
        pid: u32,
        /// When it was forked.
        started_at: Timestamp,
        /// What it is held by.
        enforced: Enforced,
    },
    /// The attempt was not started and never will be.
    Refused {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// Why.
        reason: Refusal,
    },
    /// The attempt has ended: no process of it is left.
    Exited {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// How.
        record: ExitRecord,
    },
    /// Everything that was held at `Welcome` has been told: what was neither told nor stands here
    /// is not held.
    Complete {
        /// Forked, but not known to execute; `Started` or `Refused` follows.
        starting: Vec<(RunId, Epoch)>,
    },
    /// `Started` and `Exited` of an attempt that had ended before it was told that it executes, with
    /// the descriptors of `Started`.
    Ran {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// As in `Started`.
        pid: u32,
        /// As in `Started`.
        started_at: Timestamp,
        /// As in `Started`.
        enforced: Enforced,
        /// As in `Exited`.
        record: ExitRecord,
    },
    /// `Ran`, of an attempt that has printed nothing: without descriptors. Since version 6.
    RanSilently {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// As in `Started`.
        pid: u32,
        /// As in `Started`.
        started_at: Timestamp,
        /// As in `Started`.
        enforced: Enforced,
        /// As in `Exited`.
        record: ExitRecord,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The main process's exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended the main process.
    pub signal: Option<i32>,
    /// The runner stopped it because its time was over.
    pub timed_out: bool,
    /// The runner sent it TERM or KILL before it ended.
    pub stopped: bool,
    /// The runner sent KILL, to it or to what it left behind.
    pub killed: bool,
    /// Processes that outlived the main process and were ended, counted without their descendants.
    pub leftovers: u32,
    /// When the last process was gone.
    pub ended_at: Timestamp,
    /// What of its limits it met.
    pub met: Met,
}

/// Why an attempt was not started. The texts are for the page of the run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Not the file that was checked.
    #[error(
        "the script's file changed between the click and the start: look at what changed, then run it again"
    )]
    Changed,
    /// No such file.
    #[error("the script's file is gone: put it back, or remove its definition")]
    Gone,
    /// Nobody may execute it.
    #[error(
        "the script's file may be executed by nobody: give it the execute bit (chmod +x), or name an `interpreter` in its definition"
    )]
    NotExecutable,
    /// The program that should read it cannot be started.
    #[error("{0}")]
    BadInterpreter(String),
    /// Someone else could have changed what is started.
    #[error("{0}")]
    Unsafe(String),
    /// The folder of the script, or its working directory, cannot be entered.
    #[error("{0}")]
    Folder(String),
    /// More than the kernel passes to a process.
    #[error("the arguments and the environment are together larger than the system allows: pass large values with `pass = \"stdin\"` or `pass = \"file\"` (a plan may have {})", say_size(LARGEST_PLAN as u64))]
    TooLarge,
    /// The machine, or the runner's limits, do not allow it now.
    #[error("{0}")]
    Resources(String),
    /// What its definition says of its sandbox cannot be done.
    #[error("{0}")]
    Confinement(String),
    /// It cannot run as the account that its definition names.
    #[error("{0}")]
    Account(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_shows_whose_it_is_and_no_argument() {
        let plan = Plan {
            run: RunId::from_bytes([7; 16]),
            epoch: Epoch(1),
            launch: Launch::Command {
                argv: vec!["/bin/true".into()],
            },
            folder: String::new(),
            working_directory: None,
            fingerprint: None,
            invocation: Invocation {
                args: Vec::new(),
                env: Vec::new(),
                stdin: b"hunter2".to_vec(),
                files: Vec::new(),
            },
            env: vec![("KEY".into(), "hunter2".into())],
            timeout: None,
            stop_grace: Duration::from_secs(10),
            sandbox: Sandbox::default(),
            process_limits: ProcessLimits::default(),
            run_as: None,
        };
        let shown = format!("{:?}", ToRunner::Start(Box::new(plan)));
        assert!(shown.contains("Epoch(1)"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("104"),
            "{shown}"
        );
    }
}
