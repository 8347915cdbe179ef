//! The cgroup of one attempt: who is in it, and killing all of them at once.

pub(super) mod controls;

use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use stagedoor_domain::run::Met;

use self::controls::{Control, Kind, Share};
use super::low;
use super::members::Member;

/// Files by which a child joins cgroups, one for each kind at most.
pub(super) type Joins = [Option<RawFd>; 3];

/// The cgroup of one attempt.
pub(super) struct Cgroup {
    path: PathBuf,
    /// The folder itself, in which a new child begins.
    folder: OwnedFd,
    /// `cgroup.events`, which says whether a process is left.
    events: OwnedFd,
    /// `cgroup.kill`, open because a stop must work when no descriptor is free.
    kill: OwnedFd,
    controls: Vec<Control>,
    /// Kernels (6.18 among them) kill whatever begins in a cgroup that was killed once.
    was_killed: Cell<bool>,
}

impl Cgroup {
    /// A new one. An error where something stands there already.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        fs::create_dir(path)?;
        Self::open(path).inspect_err(|_| {
            // It is empty, and it could not be used.
            let _ = fs::remove_dir(path);
        })
    }

    /// Where it stands.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether something in it was killed as one.
    pub(super) fn was_killed(&self) -> bool {
        self.was_killed.get()
    }

    fn open(path: &Path) -> io::Result<Self> {
        let open = |name, flags| {
            let file = path.join(name);
            rustix::fs::open(&file, flags | OFlags::CLOEXEC, Mode::empty()).map(low::raise)
        };
        Ok(Self {
            path: path.to_owned(),
            folder: open("", OFlags::PATH | OFlags::DIRECTORY)?,
            events: open("cgroup.events", OFlags::RDONLY)?,
            // Kernels before 5.14 have cgroups that cannot be killed as one, and no such file.
            kill: open("cgroup.kill", OFlags::WRONLY)?,
            controls: Vec::new(),
            was_killed: Cell::new(false),
        })
    }

    /// Bounds this kind in it from now on; in a cgroup of its own below `apart`, if there is one.
    pub(super) fn add_control(&mut self, kind: Kind, apart: Option<&Path>) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default();
        let control = match apart {
            None => Control::unified(&self.path, kind),
            Some(base) => Control::apart(base.join(name), kind)?,
        };
        self.controls.push(control);
        Ok(())
    }

    /// Whether an attempt may use this much memory in it, and would not pay for what another has left.
    pub(super) fn has_room(&self, memory: Option<u64>) -> bool {
        let mut controls = self.controls.iter();
        let control = controls.find(|control| control.kind() == Kind::Memory);
        let asked = control.zip(memory);
        asked.is_none_or(|(control, memory)| control.has_room(memory))
    }

    /// Sets what all in it may use together, and tells what of it holds.
    pub(super) fn bind(&self, share: Share) -> io::Result<Share> {
        let mut holds = Share::default();
        for control in &self.controls {
            match control.kind() {
                Kind::Memory => control.bind(share.memory)?,
                Kind::Processes => control.bind(share.processes)?,
                Kind::Processor => control.bind(share.nice.map(|nice| control.weight(nice)))?,
            }
            holds.take(control.kind(), share);
        }
        Ok(holds)
    }

    /// Whether nothing of what bounds it is gone.
    pub(super) fn is_whole(&self) -> bool {
        self.path.exists() && self.controls.iter().all(Control::stands)
    }

    /// The files by which a child joins what bounds it.
    pub(super) fn joins(&self) -> Joins {
        let mut all = self.controls.iter().filter_map(Control::joins);
        std::array::from_fn(|_| all.next())
    }

    /// Whether what is in it gets no more of the processors than another that wants them, however many
    /// processes it has.
    pub(super) fn shares_processors(&self) -> bool {
        let mut kinds = self.controls.iter().map(Control::kind);
        kinds.any(|kind| kind == Kind::Processor)
    }

    /// What of it was met since this was asked last.
    pub(super) fn met(&self) -> Met {
        let mut met = Met::default();
        for control in &self.controls {
            match control.kind() {
                Kind::Memory => met.memory |= control.was_met(),
                Kind::Processes => met.processes |= control.was_met(),
                Kind::Processor => {}
            }
        }
        met
    }

    /// For the child that is to begin in it.
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Becomes exceptional (`EPOLLPRI`) when the last process is gone.
    pub(super) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Whether no process is left, zombies apart. One that cannot be asked counts as not empty.
    pub(super) fn is_empty(&self) -> bool {
        let mut text = [0; 256];
        let read = rustix::io::pread(&self.events, &mut text, 0).unwrap_or(0);
        let text = text.get(..read).unwrap_or_default();
        text.split(|byte| *byte == b'\n')
            .any(|line| line == b"populated 0")
    }

    /// Whether there is no cgroup below it, which only a script that runs as root can make.
    pub(super) fn is_plain(&self) -> bool {
        // The kernel counts a folder's own name, its `.` and each folder in it.
        rustix::fs::fstat(&self.folder).is_ok_and(|stat| stat.st_nlink == 2)
    }

    /// The processes that are in it, or below it where a script could make cgroups of its own.
    pub(super) fn members(&self) -> Vec<Member> {
        let mut folders = vec![self.path.clone()];
        let mut members = Vec::new();
        while let Some(folder) = folders.pop() {
            let pids = || pids_in(&folder);
            // Opened first, then looked up again: what is still there is not another process that
            // has the same number meanwhile.
            let opened: Vec<_> = pids().into_iter().flat_map(Member::open).collect();
            let still: HashSet<Pid> = pids().into_iter().collect();
            members.extend(opened.into_iter().filter(|m| still.contains(&m.pid())));
            folders.extend(folders_in(&folder));
        }
        members
    }

    /// Kills everything in it, also what is forked at this moment.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.was_killed.set(true);
        rustix::io::write(&self.kill, b"1")?;
        Ok(())
    }

    /// Removes it, and what a script made below it. Only an empty one can be removed.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.controls.iter().for_each(Control::remove);
        remove(&self.path)
    }
}

/// The processes in this cgroup.
pub(super) fn pids_in(cgroup: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let pids = text.lines().filter_map(|line| line.parse().ok());
    pids.filter_map(Pid::from_raw).collect()
}

/// The cgroups right below this one.
pub(super) fn folders_in(cgroup: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries
        .filter(is_folder)
        .map(|entry| entry.path())
        .collect()
}

/// With those below it. Only empty ones can be removed.
pub(super) fn remove(cgroup: &Path) -> io::Result<()> {
    for below in folders_in(cgroup) {
        remove(&below)?;
    }
    fs::remove_dir(cgroup)
}
