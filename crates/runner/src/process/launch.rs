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
    let (stack, shares) = (&order.stack, order.steps.shares);
    // SAFETY: the child touches nothing that this process changes; by the promise above, what it
    // reads lives long enough.
    unsafe { clone_into(cgroup, shares, stack, become_script, argument) }
}

/// Starts a child that takes the steps and executes the script.
///
/// # Safety
///
/// The order must be kept and left alone until the child has left.
pub(super) unsafe fn launch(order: &Order) -> io::Result<Pid> {
    let argument: *mut c_void = (&raw const *order).cast_mut().cast();
    let memory = Shares {
        table: false,
        ..order.steps.shares
    };
    // SAFETY: as above.
    unsafe { clone_here(memory, &order.stack, become_script, argument) }
}

/// Starts a child in the cgroup of this process.
///
/// # Safety
///
/// The stack must be left alone until the child has executed or ended, and `entry` must do only what
/// such a child may.
unsafe fn clone_here(
    shares: Shares,
    stack: &Stack,
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<Pid> {
    let flags = shares.flags() | libc::CLONE_CHILD_SETTID | libc::SIGCHLD;
    let nothing = std::ptr::null_mut::<c_void>();
    let word = stack.departure().word();
    // SAFETY: the stack is the child's alone, this process has one thread, and the rest is the caller's
    // promise.
    let pid = unsafe { libc::clone(entry, stack.top(), flags, argument, nothing, nothing, word) };
    started(pid)
}

/// What a child shares with the runner until it executes; it has a copy of all else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) memory: bool,
    /// The descriptors, until it makes a table of its own.
    pub(super) table: bool,
}

impl Shares {
    fn flags(self) -> c_int {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        flag(self.memory, libc::CLONE_VM) | flag(self.table, libc::CLONE_FILES)
    }
}

/// What a child may share. A process that changes its account has the kernel set whether it may be dumped
/// and traced as `fs.suid_dumpable` says, and this memory is the runner's. Only 0 leaves it closed. Who may
/// trace a child could change a table that it shares.
pub(super) fn shares(changes_account: bool) -> io::Result<Shares> {
    let setting = std::fs::read_to_string("/proc/sys/fs/suid_dumpable");
    let memory = !changes_account || setting.is_ok_and(|text| text.trim() == "0");
    let table = memory && can_leave_the_table()?;
    Ok(Shares { memory, table })
}

/// Whether the kernel gives a child a sound table of its own. Some (before 6.11) leave notes in it of what
/// was open in the shared one, and descriptors get higher numbers than they need.
fn can_leave_the_table() -> io::Result<bool> {
    // The notes are of 64 numbers each.
    let next = || rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), NOTED).ok();
    let _noted: Vec<OwnedFd> = std::iter::from_fn(next).take(64).collect();
    let stack = Stack::new()?;
    let shares = Shares {
        memory: true,
        table: true,
    };
    // SAFETY: the child uses nothing but its stack, and it is waited for below.
    let child = unsafe { clone_here(shares, &stack, leave_and_look, std::ptr::null_mut()) }?;
    let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    Ok(ended.is_some_and(|(_, status)| status.exit_status() == Some(0)))
}

const NOTED: c_int = 64;

/// Whether the first of the numbers that were taken in the shared table is free in the own one.
extern "C" fn leave_and_look(_: *mut c_void) -> c_int {
    let wide = |number: c_int| usize::try_from(number).unwrap_or_default();
    let duplicate = || {
        // SAFETY: no pointer is passed.
        unsafe { raw::call(libc::SYS_fcntl, [0, wide(libc::F_DUPFD), wide(NOTED), 0, 0]) }
    };
    let is_sound = leave_the_table(3).is_ok() && duplicate() == Ok(wide(NOTED));
    exit(usize::from(!is_sound))
}

/// A child begins in a cgroup, which is cheaper than joining it. Larger than libc's flags.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Starts a child in a cgroup.
///
/// # Safety
///
/// The stack must be left alone until the child has executed or ended, and `entry` must do only what
/// such a child may.
unsafe fn clone_into(
    cgroup: BorrowedFd<'_>,
    shares: Shares,
    stack: &Stack,
    entry: unsafe extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<Member> {
    let wide = |number: c_int| u64::from(number.unsigned_abs());
    // SAFETY: these arguments are plain data for which all zeroes is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    let notes = wide(libc::CLONE_PIDFD) | wide(libc::CLONE_CHILD_SETTID);
    args.flags = wide(shares.flags()) | notes | CLONE_INTO_CGROUP;
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

/// Whether a child can begin in this cgroup: the kernel may be too old, a filter of a container may
/// forbid it, or the cgroup be of a kind that takes no process.
pub(super) fn can_begin_in(cgroup: BorrowedFd<'_>) -> io::Result<bool> {
    let stack = Stack::new()?;
    let shares = Shares {
        memory: true,
        table: false,
    };
    let nothing = std::ptr::null_mut();
    // SAFETY: the child only ends, and it is waited for below.
    let Ok(child) = (unsafe { clone_into(cgroup, shares, &stack, end_at_once, nothing) }) else {
        return Ok(false);
    };
    let ended = rustix::process::waitpid(Some(child.pid()), WaitOptions::empty())?;
    Ok(ended.is_some_and(|(_, status)| status.exit_status() == Some(0)))
}

/// It is waited for, so nobody needs to be told that it has left.
extern "C" fn end_at_once(_: *mut c_void) -> c_int {
    exit(0)
}

/// Whether the kernel notes that a child has left this memory. Without that no script could be known
/// to execute: a filter of a container may forbid the call, and a kernel that is not Linux may take
/// it and do nothing.
pub(super) fn check_departures(shares_memory: bool) -> io::Result<()> {
    let shares = Shares {
        memory: shares_memory,
        table: false,
    };
    let stack = Stack::new()?;
    stack.departure().prepare();
    let departure: *mut c_void = std::ptr::from_ref(stack.departure()).cast_mut().cast();
    // SAFETY: the child is waited for below, and until then nobody touches what it is given.
    let child = unsafe { clone_here(shares, &stack, end_watched, departure) }?;
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
