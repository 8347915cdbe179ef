//! What all processes of an attempt may use together: memory, and how many they may be.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// What is bounded; none is without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::process) struct Share {
    /// Bytes.
    pub(in crate::process) memory: Option<u64>,
    /// Processes and threads.
    pub(in crate::process) processes: Option<u64>,
}

/// One thing that the kernel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::process) enum Kind {
    Memory,
    Processes,
}

/// Where a kind is counted for this attempt.
pub(super) struct Control {
    folder: PathBuf,
    kind: Kind,
    /// Of the first version of cgroups: each kind has a hierarchy of its own, which a process joins
    /// through this file.
    joins: Option<OwnedFd>,
    bound: Cell<Option<u64>>,
    /// How often it was met before this attempt.
    met: Cell<u64>,
}

impl Control {
    /// In the attempt's own cgroup.
    pub(super) fn unified(folder: &Path, kind: Kind) -> Self {
        if kind == Kind::Memory {
            // All of an attempt or nothing, and no swapping that slows down everybody else. Where the
            // kernel does not know this, the bound still holds.
            let _ = write(folder, "memory.oom.group", "1");
            let _ = write(folder, "memory.swap.max", "0");
        }
        Self::new(folder.to_owned(), kind, None)
    }

    /// In a cgroup of this kind alone, which is made for it.
    pub(super) fn apart(folder: PathBuf, kind: Kind) -> io::Result<Self> {
        match fs::create_dir(&folder) {
            // Left by an earlier runner; it is empty, or its processes were ended.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let file = folder.join("cgroup.procs");
        let joins = rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self::new(folder, kind, Some(joins)))
    }

    fn new(folder: PathBuf, kind: Kind, joins: Option<OwnedFd>) -> Self {
        let control = Self {
            folder,
            kind,
            joins,
            bound: Cell::new(None),
            met: Cell::new(0),
        };
        control.met.set(control.count());
        control
    }

    /// What it bounds.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What a child joins, if there is a bound for it.
    pub(super) fn joins(&self) -> Option<RawFd> {
        let joins = self.joins.as_ref().filter(|_| self.bound.get().is_some());
        joins.map(AsRawFd::as_raw_fd)
    }

    /// Whether its cgroup is still there.
    pub(super) fn stands(&self) -> bool {
        self.folder.exists()
    }

    /// Sets the bound of the next attempt; nothing is written where it is the one of the last.
    pub(super) fn bind(&self, bound: Option<u64>) -> io::Result<()> {
        if self.bound.get() == bound {
            return Ok(());
        }
        let is_apart = self.joins.is_some();
        let without = if is_apart && self.kind == Kind::Memory {
            "-1"
        } else {
            "max"
        };
        let text = bound.map_or_else(|| without.to_owned(), |bound| bound.to_string());
        if is_apart && self.kind == Kind::Memory {
            // With what is swapped out, which can never be less; not every kernel counts that.
            let _ = write(&self.folder, "memory.memsw.limit_in_bytes", without);
            write(&self.folder, "memory.limit_in_bytes", &text)?;
            let _ = write(&self.folder, "memory.memsw.limit_in_bytes", &text);
        } else {
            let file = match self.kind {
                Kind::Memory => "memory.max",
                Kind::Processes => "pids.max",
            };
            write(&self.folder, file, &text)?;
        }
        self.bound.set(bound);
        Ok(())
    }

    /// Whether nearly all of this much memory is there for the next attempt. What stays of an earlier one
    /// (files in memory, shared objects) counts as long as it is there; files of a disk that are kept in
    /// memory make room.
    pub(super) fn has_room(&self, bound: u64) -> bool {
        let most = bound / 16;
        let (file, older) = ("memory.current", "memory.usage_in_bytes");
        let file = if self.joins.is_some() { older } else { file };
        let used = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let used = used.trim_end().parse().unwrap_or(0);
        let cached =
            || self.said("memory.stat", "active_file") + self.said("memory.stat", "inactive_file");
        used <= most || u64::saturating_sub(used, cached()) <= most
    }

    /// Whether it was met since this was asked last.
    pub(super) fn was_met(&self) -> bool {
        let now = self.count();
        self.bound.get().is_some() && now > self.met.replace(now)
    }

    fn count(&self) -> u64 {
        let (file, word) = match (self.kind, self.joins.is_some()) {
            (Kind::Memory, false) => ("memory.events", "oom_kill"),
            (Kind::Memory, true) => ("memory.oom_control", "oom_kill"),
            (Kind::Processes, _) => ("pids.events", "max"),
        };
        self.said(file, word)
    }

    /// The number behind a word.
    fn said(&self, file: &str, word: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let count = lines.find(|(name, _)| *name == word);
        count.and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
    }

    /// Removes what was made for it.
    pub(super) fn remove(&self) {
        if self.joins.is_some() {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

fn write(folder: &Path, file: &str, text: &str) -> io::Result<()> {
    fs::write(folder.join(file), text)
}
