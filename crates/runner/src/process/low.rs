//! Low numbers of descriptors are left to what a child is given.
//!
//! A child shares the runner's table of descriptors until it makes its own (see `child`), and takes all
//! those with it that are numbered below the last one it needs. Each of them costs time, and a runner has
//! a dozen for each attempt. So what outlives a start is numbered from [`FIRST`] on.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::process::Resource;

/// Above it stay the runner's own; below it there is room for a few starts at once.
const FIRST: RawFd = 64;

/// With fewer, none is wasted on keeping low numbers free.
const ENOUGH: u64 = 256;

/// Takes all low numbers that are free: as long as they are kept, what is opened gets none. Where there are
/// not many others, numbers are as they come, which costs time and nothing else.
pub(super) fn block() -> Vec<OwnedFd> {
    let limit = rustix::process::getrlimit(Resource::Nofile).current;
    if limit.is_some_and(|limit| limit < ENOUGH) {
        return Vec::new();
    }
    let next = || rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).ok();
    let is_low = |fd: &OwnedFd| fd.as_raw_fd() < FIRST;
    std::iter::from_fn(next).take_while(is_low).collect()
}

/// The same with a number that is not low, where there is one.
pub(super) fn raise(fd: OwnedFd) -> OwnedFd {
    rustix::io::fcntl_dupfd_cloexec(&fd, FIRST).unwrap_or(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_raised_has_no_low_number_and_what_blocks_has() {
        let fd = rustix::io::dup(rustix::stdio::stdin()).expect("a descriptor");
        assert!(raise(fd).as_raw_fd() >= FIRST);
        let low = block();
        assert!(!low.is_empty() && low.iter().all(|fd| fd.as_raw_fd() < FIRST));
    }
}
