//! What all processes of an attempt may use together: memory, how many they may be, and how much of the
//! processors while others want them, too.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::process::low;

/// What is bounded; none is without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::process) struct Share {
    /// Bytes.
    pub(in crate::process) memory: Option<u64>,
    /// Processes and threads.
    pub(in crate::process) processes: Option<u64>,
    /// How far the whole yields to others, 0 to 19; without one it is an equal among equals.
    pub(in crate::process) nice: Option<i8>,
}

impl Share {
    /// Takes over what is said there of this kind.
    pub(super) fn take(&mut self, kind: Kind, from: Self) {
        match kind {
            Kind::Memory => self.memory = from.memory,
            Kind::Processes => self.processes = from.processes,
            Kind::Processor => self.nice = from.nice,
        }
    }
}

/// One thing that the kernel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::process) enum Kind {
    Memory,
    Processes,
    Processor,
}

/// The files of a kind in one of the two versions of cgroups.
struct Files {
    bound: &'static str,
    /// What stands there without a bound.
    without: &'static str,
    /// A file, and the word in it behind which the kernel counts how often the bound was met.
    met: Option<(&'static str, &'static str)>,
}

impl Kind {
    fn files(self, is_apart: bool) -> Files {
        let (bound, without, met) = match (self, is_apart) {
            (Self::Memory, false) => ("memory.max", "max", Some(("memory.events", "oom_kill"))),
            (Self::Memory, true) => (
                "memory.limit_in_bytes",
                "-1",
                Some(("memory.oom_control", "oom_kill")),
            ),
            (Self::Processes, _) => ("pids.max", "max", Some(("pids.events", "max"))),
            (Self::Processor, false) => ("cpu.weight", "100", None),
            (Self::Processor, true) => ("cpu.shares", "1024", None),
        };
        Files {
            bound,
            without,
            met,
        }
    }
}

/// Where a kind is counted for this attempt.
pub(super) struct Control {
    folder: PathBuf,
    kind: Kind,
    /// Of the first version of cgroups: each kind has a hierarchy of its own, which a process joins
    /// through this file.
    joins: Option<OwnedFd>,
    bound: Cell<Option<u64>>,
    /// Where the kernel counts how often it was met.
    counts: Option<OwnedFd>,
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
        // Whoever joins is one thread. Moving whole processes by `cgroup.procs` would have all forks of the
        // machine wait for it.
        let file = folder.join("tasks");
        let joins = rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self::new(folder, kind, Some(low::raise(joins))))
    }

    fn new(folder: PathBuf, kind: Kind, joins: Option<OwnedFd>) -> Self {
        let counts = kind.files(joins.is_some()).met.and_then(|(file, _)| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let opened = rustix::fs::open(folder.join(file), flags, Mode::empty());
            opened.ok().map(low::raise)
        });
        Self {
            folder,
            kind,
            joins,
            bound: Cell::new(None),
            counts,
            met: Cell::new(0),
        }
    }

    /// What it bounds.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What a child joins, if there is a bound for it. The processors are always shared out.
    pub(super) fn joins(&self) -> Option<RawFd> {
        let matters = self.kind == Kind::Processor || self.bound.get().is_some();
        let joins = self.joins.as_ref().filter(|_| matters);
        joins.map(AsRawFd::as_raw_fd)
    }

    /// Whether its cgroup is still there.
    pub(super) fn stands(&self) -> bool {
        self.folder.exists()
    }

    /// The weight that this much yielding comes to: with each step a fifth less, as between two processes.
    pub(super) fn weight(&self, nice: i8) -> u64 {
        let usual = if self.joins.is_some() { 1024 } else { 100 };
        let fine = (0..nice.clamp(0, 19)).fold(usual << 20, |weight: u64, _| weight / 5 * 4);
        // One version of cgroups takes no less.
        (fine >> 20).max(2)
    }

    /// Sets the bound of the next attempt; nothing is written where it is the one of the last.
    pub(super) fn bind(&self, bound: Option<u64>) -> io::Result<()> {
        if self.bound.get() == bound {
            return Ok(());
        }
        let Files {
            bound: file,
            without,
            ..
        } = self.kind.files(self.joins.is_some());
        let text = bound.map_or_else(|| without.to_owned(), |bound| bound.to_string());
        if self.kind == Kind::Memory && self.joins.is_some() {
            // With what is swapped out, which can never be less; not every kernel counts that.
            let _ = write(&self.folder, "memory.memsw.limit_in_bytes", without);
            write(&self.folder, file, &text)?;
            let _ = write(&self.folder, "memory.memsw.limit_in_bytes", &text);
        } else {
            write(&self.folder, file, &text)?;
        }
        self.bound.set(bound);
        self.met.set(self.count());
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
        let cached = || {
            let text = fs::read_to_string(self.folder.join("memory.stat")).unwrap_or_default();
            said(&text, "active_file") + said(&text, "inactive_file")
        };
        used <= most || u64::saturating_sub(used, cached()) <= most
    }

    /// Whether it was met since this was asked last.
    pub(super) fn was_met(&self) -> bool {
        if self.bound.get().is_none() {
            return false;
        }
        let now = self.count();
        now > self.met.replace(now)
    }

    fn count(&self) -> u64 {
        let met = self.kind.files(self.joins.is_some()).met;
        let Some(((_, word), file)) = met.zip(self.counts.as_ref()) else {
            return 0;
        };
        let mut text = [0; 512];
        let read = rustix::io::pread(file, &mut text, 0).unwrap_or(0);
        let text = text.get(..read).unwrap_or_default();
        said(std::str::from_utf8(text).unwrap_or_default(), word)
    }

    /// Removes what was made for it.
    pub(super) fn remove(&self) {
        if self.joins.is_some() {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// The number behind a word at the beginning of a line.
fn said(text: &str, word: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let count = lines.find(|(name, _)| *name == word);
    count.and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

fn write(folder: &Path, file: &str, text: &str) -> io::Result<()> {
    fs::write(folder.join(file), text)
}
