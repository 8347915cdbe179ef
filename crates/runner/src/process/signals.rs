//! Signals as a descriptor, and the few things that a new process must settle at once.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

/// Closes every descriptor above standard error that this process inherited.
///
/// To be called before anything in this process owns a descriptor, or in a forked child that uses
/// and drops none of those it owns.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: by the condition above, nothing owns what is closed here.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A descriptor that becomes readable when a child ends or TERM arrives.
///
/// Every signal is blocked, so that none which a dying server or terminal could cause ends the
/// runner, and every action is the default one: a script then needs nothing but an empty mask.
pub(super) fn take() -> io::Result<OwnedFd> {
    // SAFETY: signal sets are plain data, filled before they are used.
    let (mut all, mut wanted): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: the pointers are to the sets above, and both numbers are signals.
    unsafe {
        libc::sigfillset(&raw mut all);
        libc::sigemptyset(&raw mut wanted);
        libc::sigaddset(&raw mut wanted, libc::SIGCHLD);
        libc::sigaddset(&raw mut wanted, libc::SIGTERM);
    }
    // SAFETY: the set is valid, and the old mask is not asked for.
    if unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The kernel's `struct sigaction` is at most this long; all zeroes is the default action.
    let default = [0_u64; 8];
    let nothing = std::ptr::null_mut::<u64>();
    for signal in 1..=64 {
        // The system call itself, because libc keeps two signals from its callers, and whoever
        // started the runner may have ignored those. KILL and STOP refuse and need no reset.
        // SAFETY: no handler is installed, and the set of signals is 8 bytes long.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), nothing, 8) };
    }
    descriptor(&wanted)
}

/// A descriptor that becomes readable when a child ends; for a keeper, in which all signals are
/// blocked as they are in the runner that forked it.
pub(super) fn of_children() -> io::Result<OwnedFd> {
    // SAFETY: a signal set is plain data, filled before it is used.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to the set above.
    unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
    }
    descriptor(&set)
}

/// A descriptor for these signals, which must be blocked.
fn descriptor(set: &libc::sigset_t) -> io::Result<OwnedFd> {
    // SAFETY: the set is valid; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Empties the descriptor of [`take`]; true when TERM was among the signals.
pub(super) fn drain(signals: impl AsFd) -> bool {
    const RECORD: usize = size_of::<libc::signalfd_siginfo>();
    let mut buffer = [0; RECORD * 8];
    let mut term = false;
    // What does not fill the buffer was all there is.
    let mut read = buffer.len();
    while read == buffer.len() {
        read = rustix::io::read(&signals, &mut buffer).unwrap_or(0);
        for record in buffer.get(..read).unwrap_or_default().chunks_exact(RECORD) {
            // The signal's number is the first field of the record.
            let number = record
                .first_chunk()
                .map_or(0, |bytes| u32::from_ne_bytes(*bytes));
            term |= number == libc::SIGTERM.unsigned_abs();
        }
    }
    term
}
