//! From a new process to the script: one irreversible step after the other.
//!
//! The child shares the runner's memory until it executes, which saves copying and dropping an
//! address space at each start. So everything between its start (see `launch`) and `execve` only
//! reads what was made before: no allocation, no lock, no `errno`. A step that fails writes its
//! number and its error into the report pipe, which `execve` closes when all went well.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::raw;
use crate::account::Credentials;

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
pub(super) enum Directory {
    /// An opened folder.
    Opened(RawFd),
    /// An absolute path, entered as the script's account.
    Path(CString),
}

/// What is executed.
pub(super) enum Program {
    /// An opened file: exactly the one that was checked.
    Opened(RawFd),
    /// A path, absolute or below the directory.
    Path(CString),
}

/// Everything that the steps need. Descriptors by number: the child has its own copy of all that
/// are open when it is launched.
pub(super) struct Steps {
    /// What becomes standard input, output and error.
    pub(super) streams: [RawFd; 3],
    /// Closes on exec; carries the failure of a step.
    pub(super) report: RawFd,
    /// See [`shares_memory`].
    pub(super) shares_memory: bool,
    /// The folder of the cgroup to begin in.
    pub(super) cgroup: Option<RawFd>,
    /// The account to become; none keeps the runner's.
    pub(super) credentials: Option<Rc<Credentials>>,
    /// What the runner itself was allowed, before it raised it.
    pub(super) open_files: Rlimit,
    pub(super) directory: Directory,
    pub(super) program: Program,
    pub(super) argv: Strings,
    pub(super) envp: Strings,
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
    Process = 10,
}

/// A step and its errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: i32,
}

impl Failure {
    pub(super) fn to_bytes(self) -> [u8; 5] {
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
            10 => Step::Process,
            _ => Step::Execute,
        };
        let errno = errno
            .first_chunk()
            .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        Some(Self { step, errno })
    }
}

/// Ends this process and does nothing else.
pub(super) fn exit(code: usize) -> c_int {
    // SAFETY: no pointer is passed. The call does not return.
    let _ = unsafe { raw::call(libc::SYS_exit_group, [code, 0, 0, 0, 0]) };
    127
}

/// The child. `extern "C"`, so that even a panic could not unwind into the runner's loop.
pub(super) extern "C" fn become_script(steps: *mut c_void) -> c_int {
    // SAFETY: `launch` passes its steps, which live until this process executes or ends.
    let steps = unsafe { &*steps.cast::<Steps>().cast_const() };
    let bytes = take(steps).to_bytes();
    // A failed write leaves only the exit code.
    let _ = rustix::io::write(borrow(steps.report), &bytes);
    exit(127)
}

/// Takes all steps; it returns only when one has failed.
fn take(steps: &Steps) -> Failure {
    let result = let_signals_through()
        .and_then(|()| own_session())
        .and_then(|()| standard_streams(steps))
        .and_then(|()| limits(steps))
        .and_then(|()| steps.credentials.as_deref().map_or(Ok(()), become_account))
        .and_then(|()| no_new_privileges())
        .and_then(|()| enter(&steps.directory))
        .and_then(|()| close_on_exec());
    match result {
        Ok(()) => execute(steps),
        Err(failure) => failure,
    }
}

fn at(step: Step) -> impl FnOnce(Errno) -> Failure {
    move |errno| Failure {
        step,
        errno: errno.raw_os_error(),
    }
}

pub(super) fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the descriptors of the steps are open in the child until it executes or ends.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// The mask outlives `execve`. Actions need no reset: the runner has the default ones, see
/// `signals::take`.
fn let_signals_through() -> Result<(), Failure> {
    let none = 0_u64;
    let set = (&raw const none).addr();
    let how = usize::try_from(libc::SIG_SETMASK).unwrap_or_default();
    // SAFETY: the set is 8 bytes long, as is said, and the old one is not asked for.
    let done = unsafe { raw::call(libc::SYS_rt_sigprocmask, [how, set, 0, 8, 0]) };
    done.map(|_| ()).map_err(at(Step::Signals))
}

/// No terminal of the runner, and a process group that can be ended as one.
fn own_session() -> Result<(), Failure> {
    rustix::process::setsid()
        .map(|_| ())
        .map_err(at(Step::Session))
}

/// The only descriptors that stay open. Duplicates do not close on exec.
fn standard_streams(steps: &Steps) -> Result<(), Failure> {
    let [stdin, stdout, stderr] = steps.streams;
    rustix::stdio::dup2_stdin(borrow(stdin))
        .and_then(|()| rustix::stdio::dup2_stdout(borrow(stdout)))
        .and_then(|()| rustix::stdio::dup2_stderr(borrow(stderr)))
        .map_err(at(Step::Streams))
}

/// While still root, because a lowered hard limit cannot be raised. Core files would keep secrets.
fn limits(steps: &Steps) -> Result<(), Failure> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::setrlimit(Resource::Core, none)
        .and_then(|()| rustix::process::setrlimit(Resource::Nofile, steps.open_files))
        .map_err(at(Step::Limits))
}

/// Groups first and the user last: each step needs the rights that the last one gives up. For this
/// thread alone, because libc would talk to threads that are not there.
fn become_account(account: &Credentials) -> Result<(), Failure> {
    let (uid, gid) = (account.uid, account.gid);
    set_thread_groups(&account.groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(at(Step::Account))
}

/// From here on no setuid bit gives anything back. A script whose runner is killed is out of
/// control: nobody could stop it or end it in time, so its main process ends, too.
fn no_new_privileges() -> Result<(), Failure> {
    rustix::thread::set_no_new_privs(true)
        .and_then(|()| rustix::process::set_parent_process_death_signal(Some(Signal::KILL)))
        .map_err(at(Step::Privileges))
}

/// As the script's account, so that its own rights decide; an opened folder needs no way to it.
fn enter(directory: &Directory) -> Result<(), Failure> {
    let entered = match directory {
        Directory::Opened(folder) => rustix::process::fchdir(borrow(*folder)),
        Directory::Path(path) => rustix::process::chdir::<&CStr>(path),
    };
    entered.map_err(at(Step::Directory))
}

/// All descriptors of the runner close on exec already; this holds even if one did not.
fn close_on_exec() -> Result<(), Failure> {
    let flag = usize::try_from(libc::CLOSE_RANGE_CLOEXEC).unwrap_or_default();
    let most = usize::try_from(u32::MAX).unwrap_or_default();
    // SAFETY: no pointer is passed, and nothing is closed before the exec.
    let done = unsafe { raw::call(libc::SYS_close_range, [3, most, flag, 0, 0]) };
    done.map(|_| ()).map_err(at(Step::Descriptors))
}

fn execute(steps: &Steps) -> Failure {
    let argv = steps.argv.pointers.as_ptr().addr();
    let envp = steps.envp.pointers.as_ptr().addr();
    let result = match &steps.program {
        // SAFETY: both lists end in a null pointer and point to C strings that `steps` owns.
        Program::Path(path) => unsafe {
            raw::call(libc::SYS_execve, [path.as_ptr().addr(), argv, envp, 0, 0])
        },
        // SAFETY: as above; the descriptor is open until the exec.
        Program::Opened(file) => unsafe {
            let file = usize::try_from(*file).unwrap_or(usize::MAX);
            let flags = usize::try_from(libc::AT_EMPTY_PATH).unwrap_or_default();
            raw::call(
                libc::SYS_execveat,
                [file, c"".as_ptr().addr(), argv, envp, flags],
            )
        },
    };
    at(Step::Execute)(result.err().unwrap_or(Errno::NOEXEC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_pipe_and_an_empty_pipe_is_none() {
        let last = (1..=10).map(|number| Failure::from_bytes(&[number, 2, 0, 0, 0]));
        for (number, failure) in (1..).zip(last) {
            let failure = failure.expect("a failure");
            assert_eq!((failure.step as u8, failure.errno), (number, 2));
            assert_eq!(Failure::from_bytes(&failure.to_bytes()), Some(failure));
        }
        assert_eq!(Failure::from_bytes(&[]), None);
    }
}
