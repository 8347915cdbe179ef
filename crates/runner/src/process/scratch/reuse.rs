//! Folders that no script has touched, kept for the next one: making three folders and removing them
//! again costs more than starting a process.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Dir, Mode};

use super::OPEN_DIR;

/// Folders that are kept.
const MOST_KEPT: usize = 64;

/// A folder as it was made: its inode and when that last changed in any way, seconds and nanoseconds.
type Stamp = (u64, i64, u64);

/// An attempt's folder and the two in it.
type Stamps = [Stamp; 3];

/// The folders that are as good as new, and those that may come back as such.
#[derive(Default)]
pub(super) struct Reuse {
    used: HashMap<String, Stamps>,
    free: Vec<(String, Stamps)>,
}

impl Reuse {
    /// One that nobody has touched.
    pub(super) fn take(&mut self) -> Option<String> {
        let (name, stamps) = self.free.pop()?;
        self.used.insert(name.clone(), stamps);
        Some(name)
    }

    /// Notes how a folder without private files was made.
    pub(super) fn made(&mut self, scratch: &OwnedFd, name: &str) {
        // One that cannot be looked at is not used again.
        if let Ok(stamps) = stamps(scratch, name) {
            self.used.insert(name.to_owned(), stamps);
        }
    }

    /// Keeps the folder, unless something in it changed meanwhile, be it only a mode.
    pub(super) fn keep(&mut self, scratch: &OwnedFd, name: &str) -> bool {
        let Some(before) = self.used.remove(name) else {
            return false;
        };
        let is_untouched = self.free.len() < MOST_KEPT
            && stamps(scratch, name).is_ok_and(|now| now == before)
            && has_only(scratch, name, 2)
            && has_only(scratch, &format!("{name}/home"), 0)
            && has_only(scratch, &format!("{name}/tmp"), 0);
        if is_untouched {
            self.free.push((name.to_owned(), before));
        }
        is_untouched
    }

    /// The folders that are kept, no longer.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = String> {
        self.free.drain(..).map(|(name, _)| name)
    }
}

fn stamps(scratch: &OwnedFd, name: &str) -> io::Result<Stamps> {
    let stamp = |path: String| -> io::Result<Stamp> {
        let folder = rustix::fs::openat(scratch, path, OPEN_DIR, Mode::empty())?;
        let stat = rustix::fs::fstat(&folder)?;
        Ok((stat.st_ino, stat.st_ctime, stat.st_ctime_nsec))
    };
    Ok([
        stamp(name.to_owned())?,
        stamp(format!("{name}/home"))?,
        stamp(format!("{name}/tmp"))?,
    ])
}

/// Whether the folder has this many entries and no extended attribute. Beside the stamp, because a
/// file system may note times in steps of several milliseconds.
fn has_only(scratch: &OwnedFd, path: &str, entries: usize) -> bool {
    let look = || -> io::Result<bool> {
        let folder = rustix::fs::openat(scratch, path, OPEN_DIR, Mode::empty())?;
        let mode = rustix::fs::fstat(&folder)?.st_mode & 0o7777;
        let attributes = rustix::fs::flistxattr(&folder, &mut [0_u8; 256][..]).unwrap_or(0);
        // Itself and its parent are listed, too.
        let listed = Dir::read_from(&folder)?.take(entries + 3).count();
        Ok(mode == 0o700 && attributes == 0 && listed == entries + 2)
    };
    look().unwrap_or(false)
}
