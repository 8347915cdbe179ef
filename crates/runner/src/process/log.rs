//! Lines on standard error that can neither stop nor delay the runner.

use std::fmt::Arguments;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Writes one line, or drops it when nobody reads: standard error may be the pipe of a server that
/// is gone, or of a pager that waits.
pub(super) fn log(line: Arguments<'_>) {
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
