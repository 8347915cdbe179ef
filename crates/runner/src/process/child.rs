//! From the fork to the script: one irreversible step after the other.
//!
//! Everything between [`start`] and `execve` is async-signal-safe: system calls on values that were
//! made before the fork, no allocation, no lock. A step that fails writes its number and its errno
//! into the report pipe, which `execve` closes when all went well.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::process::Pid;

use super::signals;
use crate::account::Account;

/// Strings for `execve`, with the list of pointers that ends in a null one.
pub(super) struct Strings {
    pointers: Vec<*const c_char>,
    /// Never touched after `pointers` was made: it owns what they point to.
    _owned: Vec<CString>,
}

impl Strings {
    /// Keeps the strings alive as long as the pointers to them.
    pub(super) fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self {
            pointers,
            _owned: strings,
        }
    }
}

/// Where the script begins.
pub(super) enum Directory<'a> {
    /// An opened folder.
    Opened(BorrowedFd<'a>),
    /// An absolute path, entered as the script's account.
    Path(&'a CStr),
}

/// What is executed.
pub(super) enum Program<'a> {
    /// An opened file: exactly the one that was checked.
    Opened(BorrowedFd<'a>),
    /// A path, absolute or below the directory.
    Path(&'a CStr),
}

/// Everything that the steps need, made before the fork.
pub(super) struct Steps<'a> {
    pub(super) stdin: BorrowedFd<'a>,
    pub(super) stdout: BorrowedFd<'a>,
    pub(super) stderr: BorrowedFd<'a>,
    /// Closes on exec; carries the failure of a step.
    pub(super) report: BorrowedFd<'a>,
    /// The account to become; none keeps the runner's.
    pub(super) account: Option<&'a Account>,
    /// What the runner itself was allowed, before it raised it.
    pub(super) open_files: libc::rlimit,
    pub(super) directory: Directory<'a>,
    pub(super) program: Program<'a>,
    pub(super) argv: &'a Strings,
    pub(super) envp: &'a Strings,
}

/// Which step failed; its number travels through the report pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    Signals = 1,
    Session = 2,
    Streams = 3,
    Limits = 4,
    Account = 5,
    Privileges = 6,
    Directory = 7,
    Descriptors = 8,
    Execute = 9,
}

/// A step and its errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: i32,
}

impl Failure {
    fn to_bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.errno.to_ne_bytes();
        [self.step as u8, a, b, c, d]
    }

    /// Reads what a child wrote; none when it wrote nothing, so that it executes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&number, errno) = bytes.split_first()?;
        let step = match number {
            1 => Step::Signals,
            2 => Step::Session,
            3 => Step::Streams,
            4 => Step::Limits,
            5 => Step::Account,
            6 => Step::Privileges,
            7 => Step::Directory,
            8 => Step::Descriptors,
            _ => Step::Execute,
        };
        let errno = errno
            .first_chunk()
            .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        Some(Self { step, errno })
    }
}

/// Forks a child that takes the steps and executes the script.
pub(super) fn start(steps: &Steps<'_>) -> io::Result<Pid> {
    // SAFETY: the runner has one thread, and the child calls only what is async-signal-safe.
    match unsafe { libc::fork() } {
        0 => become_script(steps),
        pid => forked(pid),
    }
}

/// Forks a child that works on this folder and ends; for work that must not delay the runner.
///
/// The child keeps nothing else open: neither the runner's lock nor its connection may outlive it.
pub(super) fn start_worker(folder: &OwnedFd, work: impl FnOnce(&OwnedFd)) -> io::Result<Pid> {
    // SAFETY: the runner has one thread, so no lock is held and the child may allocate.
    match unsafe { libc::fork() } {
        0 => {
            let work = || -> io::Result<()> {
                rustix::stdio::dup2_stdin(folder)?;
                signals::close_inherited()?;
                work(&rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
                Ok(())
            };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: `_exit` ends the process without touching what it shares with the runner, and
            // without dropping what `close_inherited` has closed already.
            unsafe { libc::_exit(i32::from(!matches!(done, Ok(Ok(()))))) }
        }
        pid => forked(pid),
    }
}

fn forked(pid: libc::pid_t) -> io::Result<Pid> {
    Pid::from_raw(pid)
        .filter(|_| pid > 0)
        .ok_or_else(io::Error::last_os_error)
}

/// The child. `extern "C"`, so that even a panic could not unwind into the runner's loop.
extern "C" fn become_script(steps: &Steps<'_>) -> ! {
    let bytes = take(steps).to_bytes();
    // SAFETY: the buffer is valid for its length; a failed write leaves only the exit code.
    unsafe { libc::write(steps.report.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    // SAFETY: `_exit` runs no handler of the runner.
    unsafe { libc::_exit(127) }
}

/// Takes all steps; it returns only when one has failed.
fn take(steps: &Steps<'_>) -> Failure {
    let result = default_signals()
        .and_then(|()| own_session())
        .and_then(|()| standard_streams(steps))
        .and_then(|()| limits(steps))
        .and_then(|()| steps.account.map_or(Ok(()), become_account))
        .and_then(|()| no_new_privileges())
        .and_then(|()| enter(&steps.directory))
        .and_then(|()| close_on_exec());
    match result {
        Ok(()) => execute(steps),
        Err(failure) => failure,
    }
}

fn check(step: Step, result: i64) -> Result<(), Failure> {
    if result >= 0 {
        Ok(())
    } else {
        Err(failed(step))
    }
}

fn failed(step: Step) -> Failure {
    // SAFETY: errno belongs to this thread.
    let errno = unsafe { *libc::__errno_location() };
    Failure { step, errno }
}

/// Ignored signals and the mask outlive `execve`. Dispositions go first: once the mask is empty,
/// a signal acts.
fn default_signals() -> Result<(), Failure> {
    // The kernel's `struct sigaction` is at most this long; all zeroes is the default action.
    let default = [0_u64; 8];
    let nothing = std::ptr::null_mut::<u64>();
    for signal in 1..=64 {
        // The system call itself, because libc keeps two signals from its callers, and whoever
        // started the runner may have ignored those. KILL and STOP refuse and need no reset.
        // SAFETY: no handler is installed, and the set of signals is 8 bytes long.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), nothing, 8) };
    }
    // SAFETY: a signal set is plain data, filled by `sigemptyset`.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid, and the old mask is not asked for.
    let result = unsafe {
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
    };
    check(Step::Signals, result.into())
}

/// No terminal of the runner, and a process group that can be ended as one.
fn own_session() -> Result<(), Failure> {
    // SAFETY: no pointer is passed.
    check(Step::Session, unsafe { libc::setsid() }.into())
}

/// The only descriptors that stay open. Duplicates do not close on exec.
fn standard_streams(steps: &Steps<'_>) -> Result<(), Failure> {
    for (from, to) in [(steps.stdin, 0), (steps.stdout, 1), (steps.stderr, 2)] {
        // SAFETY: the runner keeps 0, 1 and 2 occupied, so `from` is none of them; what is replaced
        // here is the child's copy of the runner's own streams.
        let result = unsafe { libc::dup2(from.as_raw_fd(), to) };
        check(Step::Streams, result.into())?;
    }
    Ok(())
}

/// While still root, because a lowered hard limit cannot be raised. Core files would keep secrets.
fn limits(steps: &Steps<'_>) -> Result<(), Failure> {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointers are to valid limits; `umask` cannot fail.
    let result = unsafe {
        libc::umask(0o077);
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none)
            | libc::setrlimit(libc::RLIMIT_NOFILE, &raw const steps.open_files)
    };
    check(Step::Limits, result.into())
}

/// Groups first and the user last: each step needs the rights that the last one gives up. System
/// calls themselves, because libc's wrappers would talk to threads that are not there.
fn become_account(account: &Account) -> Result<(), Failure> {
    let (uid, gid) = (account.uid, account.gid);
    // SAFETY: the pointer and the length are those of one slice.
    let groups = unsafe {
        libc::syscall(
            libc::SYS_setgroups,
            account.groups.len(),
            account.groups.as_ptr(),
        )
    };
    check(Step::Account, groups)?;
    // SAFETY: no pointer is passed.
    check(Step::Account, unsafe {
        libc::syscall(libc::SYS_setresgid, gid, gid, gid)
    })?;
    // SAFETY: no pointer is passed.
    check(Step::Account, unsafe {
        libc::syscall(libc::SYS_setresuid, uid, uid, uid)
    })
}

/// From here on no setuid bit gives anything back.
fn no_new_privileges() -> Result<(), Failure> {
    // SAFETY: no pointer is passed.
    check(
        Step::Privileges,
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into(),
    )
}

/// As the script's account, so that its own rights decide; an opened folder needs no way to it.
fn enter(directory: &Directory<'_>) -> Result<(), Failure> {
    let result = match directory {
        // SAFETY: the descriptor is open as long as it is borrowed.
        Directory::Opened(folder) => unsafe { libc::fchdir(folder.as_raw_fd()) },
        // SAFETY: the path is a C string.
        Directory::Path(path) => unsafe { libc::chdir(path.as_ptr()) },
    };
    check(Step::Directory, result.into())
}

/// All descriptors of the runner close on exec already; this holds even if one did not.
fn close_on_exec() -> Result<(), Failure> {
    let (first, last, flag) = (3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: no pointer is passed, and nothing is closed before the exec.
    check(Step::Descriptors, unsafe {
        libc::syscall(libc::SYS_close_range, first, last, flag)
    })
}

fn execute(steps: &Steps<'_>) -> Failure {
    let (argv, envp) = (steps.argv.pointers.as_ptr(), steps.envp.pointers.as_ptr());
    match &steps.program {
        // SAFETY: both lists end in a null pointer and point to C strings that `steps` borrows.
        Program::Path(path) => unsafe {
            libc::syscall(libc::SYS_execve, path.as_ptr(), argv, envp)
        },
        // SAFETY: as above; the descriptor is open as long as it is borrowed.
        Program::Opened(file) => unsafe {
            let (fd, empty) = (file.as_raw_fd(), c"".as_ptr());
            libc::syscall(
                libc::SYS_execveat,
                fd,
                empty,
                argv,
                envp,
                libc::AT_EMPTY_PATH,
            )
        },
    };
    failed(Step::Execute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_pipe_and_an_empty_pipe_is_none() {
        for step in [Step::Signals, Step::Account, Step::Directory, Step::Execute] {
            let failure = Failure {
                step,
                errno: libc::ENOENT,
            };
            assert_eq!(Failure::from_bytes(&failure.to_bytes()), Some(failure));
        }
        assert_eq!(Failure::from_bytes(&[]), None);
    }
}
