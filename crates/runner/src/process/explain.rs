//! Why a script could not be executed, in words that name the mend.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::io::Errno;
use stagedoor_domain::sandbox::{Enforced, Measure};
use stagedoor_domain::script::Launch;

use super::child::{Failure, Step};
use super::executable::{first_line, say};
use super::sandbox::SYSTEM;
use crate::denied;
use crate::protocol::{Plan, Refusal};

/// The refusal for a step that failed in the child of this account.
pub(super) fn failure(
    failure: Failure,
    plan: &Plan,
    folder: BorrowedFd<'_>,
    enforced: &Enforced,
) -> Refusal {
    let account = enforced.account.as_deref().unwrap_or_default();
    let errno = Errno::from_raw_os_error(failure.errno);
    match failure.step {
        Step::Execute if errno == Errno::ACCESS && enforced.holds(Measure::Read) => {
            out_of_reach(plan, folder).unwrap_or_else(|| execute(errno, plan, folder, account))
        }
        Step::Execute => execute(errno, plan, folder, account),
        // It was there when it was opened.
        Step::Directory
            if plan.working_directory.is_none()
                && matches!(errno, Errno::STALE | Errno::NOENT | Errno::NOTDIR) =>
        {
            Refusal::Folder(
                "the script's folder was moved or replaced at this moment: run it again".into(),
            )
        }
        Step::Directory => Refusal::Folder(directory(errno, plan, account)),
        step => {
            let what = match step {
                Step::Signals => "reset the signals",
                Step::Session => "begin a session",
                Step::Streams => "connect the standard streams",
                Step::Limits => "set the limits",
                Step::Account => "change to the account of scripts",
                Step::Parent => "be bound to the runner",
                Step::Process => "be made",
                Step::Departure => "be watched",
                Step::Privileges => "be kept from gaining privileges",
                Step::Domain => "be restricted by Landlock",
                Step::View => "enter its own view of the file system",
                Step::Join => "join the cgroups that bound it",
                Step::Filters => "be given its filters of system calls",
                _ => "close descriptors (Linux 5.11 or newer is needed)",
            };
            Refusal::Resources(format!(
                "the script's process could not {what}: {}",
                say(errno)
            ))
        }
    }
}

fn directory(errno: Errno, plan: &Plan, account: &str) -> String {
    let shown = match plan.folder.as_str() {
        "" => ".",
        folder => folder,
    };
    match (plan.working_directory.as_deref(), errno) {
        (Some(path), Errno::NOENT | Errno::NOTDIR) => {
            denied::working_directory(path, account, false)
        }
        (Some(path), Errno::ACCESS) => denied::working_directory(path, account, true),
        (None, Errno::ACCESS) => denied::folder(shown, account),
        (path, errno) => format!(
            "the account `{account}` cannot enter the folder `{}`: {}",
            path.unwrap_or(shown),
            say(errno)
        ),
    }
}

fn execute(errno: Errno, plan: &Plan, folder: BorrowedFd<'_>, account: &str) -> Refusal {
    match errno {
        Errno::TOOBIG => Refusal::TooLarge,
        Errno::TXTBSY => Refusal::Changed,
        Errno::AGAIN if plan.process_limits.processes.is_some() => {
            let most = plan.process_limits.processes.unwrap_or_default();
            Refusal::Confinement(format!(
                "the account that scripts run as has {most} processes and threads already, which is `limits.processes` of its definition: wait until some have ended, or raise it"
            ))
        }
        Errno::NOMEM | Errno::AGAIN | Errno::MFILE | Errno::NFILE => Refusal::Resources(format!(
            "the system could not start the script: {}",
            say(errno)
        )),
        errno => match &plan.launch {
            Launch::Command { argv } => command(errno, argv),
            Launch::File { interpreter, .. } if !interpreter.is_empty() => {
                Refusal::BadInterpreter(format!(
                    "the interpreter `{}` of its definition cannot be started: {}; put it back, or correct the definition",
                    interpreter.first().map_or("", String::as_str),
                    say(errno)
                ))
            }
            Launch::File { file, .. } => self_started(errno, plan, file, folder, account),
        },
    }
}

/// The refusal of a script whose own sandbox keeps it from what starts it.
fn out_of_reach(plan: &Plan, folder: BorrowedFd<'_>) -> Option<Refusal> {
    let of_line = |file: &str| Some(program_of(first_line(folder, file)?.strip_prefix(b"#!")?));
    let starters = match &plan.launch {
        Launch::Command { argv } => {
            let program = argv.first()?;
            [Some(program.clone()), of_line(program)]
        }
        Launch::File { interpreter, file } => match interpreter.first() {
            Some(program) => [Some(program.clone()), None],
            None => [of_line(file), None],
        },
    };
    let own = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let sandbox = &plan.sandbox;
    let named = [&sandbox.read, &sandbox.write]
        .into_iter()
        .flatten()
        .flatten();
    let named = named.chain(&plan.working_directory).chain([&own]);
    let readable = SYSTEM.iter().copied().chain(named.map(String::as_str));
    let readable: Vec<_> = readable
        .filter_map(|path| std::fs::canonicalize(path).ok())
        .collect();
    starters.into_iter().flatten().find_map(|program| {
        let real = std::fs::canonicalize(&program).ok()?;
        let is_readable = readable.iter().any(|path| real.starts_with(path));
        let leads = if real == Path::new(&program) {
            String::new()
        } else {
            format!(", to which `{program}` leads,")
        };
        (!is_readable).then(|| {
            Refusal::Confinement(format!(
                "`{}`{leads} starts the script, and stands in no path of `sandbox.read` in its definition: add its folder there",
                real.display()
            ))
        })
    })
}

fn command(errno: Errno, argv: &[String]) -> Refusal {
    let program = argv.first().map_or("", String::as_str);
    Refusal::BadInterpreter(format!(
        "the command `{program}` cannot be started: {}",
        match errno {
            Errno::NOEXEC => "it is neither a binary nor a script with a `#!` line".to_owned(),
            errno => say(errno),
        }
    ))
}

/// A file that the kernel was to start by itself.
fn self_started(
    errno: Errno,
    plan: &Plan,
    file: &str,
    folder: BorrowedFd<'_>,
    account: &str,
) -> Refusal {
    let line = first_line(folder, file);
    let shebang = line.as_deref().and_then(|line| line.strip_prefix(b"#!"));
    match (errno, shebang) {
        (Errno::NOEXEC, None) => Refusal::BadInterpreter(
            "the script's file is neither a binary nor does its first line name an interpreter: begin it with `#!/bin/sh` or the like, or name an `interpreter` in its definition".into(),
        ),
        (_, Some(words)) if words.ends_with(b"\r") => Refusal::BadInterpreter(
            "the script's first line ends with a carriage return, so its interpreter is not found: save the file with LF line ends".into(),
        ),
        (errno, Some(words)) if errno != Errno::ACCESS || !interpreter_is_fine(words) => {
            Refusal::BadInterpreter(format!(
                "the interpreter `{}` of the script's first line cannot be started: {}",
                program_of(words),
                say(errno)
            ))
        }
        (Errno::ACCESS, _) => {
            let path = match plan.folder.as_str() {
                "" => file.to_owned(),
                folder => format!("{folder}/{file}"),
            };
            Refusal::Folder(denied::file(&path, account))
        }
        (Errno::NOENT, None) => Refusal::BadInterpreter(
            "the binary's loader is not on this machine: it was built for another system".into(),
        ),
        (errno, _) => Refusal::BadInterpreter(format!(
            "the system could not execute the script's file: {}",
            say(errno)
        )),
    }
}

/// The interpreter of a `#!` line.
fn program_of(words: &[u8]) -> String {
    String::from_utf8_lossy(words)
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Whether "permission denied" is about the script's file rather than about its interpreter.
fn interpreter_is_fine(words: &[u8]) -> bool {
    rustix::fs::stat(program_of(words).as_str()).is_ok_and(|stat| stat.st_mode & 0o111 != 0)
}
