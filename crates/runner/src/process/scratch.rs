//! What an attempt has for itself on disk: home, temporary files, private files, credentials.

mod cell;
mod places;
mod reuse;
mod secrets;

use std::collections::HashMap;
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::process::Pid;
use stagedoor_domain::id::RunId;
use stagedoor_domain::invocation::PrivateFile;

use self::cell::Cell;
pub(super) use self::places::Places;
use super::hiding::{Cover, Hiding};
use super::log::warn;
use super::settings::RunnerArgs;
use super::{launch, low, sweep};
use crate::account::Account;

/// The folder below which every attempt has its own.
pub(super) struct Scratch {
    dir: OwnedFd,
    path: PathBuf,
    /// Of the attempts' folders.
    mode: Mode,
    cover: Cover,
    /// By name: what an attempt has, or its sweeper.
    used: HashMap<String, Cell>,
    free: Vec<Cell>,
    /// Numbers the folders.
    next: u64,
}

/// What the name of every attempt's folder begins with.
const PREFIX: &str = "attempt-";
/// Folders that are kept for later attempts.
const MOST_KEPT: usize = 64;

const OPEN_DIR: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::RDONLY);

impl Scratch {
    /// Makes the folder if it is not there. As root, what is made can be entered, not listed, by the
    /// scripts' account, which must be able to enter every folder above it, too.
    pub(super) fn open<'a>(
        args: &RunnerArgs,
        accounts: impl Iterator<Item = &'a Account>,
    ) -> io::Result<Self> {
        let path = &*args.scratch;
        let mut accounts = accounts.peekable();
        let mode = if accounts.peek().is_some() {
            0o711
        } else {
            0o700
        };
        let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
        std::fs::create_dir_all(path)?;
        for made in missing {
            std::fs::set_permissions(made, Permissions::from_mode(mode))?;
        }
        let dir = rustix::fs::open(path, OPEN_DIR, Mode::empty())?;
        check_owner(&rustix::fs::fstat(&dir)?)?;
        for account in accounts {
            for above in path.ancestors() {
                check_entry(account, above)?;
            }
        }
        Ok(Self {
            dir,
            path: path.to_owned(),
            mode: Mode::from_raw_mode(mode),
            cover: Cover::open(args),
            used: HashMap::new(),
            free: Vec::new(),
            next: 0,
        })
    }

    /// An attempt's folder with its private files, at this time of the monotonic clock. What is in it is
    /// the owner's; none is the runner's own account.
    ///
    /// A folder serves one script alone, which is what `of` stands for: who keeps a descriptor of it, and
    /// hands that on, sees nothing of another one.
    pub(super) fn make(
        &mut self,
        of: u64,
        owner: Option<&Account>,
        private: &[PrivateFile],
        now: Duration,
    ) -> io::Result<Places> {
        let mut cell = self.take(of)?;
        let path = self.path.join(cell.name());
        self.set_apart(&mut cell);
        match cell.fit(owner, private, now) {
            Ok(files) => {
                let name = cell.name().to_owned();
                self.used.insert(name.clone(), cell);
                Ok(Places { name, path, files })
            }
            Err(error) => {
                self.give_back(cell);
                Err(error)
            }
        }
    }

    /// How the folder of this attempt is set apart from the others, or why it is not.
    pub(super) fn hiding(&self, name: &str) -> Result<&Hiding, String> {
        let hiding = self.used.get(name).and_then(|cell| cell.hiding.as_ref());
        hiding.ok_or_else(|| {
            let lacks = self.cover.lacks();
            lacks
                .unwrap_or("the system has no room for it now")
                .to_owned()
        })
    }

    /// One of this script that is free, the last one first, or a new one. What an earlier runner left may
    /// have any number until it is swept away.
    fn take(&mut self, of: u64) -> io::Result<Cell> {
        if let Some(place) = self.free.iter().rposition(|cell| cell.of() == of) {
            return Ok(self.free.remove(place));
        }
        loop {
            let name = format!("{PREFIX}{}", self.next);
            self.next += 1;
            match make_folder(&self.dir, &name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                top => return Cell::new(of, name, low::raise(top?), self.mode),
            }
        }
    }

    /// No view is used again that holds what may be unmounted now. Those of scripts that go on are kept by
    /// their processes.
    pub(super) fn mounts_changed(&mut self) {
        for cell in self.free.iter_mut().chain(self.used.values_mut()) {
            cell.hiding = None;
        }
    }

    /// One that cannot be set apart now, because the system has too many mounts, is used as it is.
    fn set_apart(&mut self, cell: &mut Cell) {
        match &cell.hiding {
            Some(hiding) if self.cover.is_current(hiding) => return,
            // Views of others may still hold what was unmounted since.
            Some(_) => self.free.iter_mut().for_each(|free| free.hiding = None),
            None => {}
        }
        let made = self.cover.around(cell.top(), cell.name());
        cell.hiding = made.unwrap_or_else(|error| {
            warn(format_args!(
                "a run cannot be set apart from others: {error}"
            ));
            None
        });
    }

    /// Removes what holds the secrets of an attempt that has no process any more.
    pub(super) fn remove_secrets(&mut self, name: &str) {
        if let Some(cell) = self.used.get_mut(name) {
            cell.remove_secrets();
        }
    }

    /// Lets go of an attempt's folder, which serves another one when it is empty again. What a script
    /// left in it is removed by a process of the script's account, whose end is to be reported to
    /// [`Scratch::swept`].
    pub(super) fn remove(&mut self, name: &str) -> io::Result<Option<Pid>> {
        let Some(mut cell) = self.used.remove(name) else {
            return self.remove_stale(name);
        };
        if cell.is_untouched(&self.dir) || cell.clear() {
            self.keep(cell);
            return Ok(None);
        }
        let sweeper = Self::sweep(cell.top())?;
        self.used.insert(name.to_owned(), cell);
        Ok(Some(sweeper))
    }

    /// For the next attempt of its script, if it stands where it was made. The one that was not needed for
    /// longest makes room.
    fn keep(&mut self, cell: Cell) {
        if !cell.stands_in(&self.dir) {
            return cell.remove_from(&self.dir);
        }
        self.free.push(cell);
        if self.free.len() > MOST_KEPT {
            self.free.remove(0).remove_from(&self.dir);
        }
    }

    /// No script was in it since it was taken. What cannot be cleared is left to the next runner.
    fn give_back(&mut self, mut cell: Cell) {
        if cell.clear() {
            self.keep(cell);
        }
    }

    /// One that an earlier runner left.
    fn remove_stale(&self, name: &str) -> io::Result<Option<Pid>> {
        match rustix::fs::openat(&self.dir, name, OPEN_DIR, Mode::empty()) {
            Ok(top) => Self::sweep(top.as_fd()).map(Some),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The folders in it are opened with the runner's rights, and emptied with those of their owner.
    fn sweep(top: BorrowedFd<'_>) -> io::Result<Pid> {
        let top = top.try_clone_to_owned()?;
        launch::start_worker(&top, |top| {
            let parts = cell::parts_of(top);
            let owner = |folder: &OwnedFd| Ok(rustix::fs::fstat(folder)?.st_uid);
            let own = rustix::process::geteuid().as_raw();
            // An earlier runner gave the folder itself away.
            let owners: Vec<u32> = parts
                .iter()
                .chain([top])
                .map(owner)
                .collect::<io::Result<_>>()?;
            if let Some(other) = owners.into_iter().find(|owner| *owner != own) {
                Account::alone(other).assume()?;
            }
            for part in parts {
                let _ = rustix::fs::fchmod(&part, Mode::RWXU).map(|()| sweep::empty(&part));
            }
            // What cannot be removed is tried again when the next runner starts.
            let _ = sweep::empty(top);
            Ok(())
        })
    }

    /// The sweeper of this folder has ended.
    pub(super) fn swept(&mut self, name: &str) -> io::Result<()> {
        let Some(mut cell) = self.used.remove(name) else {
            let top = rustix::fs::openat(&self.dir, name, OPEN_DIR, Mode::empty())?;
            cell::remove_parts(top.as_fd());
            return Ok(rustix::fs::unlinkat(&self.dir, name, AtFlags::REMOVEDIR)?);
        };
        if cell.clear() {
            self.keep(cell);
            return Ok(());
        }
        Err(rustix::io::Errno::NOTEMPTY.into())
    }

    /// The folders of attempts that an earlier runner left behind.
    pub(super) fn stale(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            // Whatever else lies here is not ours.
            if is_attempts(&name) {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }
}

/// Folders that are kept are empty, so nothing has to be swept.
impl Drop for Scratch {
    fn drop(&mut self) {
        for cell in self.free.drain(..) {
            cell.remove_from(&self.dir);
        }
    }
}

/// Whether a folder of this name was an attempt's, of this or of an earlier version.
fn is_attempts(name: &str) -> bool {
    let number = name.strip_prefix(PREFIX);
    let (run, epoch) = name.split_once('.').unwrap_or_default();
    number.is_some_and(|number| number.parse::<u64>().is_ok())
        || (RunId::parse(run).is_some() && epoch.parse::<u32>().is_ok())
}

fn make_folder(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
    Ok(rustix::fs::openat(parent, name, OPEN_DIR, Mode::empty())?)
}

/// Whoever else could write there could redirect what is written.
fn check_owner(stat: &Stat) -> io::Result<()> {
    if stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::other(
        "it belongs to another account, or others may write in it",
    ))
}

fn check_entry(account: &Account, folder: &Path) -> io::Result<()> {
    if account.can_enter(&rustix::fs::stat(folder)?) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the account that scripts run as (uid {}) cannot enter {}",
        account.uid,
        folder.display()
    )))
}
