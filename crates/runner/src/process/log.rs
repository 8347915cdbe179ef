//! Lines on standard error that can neither stop nor delay the runner.

use std::fmt::Arguments;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A simulation has thousands of runners in one process, and a trace of its own.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// From now on this process writes no line.
pub(super) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// Writes one line, or drops it when nobody reads: standard error may be the pipe of a server that
/// is gone, or of a pager that waits.
pub(super) fn log(line: Arguments<'_>) {
    if IS_QUIET.load(Ordering::Relaxed) {
        return;
    }
    let stderr = rustix::stdio::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    if poll(&mut ready, Some(&now)).is_ok_and(|count| count == 1) {
        let text = format!("stagedoor runner: {line}\n");
        // Nothing can be done about a line that does not arrive.
        let _ = rustix::io::write(stderr, text.as_bytes());
    }
}
