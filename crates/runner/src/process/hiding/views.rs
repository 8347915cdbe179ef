//! A mount namespace for each folder: empty file systems lie over what is hidden, and the one folder
//! stands at its place again.
//!
//! Each is entered by one attempt after the other. What the system unmounts later is unmounted in all of
//! them; after a change of its mounts each is made anew for the next attempt.

use std::cell::Cell;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::WaitOptions;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::process::settings::RunnerArgs;
use crate::process::{launch, low};

/// An empty file system: it holds the few folders that lead to what shows through.
const LITTLE: &std::ffi::CStr = c"size=64k,nr_inodes=32,mode=711";
const BARE: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// A namespace, and the state of this process's mounts when it was made.
pub(in crate::process) struct View {
    namespace: Rc<OwnedFd>,
    made: Made,
}

/// How often the mounts had changed, and which files were covered.
type Made = (u64, Vec<Option<(u64, u64)>>);

impl View {
    pub(super) fn namespace(&self) -> &Rc<OwnedFd> {
        &self.namespace
    }
}

/// Makes views.
pub(super) struct Views {
    /// The namespace of this process.
    own: OwnedFd,
    /// Its mounts, which tell when they change.
    mounts: OwnedFd,
    /// How often they have.
    changes: Cell<u64>,
    scratch: PathBuf,
    /// Folders that are covered.
    covered: Vec<CString>,
    /// Files that are.
    files: Vec<PathBuf>,
}

impl Views {
    /// Tries whether a view can be made, and left again.
    pub(super) fn open(state: &Path, args: &RunnerArgs) -> io::Result<Self> {
        let scratch = &*args.scratch;
        let outer = [state, scratch]
            .into_iter()
            .filter(|path| *path == state || !path.starts_with(state));
        let covered = outer
            .map(|path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from))
            .collect::<io::Result<_>>()?;
        let views = Self {
            own: own_namespace()?,
            mounts: rustix::fs::open(c"/proc/self/mountinfo", READ, Mode::empty())?,
            changes: Cell::new(0),
            scratch: scratch.to_owned(),
            covered,
            files: args.hidden.clone(),
        };
        views.try_out()?;
        Ok(views)
    }

    /// In another process, because one that could not come back would be lost.
    fn try_out(&self) -> io::Result<()> {
        let folder = rustix::fs::open(&self.scratch, FOLDER, Mode::empty())?;
        let root = || rustix::fs::stat("/").map(|stat| (stat.st_dev, stat.st_ino));
        let child = launch::start_worker(&folder, |folder| {
            let own = own_namespace()?;
            let before = root()?;
            self.make(open_tree(folder, c"", CLONE)?, "tried")?;
            move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Mount))?;
            // One that began in another root cannot come back to it.
            if root()? == before {
                return Ok(());
            }
            Err(io::Error::from(Errno::XDEV))
        })?;
        let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        match ended.and_then(|(_, status)| status.exit_status()) {
            Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Err(io::Error::other("the process that tried was killed")),
        }
    }

    /// Whether nothing was mounted or unmounted since. What is shared between namespaces changes in all,
    /// but not every system shares what it mounts.
    pub(super) fn is_current(&self, view: &View) -> bool {
        let mut asked = [PollFd::new(&self.mounts, PollFlags::PRI)];
        let changed = poll(&mut asked, Some(&Timespec::default())).is_ok_and(|many| many > 0);
        if changed {
            self.changes.set(self.changes.get() + 1);
        }
        view.made == self.now()
    }

    /// A file that was replaced, as editors do, is not covered any more.
    fn now(&self) -> Made {
        let place = |file: &PathBuf| {
            rustix::fs::stat(file)
                .ok()
                .map(|stat| (stat.st_dev, stat.st_ino))
        };
        (self.changes.get(), self.files.iter().map(place).collect())
    }

    /// A view in which this folder stands alone in its place.
    pub(super) fn around(&self, top: BorrowedFd<'_>, name: &str) -> io::Result<View> {
        // Taken before the namespace is left that it belongs to.
        let tree = open_tree(top, c"", CLONE)?;
        let made = self.now();
        let namespace = self.make(tree, name);
        let back = move_into_link_name_space(self.own.as_fd(), Some(LinkNameSpaceType::Mount));
        if let Err(errno) = back {
            // Everything that this process opens by its path would be another file.
            crate::process::log::warn(format_args!(
                "the runner could not return to its own view: {errno}"
            ));
            std::process::abort();
        }
        let view = |namespace| View {
            namespace: Rc::new(low::raise(namespace)),
            made,
        };
        namespace.map(view)
    }

    /// What is mounted below a covered folder, or is one, is not held by a view: it could not be unmounted
    /// while a script goes on.
    fn let_go(&self) {
        let covered = |point: &PathBuf| {
            let covers = |folder: &CString| point.starts_with(OsStr::from_bytes(folder.to_bytes()));
            self.covered.iter().any(covers)
        };
        for point in mount_points().iter().filter(|point| covered(point)) {
            // It may have gone with another one.
            let _ = unmount(point, UnmountFlags::DETACH);
        }
    }

    /// Leaves this process in the view.
    fn make(&self, tree: OwnedFd, name: &str) -> io::Result<OwnedFd> {
        // SAFETY: only the table of mounts is unshared.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
        let from_above = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        mount_change(c"/", from_above)?;
        self.let_go();
        for file in &self.files {
            cover_file(file)?;
        }
        for path in &self.covered {
            mount(c"none", path, c"tmpfs", BARE, LITTLE)?;
        }
        let place = self.scratch.join(name);
        make_way(&place)?;
        move_mount(
            tree,
            c"",
            CWD,
            &place,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )?;
        // What is mounted in it here is not for the machine.
        mount_change(&place, from_above)?;
        for path in &self.covered {
            rustix::mount::mount_remount(path, BARE | MountFlags::RDONLY, LITTLE)?;
        }
        own_namespace()
    }
}

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::PATH);

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

const CLONE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE
    .union(OpenTreeFlags::OPEN_TREE_CLOEXEC)
    .union(OpenTreeFlags::AT_EMPTY_PATH);

fn own_namespace() -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(
        c"/proc/self/ns/mnt",
        flags,
        Mode::empty(),
    )?)
}

/// The mount points of this process. One with an odd byte in its name is written otherwise, and not found.
fn mount_points() -> Vec<PathBuf> {
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let point = |line: &[u8]| {
        let point = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsStr::from_bytes(point)))
    };
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(point)
        .collect()
}

/// Puts the device that holds nothing in its place.
fn cover_file(file: &Path) -> io::Result<()> {
    let nothing = open_tree(CWD, c"/dev/null", CLONE)?;
    match move_mount(
        nothing,
        c"",
        CWD,
        file,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    ) {
        // One that is not there has nothing to hide.
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Folders that everybody may pass; the umask takes that away from a mode.
fn make_way(place: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = place
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        rustix::fs::mkdir(folder, Mode::RWXU)?;
        rustix::fs::chmod(folder, Mode::from_raw_mode(0o711))?;
    }
    Ok(())
}
