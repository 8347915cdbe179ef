//! A cgroup for each attempt, where this process may make some: nothing that a script starts can
//! leave it, so its tree is exactly what is in there.
//!
//! They are made below the runner's own cgroup and used again: making and removing one costs several
//! times as much as joining it.

mod kinds;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use self::kinds::{Where, below_mount};
use super::cgroup::controls::Kind;
use super::cgroup::{Cgroup, folders_in, pids_in, remove};
use super::launch;

/// Cgroups that are kept for the next start.
const MOST_KEPT: usize = 64;
/// How long what an earlier runner left behind may take to be gone after it was killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What becomes of the processes that share the runner's cgroup, where they are in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// They go one step down, if the cgroup is ours.
    Moved,
    /// They stay, and less can be bounded.
    Left,
}

/// All cgroups of this runner.
pub(super) struct Cgroups {
    /// Ours alone; everything is below it.
    base: PathBuf,
    /// What can be bounded in them.
    kinds: Vec<(Kind, Where)>,
    free: Vec<Cgroup>,
    /// Given back while something in them may still be dying.
    dying: Vec<Cgroup>,
    made: u64,
}

impl Cgroups {
    /// Begins below the runner's own cgroup, under a name that the next runner of `socket` finds
    /// again: what is still in there was left by a runner that was killed, and is ended.
    ///
    /// None where this process may not make cgroups.
    pub(super) fn open(socket: &Path, others: Others) -> Option<Self> {
        let own = own_cgroup()?;
        let base = own.join(format!("stagedoor-{:016x}", hash(socket)));
        match fs::create_dir(&base) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => end_what_was_left(&base),
            made => made.ok()?,
        }
        let mut cgroups = Self {
            kinds: kinds::open(&own, &base, others),
            base,
            free: Vec::new(),
            dying: Vec::new(),
            made: 0,
        };
        // Whether one can be made and used shows only in trying.
        let first = cgroups.take(None).ok()?;
        let can_begin = launch::can_begin_in(first.folder());
        cgroups.give_back(first);
        can_begin.is_ok_and(|can| can).then_some(cgroups)
    }

    /// One that is empty, with room for this much memory if it is to be bound.
    pub(super) fn take(&mut self, memory: Option<u64>) -> io::Result<Cgroup> {
        if let Some(cgroup) = self.free_one(memory) {
            return Ok(cgroup);
        }
        let (over, dying) = self.dying.drain(..).partition(Cgroup::is_empty);
        self.dying = dying;
        let over: Vec<Cgroup> = over;
        for cgroup in over {
            self.give_back(cgroup);
        }
        if let Some(cgroup) = self.free_one(memory) {
            return Ok(cgroup);
        }
        loop {
            self.made += 1;
            match Cgroup::make(&self.base.join((self.made - 1).to_string())) {
                // What an earlier runner left in it would not end.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return self.with_controls(made?),
            }
        }
    }

    /// What an attempt has left in memory is charged to its cgroup, and would be to whoever came next in it.
    fn free_one(&mut self, memory: Option<u64>) -> Option<Cgroup> {
        while let Some(cgroup) = self.free.pop() {
            if cgroup.has_room(memory) {
                return Some(cgroup);
            }
            discard(&cgroup);
        }
        None
    }

    fn with_controls(&self, mut cgroup: Cgroup) -> io::Result<Cgroup> {
        for (kind, place) in &self.kinds {
            let apart = match place {
                Where::Unified => None,
                Where::Apart(base) => Some(&**base),
            };
            cgroup.add_control(*kind, apart).inspect_err(|_| {
                // It is empty, and it cannot hold what it should.
                let _ = cgroup.remove();
            })?;
        }
        Ok(cgroup)
    }

    /// Whether a process is in one of them.
    pub(super) fn holds(&self, pid: Pid) -> bool {
        let name = self.base.file_name().and_then(OsStr::to_str);
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.strip_prefix("0::"));
        name.is_some_and(|name| {
            lines
                .flat_map(|path| path.split('/'))
                .any(|part| part == name)
        })
    }

    /// The attempt in it did not come about. Something in it may still be dying.
    pub(super) fn give_up(&mut self, cgroup: Cgroup) {
        // Nothing is in one that somebody has removed, and the kernel does not say so of it.
        if cgroup.is_whole() {
            self.dying.push(cgroup);
        } else {
            let _ = cgroup.remove();
        }
    }

    /// The attempt in it is over, and it is empty. Whatever is not as it was made is not used again.
    pub(super) fn give_back(&mut self, cgroup: Cgroup) {
        let is_as_new = !cgroup.was_killed() && cgroup.is_plain();
        if is_as_new && self.free.len() < MOST_KEPT {
            return self.free.push(cgroup);
        }
        discard(&cgroup);
    }
}

fn discard(cgroup: &Cgroup) {
    if let Err(error) = cgroup.remove() {
        let path = cgroup.path().display();
        super::log::warn(format_args!(
            "the cgroup {path} could not be removed: {error}"
        ));
    }
}

fn end_what_was_left(base: &Path) {
    let stale = folders_in(base);
    let left: usize = stale.iter().map(|path| pids_in(path).len()).sum();
    for path in &stale {
        // It may have gone meanwhile, which is what this is for.
        let _ = fs::write(path.join("cgroup.kill"), "1");
    }
    let mut waited = Duration::ZERO;
    while waited < PATIENCE
        && stale
            .iter()
            .any(|path| remove(path).is_err() && path.exists())
    {
        let step = Duration::from_millis(2);
        std::thread::sleep(step);
        waited += step;
    }
    if left > 0 {
        super::log::log(format_args!(
            "ended {left} processes that an earlier runner, which was killed, had left"
        ));
    }
}

/// They are empty when the runner ends by itself.
impl Drop for Cgroups {
    fn drop(&mut self) {
        for cgroup in self.free.iter().chain(&self.dying) {
            let _ = cgroup.remove();
        }
        let _ = fs::remove_dir(&self.base);
        kinds::close(&self.kinds);
    }
}

/// The folder of this process's cgroup in the second hierarchy.
fn own_cgroup() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    let own = mounts
        .split(|byte| *byte == b'\n')
        .find_map(|line| below_mount(line, own, "cgroup2", None))?;
    // Where an earlier start has moved this process to.
    let moved = own.file_name() == Some(OsStr::new(kinds::MAIN));
    own.parent()
        .filter(|_| moved)
        .map(Path::to_owned)
        .or(Some(own))
}

/// FNV-1a: a name that two sockets hardly share, and that tells neither.
fn hash(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_found_below_the_mount_of_the_second_hierarchy() {
        let line = b"42 32 0:29 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(
            below_mount(line, "/system.slice/x.service", "cgroup2", None),
            Some("/sys/fs/cgroup/unified/system.slice/x.service".into())
        );
        let inner = b"42 32 0:29 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw";
        assert_eq!(
            below_mount(inner, "/docker/1/y", "cgroup2", None),
            Some("/sys/fs/cgroup/y".into())
        );
        assert_eq!(below_mount(inner, "/elsewhere", "cgroup2", None), None);
        let first = b"43 32 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids";
        assert_eq!(below_mount(first, "/", "cgroup2", None), None);
        let pids = Some(PathBuf::from("/sys/fs/cgroup/pids/x"));
        assert_eq!(below_mount(first, "/x", "cgroup", Some("pids")), pids);
        assert_eq!(below_mount(first, "/x", "cgroup", Some("memory")), None);
    }
}
