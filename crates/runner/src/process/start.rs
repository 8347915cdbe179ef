//! From a plan to a forked child: everything that can be refused is refused before the fork.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Mode, Uid};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Signal};
use stagedoor_domain::invocation::Invocation;
use stagedoor_domain::time::Clock;

use super::attempt::{Ends, Live, Unconfirmed};
use super::child::{self, Directory, Program, Steps, Strings};
use super::environment::{arguments, environment};
use super::executable::{self, Executable, Root, Target, c_string};
use super::scratch::{Places, Scratch};
use crate::account::Account;
use crate::protocol::{Plan, Refusal};
use crate::wire;

/// Room in each pipe, so that a script seldom waits for the server.
const PIPE_SIZE: usize = 1 << 20;

/// What every start needs.
pub(super) struct Station {
    pub(super) root: Root,
    pub(super) scratch: Scratch,
    /// Who scripts run as; none means the runner's own account.
    pub(super) account: Option<Account>,
    /// `/dev/null`.
    pub(super) null: OwnedFd,
    /// What the runner was allowed before it raised it.
    pub(super) open_files: libc::rlimit,
    /// `TZ` where the plan has none.
    pub(super) zone: String,
}

impl Station {
    /// Starts the attempt. It is not known yet whether it executes: its report pipe tells. After a
    /// refusal its scratch may remain to be removed.
    pub(super) fn start(&self, plan: Box<Plan>, clock: &dyn Clock) -> Result<Live, Refusal> {
        let executable = executable::open(&plan, &self.root)?;
        let made = self
            .scratch
            .make(plan.run, plan.epoch, &plan.invocation.files);
        let places = made.map_err(|error| resources("make its private folder", &error))?;
        self.start_in(&places, executable, plan, clock)
    }

    fn start_in(
        &self,
        places: &Places,
        executable: Executable,
        mut plan: Box<Plan>,
        clock: &dyn Clock,
    ) -> Result<Live, Refusal> {
        let mut argv = executable.argv;
        argv.extend(arguments(&plan, places)?);
        let argv = Strings::new(argv);
        let envp = Strings::new(environment(&plan, places, &self.zone)?);
        let working_directory = plan
            .working_directory
            .as_deref()
            .map(c_string)
            .transpose()?;
        let streams = Streams::make(&plan.invocation.stdin, self.account.as_ref())
            .map_err(|error| resources("make its standard streams", &error))?;
        let started_at = clock.now();
        let forked = child::start(&Steps {
            stdin: streams.stdin.as_ref().unwrap_or(&self.null).as_fd(),
            stdout: streams.stdout.1.as_fd(),
            stderr: streams.stderr.1.as_fd(),
            report: streams.report.1.as_fd(),
            account: self.account.as_ref(),
            open_files: self.open_files,
            directory: match &working_directory {
                Some(path) => Directory::Path(path),
                None => Directory::Opened(executable.directory.as_fd()),
            },
            program: match &executable.target {
                Target::Opened(file) => Program::Opened(file.as_fd()),
                Target::Path(path) => Program::Path(path),
            },
            argv: &argv,
            envp: &envp,
        });
        let pid = forked.map_err(|error| resources("make a process", &error))?;
        let pidfd = watch(pid)?;
        // Dropping the other ends closes them here, so that the script's are the only ones.
        let (stdout, stderr) = (streams.stdout.0, streams.stderr.0);
        let ends = Ends {
            pid,
            started_at,
            stdout,
            stderr,
            pidfd,
        };
        let folder = executable.directory;
        let report = streams.report.0;
        // What follows needs no argument, and a secret need not stay in memory.
        plan.invocation = Invocation::default();
        plan.env = Vec::new();
        Ok(Live::new(
            ends,
            Unconfirmed {
                report,
                folder,
                plan,
            },
            clock.monotonic(),
        ))
    }
}

/// A descriptor of the child; a child that cannot be watched must not run.
fn watch(pid: Pid) -> Result<OwnedFd, Refusal> {
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| {
        // The child was not waited for, so the number is its own.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        resources("watch its process", &errno.into())
    })
}

/// The descriptors of one attempt: the runner's end first, then the script's.
struct Streams {
    stdin: Option<OwnedFd>,
    stdout: (OwnedFd, OwnedFd),
    stderr: (OwnedFd, OwnedFd),
    report: (OwnedFd, OwnedFd),
}

impl Streams {
    fn make(input: &[u8], account: Option<&Account>) -> io::Result<Self> {
        let stdin = if input.is_empty() {
            None
        } else {
            Some(wire::seal(input)?)
        };
        let streams = Self {
            stdin,
            stdout: output_pipe()?,
            stderr: output_pipe()?,
            report: rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?,
        };
        let own = [&streams.stdout.1, &streams.stderr.1];
        for fd in own.into_iter().chain(&streams.stdin) {
            // Without owning them a script could not open /dev/stdout or /dev/stdin again.
            if let Some(account) = account {
                let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
                rustix::fs::fchown(fd, Some(uid), Some(gid))?;
            }
        }
        if let Some(stdin) = &streams.stdin {
            rustix::fs::fchmod(stdin, Mode::RUSR)?;
        }
        Ok(streams)
    }
}

fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let pipe = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    // An ordinary user has room for a few large pipes only; a small one works as well.
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe.0, PIPE_SIZE);
    Ok(pipe)
}

fn resources(what: &str, error: &io::Error) -> Refusal {
    Refusal::Resources(format!("the runner could not {what}: {error}"))
}
