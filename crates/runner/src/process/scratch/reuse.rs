//! Folders that no script has touched, kept for the next one: making three folders and removing them
//! again costs more than starting a process.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, Mode};
use rustix::io::Errno;

use super::OPEN_DIR;

/// Folders that are kept for one account.
const MOST_KEPT: usize = 64;

/// A change within this time after another one may leave no trace: a file system may note times in
/// steps of a clock tick, 10 ms at most.
const TICK: Duration = Duration::from_millis(20);

/// A folder as it was made: its inode and when that last changed in any way, seconds and nanoseconds.
type Stamp = (u64, i64, u64);

/// An attempt's folder and the two in it, as they were made.
#[derive(Clone, Copy)]
struct Made {
    /// Whose it is; none means the runner's own account.
    owner: Option<u32>,
    stamps: [Stamp; 3],
    /// On the monotonic clock.
    at: Duration,
    /// It was given to a script so soon that its stamps alone do not say that nothing changed.
    is_young: bool,
}

/// The folders that are as good as new, and those that may come back as such.
#[derive(Default)]
pub(super) struct Reuse {
    used: HashMap<String, Made>,
    /// By the owner: no account gets what another one was given.
    free: HashMap<Option<u32>, Vec<(String, Made)>>,
}

impl Reuse {
    /// One of this account's that nobody has touched.
    pub(super) fn take(&mut self, owner: Option<u32>, now: Duration) -> Option<String> {
        let (name, made) = self.free.get_mut(&owner)?.pop()?;
        // A file system that notes whole seconds has no nanoseconds.
        let is_coarse = made.stamps.iter().any(|stamp| stamp.2 == 0);
        let is_young = is_coarse || now.saturating_sub(made.at) < TICK;
        self.used.insert(name.clone(), Made { is_young, ..made });
        Some(name)
    }

    /// Notes how a folder without private files was made.
    pub(super) fn made(
        &mut self,
        owner: Option<u32>,
        scratch: &OwnedFd,
        name: &str,
        now: Duration,
    ) {
        // One that cannot be looked at is not used again.
        if let Ok(stamps) = stamps(scratch, name) {
            let made = Made {
                owner,
                stamps,
                at: now,
                is_young: true,
            };
            self.used.insert(name.to_owned(), made);
        }
    }

    /// Keeps the folder, unless something in it changed meanwhile, be it only a mode.
    pub(super) fn keep(&mut self, scratch: &OwnedFd, name: &str) -> bool {
        let Some(made) = self.used.remove(name) else {
            return false;
        };
        let free = self.free.entry(made.owner).or_default();
        let is_untouched = free.len() < MOST_KEPT
            && stamps(scratch, name).is_ok_and(|now| now == made.stamps)
            && (!made.is_young || is_as_made(scratch, name));
        if is_untouched {
            free.push((name.to_owned(), made));
        }
        is_untouched
    }

    /// The folders that are kept, no longer.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = String> {
        let free = std::mem::take(&mut self.free);
        free.into_values().flatten().map(|(name, _)| name)
    }
}

fn stamps(scratch: &OwnedFd, name: &str) -> io::Result<[Stamp; 3]> {
    let stamp = |path: &str| -> io::Result<Stamp> {
        let stat = rustix::fs::statat(scratch, path, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((stat.st_ino, stat.st_ctime, stat.st_ctime_nsec))
    };
    Ok([
        stamp(name)?,
        stamp(&format!("{name}/home"))?,
        stamp(&format!("{name}/tmp"))?,
    ])
}

fn is_as_made(scratch: &OwnedFd, name: &str) -> bool {
    has_only(scratch, name, 2)
        && has_only(scratch, &format!("{name}/home"), 0)
        && has_only(scratch, &format!("{name}/tmp"), 0)
}

/// Whether the folder has this many entries, its mode and no extended attribute.
fn has_only(scratch: &OwnedFd, path: &str, entries: usize) -> bool {
    let look = || -> io::Result<bool> {
        let folder = rustix::fs::openat(scratch, path, OPEN_DIR, Mode::empty())?;
        let mode = rustix::fs::fstat(&folder)?.st_mode & 0o7777;
        let has_none = match rustix::fs::flistxattr(&folder, &mut [0_u8; 256][..]) {
            Ok(length) => length == 0,
            Err(errno) => errno == Errno::OPNOTSUPP,
        };
        // Itself and its parent are listed, too.
        let listed = Dir::read_from(&folder)?.take(entries + 3).count();
        Ok(mode == 0o700 && has_none && listed == entries + 2)
    };
    look().unwrap_or(false)
}
