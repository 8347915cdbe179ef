//! What an attempt has for itself on disk: home, temporary files, private files, credentials.

mod reuse;
mod secrets;

use std::collections::{BTreeMap, HashMap};
use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Uid};
use rustix::process::Pid;
use stagedoor_domain::id::RunId;
use stagedoor_domain::invocation::PrivateFile;

use self::reuse::Reuse;
use self::secrets::Secrets;
use super::{launch, sweep};
use crate::account::Account;

/// The folder below which every attempt has its own.
pub(super) struct Scratch {
    dir: OwnedFd,
    path: PathBuf,
    reuse: Reuse,
    /// By the name of the attempt's folder.
    secrets: HashMap<String, Secrets>,
    /// Numbers the folders.
    next: u64,
}

/// One attempt's folder.
pub(super) struct Places {
    name: String,
    path: PathBuf,
    /// Each private file with its path below the folder.
    files: BTreeMap<String, PathBuf>,
}

impl Places {
    /// The folder's name, by which it is removed.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn below(&self, part: impl AsRef<Path>) -> Vec<u8> {
        self.path.join(part).into_os_string().as_bytes().to_vec()
    }

    /// `HOME`.
    pub(super) fn home(&self) -> Vec<u8> {
        self.below("home")
    }

    /// `TMPDIR`.
    pub(super) fn tmp(&self) -> Vec<u8> {
        self.below("tmp")
    }

    /// `CREDENTIALS_DIRECTORY`.
    pub(super) fn credentials(&self) -> Vec<u8> {
        self.below(CREDENTIALS)
    }

    /// The path of a private file.
    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.files.get(name).map(|path| self.below(path))
    }
}

/// What the name of every attempt's folder begins with.
const PREFIX: &str = "attempt-";
/// The folder of an attempt's secrets.
const CREDENTIALS: &str = "credentials";

const OPEN_DIR: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::RDONLY);

impl Scratch {
    /// Makes the folder if it is not there. As root, what is made can be entered, not listed, by the
    /// scripts' account, which must be able to enter every folder above it, too.
    pub(super) fn open<'a>(
        path: &Path,
        accounts: impl Iterator<Item = &'a Account>,
    ) -> io::Result<Self> {
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
            reuse: Reuse::default(),
            secrets: HashMap::new(),
            next: 0,
        })
    }

    /// An attempt's folder with its private files, at this time of the monotonic clock. The folder is given to the account only when all
    /// is in it, so that nobody can redirect what is written here.
    pub(super) fn make(
        &mut self,
        owner: Option<&Account>,
        private: &[PrivateFile],
        now: Duration,
    ) -> io::Result<Places> {
        let uid = owner.map(|account| account.uid);
        let kept = private
            .is_empty()
            .then(|| self.reuse.take(uid, now))
            .flatten();
        if let Some(name) = kept {
            return Ok(self.places(name));
        }
        let (name, top) = self.make_top()?;
        let mut places = self.places(name);
        let filled = fill(owner, &top, &mut places, private);
        match filled {
            Ok(Some(secrets)) => {
                self.secrets.insert(places.name.clone(), secrets);
            }
            Ok(None) if private.is_empty() => {
                self.reuse.made(uid, &self.dir, &places.name, now);
            }
            Ok(None) => {}
            Err(error) => {
                // It was not given away yet, so only the runner wrote in it.
                let _ = std::fs::remove_dir_all(&places.path);
                return Err(error);
            }
        }
        Ok(places)
    }

    fn places(&self, name: String) -> Places {
        Places {
            path: self.path.join(&name),
            name,
            files: BTreeMap::new(),
        }
    }

    /// A new folder. What an earlier runner left may have any number until it is swept away.
    fn make_top(&mut self) -> io::Result<(String, OwnedFd)> {
        loop {
            let name = format!("{PREFIX}{}", self.next);
            self.next += 1;
            match make_folder(&self.dir, &name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|top| (name, top)),
            }
        }
    }

    /// Removes what holds the secrets of an attempt that has no process any more.
    pub(super) fn remove_secrets(&mut self, name: &str) {
        if let Some(secrets) = self.secrets.remove(name) {
            secrets.remove();
        }
    }

    /// Removes an attempt's folder, or keeps it for the next one if it is as it was made. What a script left in it is removed by a process of the
    /// script's account, whose end is to be reported to [`Scratch::swept`].
    pub(super) fn remove(&mut self, name: &str) -> io::Result<Option<Pid>> {
        if self.reuse.keep(&self.dir, name) {
            return Ok(None);
        }
        self.remove_secrets(name);
        self.clear(name)
    }

    fn clear(&self, name: &str) -> io::Result<Option<Pid>> {
        for part in ["home", "tmp", CREDENTIALS] {
            // Fails when it is not empty, or is no folder any more; then the sweeper does it.
            let _ = rustix::fs::unlinkat(&self.dir, format!("{name}/{part}"), AtFlags::REMOVEDIR);
        }
        match rustix::fs::unlinkat(&self.dir, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(_) => self.sweep(name),
        }
    }

    fn sweep(&self, name: &str) -> io::Result<Option<Pid>> {
        let top = rustix::fs::openat(&self.dir, name, OPEN_DIR, Mode::empty())?;
        let owner = rustix::fs::fstat(&top)?.st_uid;
        let is_own = rustix::process::geteuid().as_raw() == owner;
        let sweeper = launch::start_worker(&top, |top| {
            // Whoever was given it, an account of an earlier runner, too.
            let assumed = (!is_own).then(|| Account::alone(owner).assume());
            let assumed = assumed.unwrap_or(Ok(()));
            // What cannot be removed is tried again when the next runner starts.
            let _ = assumed.and_then(|()| sweep::empty(top));
        })?;
        Ok(Some(sweeper))
    }

    /// The sweeper of this folder has ended: removes what is left of it, the folder itself.
    pub(super) fn swept(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.dir, name, AtFlags::REMOVEDIR)?)
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
        let names: Vec<String> = self.reuse.drain().collect();
        for name in names {
            let _ = self.clear(&name);
        }
    }
}

/// Makes what is in the folder, gives it away, and says where its secrets are.
fn fill(
    owner: Option<&Account>,
    top: &OwnedFd,
    places: &mut Places,
    private: &[PrivateFile],
) -> io::Result<Option<Secrets>> {
    for name in ["home", "tmp"] {
        give(owner, &make_folder(top, name)?)?;
    }
    let (secret, other): (Vec<_>, Vec<_>) = private.iter().partition(|file| file.secret);
    if !other.is_empty() {
        let dir = make_folder(top, "files")?;
        for file in other {
            write(owner, &dir, "files", file, places)?;
        }
        give(owner, &dir)?;
    }
    let mut secrets = None;
    if !secret.is_empty() {
        let made = secrets.insert(Secrets::new(make_folder(top, CREDENTIALS)?));
        for file in secret {
            write(owner, made.folder(), CREDENTIALS, file, places)?;
            made.add(&file.name);
        }
        rustix::fs::fchmod(made.folder(), Mode::from_raw_mode(0o500))?;
        give(owner, made.folder())?;
    }
    give(owner, top)?;
    Ok(secrets)
}

fn write(
    owner: Option<&Account>,
    dir: &OwnedFd,
    folder: &str,
    file: &PrivateFile,
    places: &mut Places,
) -> io::Result<()> {
    if matches!(file.name.as_str(), "" | "." | "..") || file.name.contains(['/', '\0']) {
        return Err(io::Error::other(format!(
            "`{}` is not the name of a file",
            file.name
        )));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(dir, &*file.name, flags, Mode::from_raw_mode(0o400))?;
    io::Write::write_all(&mut std::fs::File::from(opened.try_clone()?), &file.content)?;
    give(owner, &opened)?;
    let path = Path::new(folder).join(&file.name);
    places.files.insert(file.name.clone(), path);
    Ok(())
}

fn give(owner: Option<&Account>, file: &OwnedFd) -> io::Result<()> {
    if let Some(account) = owner {
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        rustix::fs::fchown(file, Some(uid), Some(gid))?;
    }
    Ok(())
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
