//! One attempt's folder. It stays the runner's own and serves one attempt after the other; what is in it
//! belongs to the attempt's account and is made anew, unless nobody has touched it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use stagedoor_domain::invocation::PrivateFile;

use super::reuse::{Made, has_only};
use super::secrets::Secrets;
use super::{OPEN_DIR, make_folder};
use crate::account::Account;
use crate::process::hiding::Hiding;

/// What every attempt has.
const OWN: [&str; 2] = ["home", "tmp"];
/// The folder of private files that are not secret.
const FILES: &str = "files";
/// The folder of an attempt's secrets.
pub(super) const CREDENTIALS: &str = "credentials";
/// All that the runner makes in a folder.
const PARTS: [&str; 4] = ["home", "tmp", FILES, CREDENTIALS];

/// A folder, and what is known of it.
pub(super) struct Cell {
    /// The script.
    of: u64,
    name: String,
    top: OwnedFd,
    mode: Mode,
    /// How it is set apart from others.
    pub(super) hiding: Option<Hiding>,
    /// How its home and its folder for temporary files were made, if they are there and empty.
    made: Option<Made>,
    secrets: Option<Secrets>,
}

impl Cell {
    /// An empty folder for this script, with the mode that it keeps.
    pub(super) fn new(of: u64, name: String, top: OwnedFd, mode: Mode) -> io::Result<Self> {
        rustix::fs::fchmod(&top, mode)?;
        Ok(Self {
            of,
            name,
            top,
            mode,
            hiding: None,
            made: None,
            secrets: None,
        })
    }

    pub(super) fn of(&self) -> u64 {
        self.of
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn top(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }

    /// Makes what an attempt of this account needs, at this time of the monotonic clock, and says where
    /// its private files are below the folder. Each part is given away when all is in it, so that
    /// nobody can redirect what is written.
    pub(super) fn fit(
        &mut self,
        account: Option<&Account>,
        private: &[PrivateFile],
        now: Duration,
    ) -> io::Result<BTreeMap<String, PathBuf>> {
        let owner = account.map(|account| (account.uid, account.gid));
        match &mut self.made {
            Some(made) if made.owner() == owner => made.is_used_again(now),
            made => {
                if made.take().is_some() {
                    remove_parts(self.top.as_fd());
                }
                for part in OWN {
                    give(account, &make_folder(&self.top, part)?)?;
                }
            }
        }
        if private.is_empty() {
            if self.made.is_none() {
                // One that cannot be looked at is not used again.
                self.made = Made::now(&self.top, owner, now).ok();
            }
            return Ok(BTreeMap::new());
        }
        self.made = None;
        self.add_files(account, private)
    }

    fn add_files(
        &mut self,
        account: Option<&Account>,
        private: &[PrivateFile],
    ) -> io::Result<BTreeMap<String, PathBuf>> {
        let mut paths = BTreeMap::new();
        let (secret, other): (Vec<_>, Vec<_>) = private.iter().partition(|file| file.secret);
        if !other.is_empty() {
            let dir = make_folder(&self.top, FILES)?;
            for file in other {
                write(&dir, file, account)?;
                paths.insert(file.name.clone(), Path::new(FILES).join(&file.name));
            }
            give(account, &dir)?;
        }
        if !secret.is_empty() {
            let made = self
                .secrets
                .insert(Secrets::new(make_folder(&self.top, CREDENTIALS)?));
            for file in secret {
                write(made.folder(), file, account)?;
                paths.insert(file.name.clone(), Path::new(CREDENTIALS).join(&file.name));
                made.add(&file.name);
            }
            rustix::fs::fchmod(made.folder(), Mode::from_raw_mode(0o500))?;
            give(account, made.folder())?;
        }
        Ok(paths)
    }

    /// Removes what holds secrets.
    pub(super) fn remove_secrets(&mut self) {
        if let Some(secrets) = self.secrets.take() {
            secrets.remove();
        }
    }

    /// Whether it is as it was made.
    pub(super) fn is_untouched(&self, scratch: &OwnedFd) -> bool {
        let made = self.made.as_ref();
        made.is_some_and(|made| made.still_holds(scratch, &self.name, &self.top))
    }

    /// Removes what is empty in it; whether nothing is left.
    pub(super) fn clear(&mut self) -> bool {
        self.remove_secrets();
        self.made = None;
        // An account that does everything may have taken the rights from it.
        let _ = rustix::fs::fchmod(&self.top, self.mode);
        remove_parts(self.top.as_fd());
        has_only(&self.top, ".", 0)
    }

    /// Whether it is still in its place: an account that does everything can move it.
    pub(super) fn stands_in(&self, scratch: &OwnedFd) -> bool {
        let there = rustix::fs::statat(scratch, &*self.name, AtFlags::SYMLINK_NOFOLLOW);
        let own = rustix::fs::fstat(&self.top);
        matches!((there, own), (Ok(there), Ok(own)) if there.st_ino == own.st_ino && there.st_dev == own.st_dev)
    }

    /// Removes an empty one for good.
    pub(super) fn remove_from(self, scratch: &OwnedFd) {
        remove_parts(self.top.as_fd());
        let _ = rustix::fs::unlinkat(scratch, &*self.name, AtFlags::REMOVEDIR);
    }
}

/// Removes the parts that are empty.
pub(super) fn remove_parts(top: BorrowedFd<'_>) {
    for part in PARTS {
        // Fails when it is not empty, or is no folder any more; then the sweeper does it.
        let _ = rustix::fs::unlinkat(top, part, AtFlags::REMOVEDIR);
    }
}

/// The parts that are there, opened.
pub(super) fn parts_of(top: &OwnedFd) -> Vec<OwnedFd> {
    let open = |part: &&str| rustix::fs::openat(top, *part, OPEN_DIR, Mode::empty()).ok();
    PARTS.iter().filter_map(open).collect()
}

fn write(dir: &OwnedFd, file: &PrivateFile, account: Option<&Account>) -> io::Result<()> {
    if matches!(file.name.as_str(), "" | "." | "..") || file.name.contains(['/', '\0']) {
        return Err(io::Error::other(format!(
            "`{}` is not the name of a file",
            file.name
        )));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(dir, &*file.name, flags, Mode::from_raw_mode(0o400))?;
    io::Write::write_all(&mut std::fs::File::from(opened.try_clone()?), &file.content)?;
    give(account, &opened)
}

fn give(account: Option<&Account>, file: &OwnedFd) -> io::Result<()> {
    if let Some(account) = account {
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        rustix::fs::fchown(file, Some(uid), Some(gid))?;
    }
    Ok(())
}
