//! How the runner makes processes: one that becomes a script, one that works beside the runner.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use super::child::{Order, become_script, exit, leave_the_table};
use super::departure::Departure;
use super::members::Member;
use super::stack::Stack;
use super::{raw, signals};

/// Starts a child in a cgroup that takes the steps and executes the script.
///
/// # Safety
///
/// The order must be kept and left alone until the child has left.
pub(super) unsafe fn launch_into(cgroup: BorrowedFd<'_>, order: &Order) -> io::Result<Member> {
    let argument: *mut c_void = (&raw const *order).cast_mut().cast();
    let (stack, shares_memory) = (&order.stack, order.steps.shares_memory);
    // SAFETY: the child touches nothing that this process changes; by the promise above, what it
    // reads lives long enough.
    unsafe { clone_into(cgroup, shares_memory, stack, become_script, argument) }
}

/// Starts a child that takes the steps and executes the script.
///
/// # Safety
///
/// The order must be kept and left alone until the child has left.
pub(super) unsafe fn launch(order: &Order) -> io::Result<Pid> {
    let argument: *mut c_void = (&raw const *order).cast_mut().cast();
    let (stack, shares_memory) = (&order.stack, order.steps.shares_memory);
    // SAFETY: as above.
    unsafe { clone_here(shares_memory, stack, become_script, argument) }
}

/// Starts a child in the cgroup of this process.
///
/// # Safety
///
/// The stack must be left alone until the child has executed or ended, and `entry` must do only what
/// such a child may.
unsafe fn clone_here(
    shares_memory: bool,
    stack: &Stack,
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<Pid> {
    let memory = if shares_memory { libc::CLONE_VM } else { 0 };
    let flags = memory | libc::CLONE_CHILD_SETTID | libc::SIGCHLD;
    let nothing = std::ptr::null_mut::<c_void>();
    let word = stack.departure().word();
    // SAFETY: the stack is the child's alone, this process has one thread, and the rest is the caller's
    // promise.
    let pid = unsafe { libc::clone(entry, stack.top(), flags, argument, nothing, nothing, word) };
    started(pid)
}

/// Whether a child may share this memory. A process that changes its account has the kernel set
/// whether its memory may be dumped and traced as `fs.suid_dumpable` says, and this memory is the
/// runner's. Only 0 leaves it closed.
pub(super) fn shares_memory(changes_account: bool) -> bool {
    let setting = std::fs::read_to_string("/proc/sys/fs/suid_dumpable");
    !changes_account || setting.is_ok_and(|text| text.trim() == "0")
}

/// A child begins in a cgroup, which is cheaper than joining it. Larger than libc's flags.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Starts a child that shares this memory, in a cgroup.
///
/// # Safety
///
/// The stack must be left alone until the child has executed or ended, and `entry` must do only what
/// such a child may.
unsafe fn clone_into(
    cgroup: BorrowedFd<'_>,
    shares_memory: bool,
    stack: &Stack,
    entry: unsafe extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<Member> {
    let wide = |number: c_int| u64::from(number.unsigned_abs());
    // SAFETY: these arguments are plain data for which all zeroes is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    // Who may not share the memory must not share the table of descriptors: who could trace it would have
    // the runner's.
    let shared = if shares_memory {
        wide(libc::CLONE_VM) | wide(libc::CLONE_FILES)
    } else {
        0
    };
    let notes = wide(libc::CLONE_PIDFD) | wide(libc::CLONE_CHILD_SETTID);
    args.flags = shared | notes | CLONE_INTO_CGROUP;
    args.exit_signal = wide(libc::SIGCHLD);
    args.stack = stack.bottom().addr() as u64;
    args.stack_size = Stack::whole() as u64;
    args.cgroup = wide(cgroup.as_raw_fd());
    args.child_tid = stack.departure().word().addr() as u64;
    let mut pidfd: c_int = -1;
    args.pidfd = (&raw mut pidfd).addr() as u64;
    // SAFETY: the stack is the child's alone, and the rest is the caller's promise.
    let pid = unsafe { raw::clone3(&args, entry, argument) }?;
    let pid = started(libc::pid_t::try_from(pid).unwrap_or(-1))?;
    // SAFETY: the kernel has made this descriptor, and nobody else owns it.
    Ok(Member::of(pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// Whether a child can begin in this cgroup, and leave the runner's table of descriptors: the kernel may
/// be too old, a filter of a container may forbid it, or the cgroup be of a kind that takes no process.
pub(super) fn can_begin_in(cgroup: BorrowedFd<'_>) -> io::Result<bool> {
    let stack = Stack::new()?;
    let nothing = std::ptr::null_mut();
    // SAFETY: the child only ends, and it is waited for below.
    let Ok(child) = (unsafe { clone_into(cgroup, true, &stack, leave_and_end, nothing) }) else {
        return Ok(false);
    };
    let ended = rustix::process::waitpid(Some(child.pid()), WaitOptions::empty())?;
    Ok(ended.is_some_and(|(_, status)| status.exit_status() == Some(0)))
}

/// It is waited for, so nobody needs to be told that it has left.
extern "C" fn leave_and_end(_: *mut c_void) -> c_int {
    exit(usize::from(leave_the_table(3).is_err()))
}

/// Whether the kernel notes that a child has left this memory. Without that no script could be known
/// to execute: a filter of a container may forbid the call, and a kernel that is not Linux may take
/// it and do nothing.
pub(super) fn check_departures(shares_memory: bool) -> io::Result<()> {
    let stack = Stack::new()?;
    stack.departure().prepare();
    let departure: *mut c_void = std::ptr::from_ref(stack.departure()).cast_mut().cast();
    // SAFETY: the child is waited for below, and until then nobody touches what it is given.
    let child = unsafe { clone_here(shares_memory, &stack, end_watched, departure) }?;
    let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    let errno = ended.and_then(|(_, status)| status.exit_status());
    let why = match errno {
        Some(0) if stack.departure().is_over() => return Ok(()),
        Some(0) => "it is taken and has no effect".to_owned(),
        Some(errno) => io::Error::from_raw_os_error(errno).to_string(),
        None => "a process that made it was killed".to_owned(),
    };
    Err(io::Error::other(format!(
        "the system call set_robust_list does not work here, and no script can be started without \
         it: {why}. A container's filter of system calls has to allow it"
    )))
}

/// Every errno is small enough for an exit code.
extern "C" fn end_watched(departure: *mut c_void) -> c_int {
    // SAFETY: [`check_departures`] passes its own, and waits for this process.
    let departure = unsafe { &*departure.cast::<Departure>().cast_const() };
    let errno = departure.watch().err().map_or(0, Errno::raw_os_error);
    exit(usize::try_from(errno).unwrap_or(usize::MAX))
}

/// Forks a child that works on this folder and ends with 0 or with the number of its error; for work
/// that must not delay the runner.
///
/// The child keeps nothing else open: neither the runner's lock nor its connection may outlive it.
pub(super) fn start_worker(
    folder: &OwnedFd,
    work: impl FnOnce(&OwnedFd) -> io::Result<()>,
) -> io::Result<Pid> {
    // SAFETY: the runner has one thread, so no lock is held and the child may allocate.
    match unsafe { libc::fork() } {
        0 => {
            let work = || -> io::Result<()> {
                rustix::stdio::dup2_stdin(folder)?;
                signals::close_inherited()?;
                work(&rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?)
            };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            let code = match done {
                Ok(Ok(())) => 0,
                Ok(Err(error)) => error.raw_os_error().unwrap_or(libc::EIO),
                Err(_) => libc::EIO,
            };
            // SAFETY: `_exit` ends the process without touching what it shares with the runner, and
            // without dropping what `close_inherited` has closed already.
            unsafe { libc::_exit(code) }
        }
        pid => started(pid),
    }
}

pub(super) fn started(pid: libc::pid_t) -> io::Result<Pid> {
    Pid::from_raw(pid)
        .filter(|_| pid > 0)
        .ok_or_else(io::Error::last_os_error)
}
