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

/// A descriptor that becomes readable when a child ends or TERM arrives. Signals that a dying
/// server or terminal could cause are ignored; scripts get all of them back.
pub(super) fn take() -> io::Result<OwnedFd> {
    for signal in [libc::SIGPIPE, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: no handler is installed, so no code runs inside a signal.
        if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: a signal set is plain data, filled by `sigemptyset` before it is used.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to the set above, and both numbers are signals.
    unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
    }
    // SAFETY: the set is valid, and the old mask is not asked for.
    if unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the set is valid; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
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
    while let Ok(read @ 1..) = rustix::io::read(&signals, &mut buffer) {
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
