//! Whether a script has touched its folders. If not, the next one has them as they are: making them and
//! removing them again costs more than starting a process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, Mode};
use rustix::io::Errno;

use super::OPEN_DIR;

/// A change within this time after another one may leave no trace: a file system may note times in
/// steps of a clock tick, 10 ms at most.
const TICK: Duration = Duration::from_millis(20);

/// A folder as it was made: its inode and when that last changed in any way, seconds and nanoseconds.
type Stamp = (u64, i64, u64);

/// An attempt's folder and the two in it, as they were made.
#[derive(Clone, Copy)]
pub(super) struct Made {
    stamps: [Stamp; 3],
    /// Whose they are, by user and group; none is the runner's own account.
    owner: Option<(u32, u32)>,
    /// On the monotonic clock.
    at: Duration,
    /// They were given to a script so soon that the stamps alone do not say that nothing changed.
    is_young: bool,
}

impl Made {
    /// Notes how they are when they are made.
    pub(super) fn now(top: &OwnedFd, owner: Option<(u32, u32)>, now: Duration) -> io::Result<Self> {
        Ok(Self {
            stamps: stamps(top.as_fd())?,
            owner,
            at: now,
            is_young: true,
        })
    }

    /// Whose they are.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        self.owner
    }

    /// Another script is given them.
    pub(super) fn is_used_again(&mut self, now: Duration) {
        // A file system that notes whole seconds has no nanoseconds.
        let is_coarse = self.stamps.iter().any(|stamp| stamp.2 == 0);
        self.is_young = is_coarse || now.saturating_sub(self.at) < TICK;
    }

    /// Whether nothing in them changed meanwhile, be it only a mode.
    pub(super) fn still_holds(&self, scratch: &OwnedFd, name: &str, top: &OwnedFd) -> bool {
        let [made, ..] = self.stamps;
        let is_there = stamp(scratch.as_fd(), name).is_ok_and(|now| now == made);
        is_there
            && stamps(top.as_fd()).is_ok_and(|now| now == self.stamps)
            && (!self.is_young || is_as_made(top))
    }
}

fn stamps(top: BorrowedFd<'_>) -> io::Result<[Stamp; 3]> {
    Ok([stamp(top, ".")?, stamp(top, "home")?, stamp(top, "tmp")?])
}

fn stamp(folder: BorrowedFd<'_>, path: &str) -> io::Result<Stamp> {
    let stat = rustix::fs::statat(folder, path, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((stat.st_ino, stat.st_ctime, stat.st_ctime_nsec))
}

fn is_as_made(top: &OwnedFd) -> bool {
    has_only(top, ".", 2) && has_only(top, "home", 0) && has_only(top, "tmp", 0)
}

/// Whether the folder has this many entries, no rights for others but to pass, and no extended
/// attribute.
pub(super) fn has_only(top: &OwnedFd, path: &str, entries: usize) -> bool {
    let look = || -> io::Result<bool> {
        let folder = rustix::fs::openat(top, path, OPEN_DIR, Mode::empty())?;
        let mode = rustix::fs::fstat(&folder)?.st_mode & 0o7777;
        let has_none = match rustix::fs::flistxattr(&folder, &mut [0_u8; 256][..]) {
            Ok(length) => length == 0,
            Err(errno) => errno == Errno::OPNOTSUPP,
        };
        // Itself and its parent are listed, too.
        let listed = Dir::read_from(&folder)?.take(entries + 3).count();
        let is_top = path == "." && mode == 0o711;
        Ok((mode == 0o700 || is_top) && has_none && listed == entries + 2)
    };
    look().unwrap_or(false)
}
