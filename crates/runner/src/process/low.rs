//! Low numbers of descriptors are left to what a child is given.
//!
//! A child shares the runner's table of descriptors until it makes its own (see `child`), and takes all
//! those with it that are numbered below the last one it needs. Each of them costs time, and a runner has
//! a dozen for each attempt. So what outlives a start is numbered from [`FIRST`] on.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Above it stay the runner's own; below it there is room for a few starts at once.
const FIRST: RawFd = 64;

/// As long as this lives, what is opened gets no low number.
pub(super) struct Taken(#[expect(dead_code, reason = "to be closed with it")] Vec<OwnedFd>);

/// Takes all low numbers that are free. Where no descriptor is to be had, numbers are as they come,
/// which costs time and nothing else.
pub(super) fn take() -> Taken {
    let next = || rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).ok();
    let is_low = |fd: &OwnedFd| fd.as_raw_fd() < FIRST;
    Taken(std::iter::from_fn(next).take_while(is_low).collect())
}

/// The same with a number that is not low.
pub(super) fn raise(fd: OwnedFd) -> OwnedFd {
    rustix::io::fcntl_dupfd_cloexec(&fd, FIRST).unwrap_or(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> OwnedFd {
        rustix::io::dup(rustix::stdio::stdin()).expect("a descriptor")
    }

    #[test]
    fn low_numbers_are_taken_for_a_while_and_what_is_raised_has_none() {
        let low = opened();
        assert!(low.as_raw_fd() < FIRST);
        let taken = take();
        assert!(opened().as_raw_fd() >= FIRST);
        drop(taken);
        assert!(opened().as_raw_fd() < FIRST);
        assert!(raise(low).as_raw_fd() >= FIRST);
    }
}
