//! Whether what was opened may be started: what it is, and who else could have changed it.

use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use stagedoor_domain::acl::{self, Writer};
use stagedoor_domain::script::Fingerprint;

use super::{file_error, say};
use crate::process::accounts::Accounts;
use crate::protocol::Refusal;

/// The longest value that the kernel gives an extended attribute.
const LONGEST: usize = 64 << 10;

/// What is looked at, with its path below the folder of scripts.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    /// Empty for the folder of scripts itself.
    Folder(&'a str),
    File(&'a str, &'a str),
}

impl What<'_> {
    /// For a command that mends it.
    fn path(self) -> String {
        match self {
            Self::Folder("") => ".".to_owned(),
            Self::Folder(path) | Self::File("", path) => path.to_owned(),
            Self::File(folder, file) => format!("{folder}/{file}"),
        }
    }
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder("") => write!(f, "the folder of scripts"),
            Self::Folder(_) => write!(f, "the script's folder `{}`", self.path()),
            Self::File(..) => write!(f, "the script's file `{}`", self.path()),
        }
    }
}

/// In the order of what helps most: what it is, whether it changed, who else can change it.
pub(super) fn check_file(
    opened: BorrowedFd<'_>,
    what: What<'_>,
    fingerprint: Option<Fingerprint>,
    interpreted: bool,
    accounts: &Accounts,
) -> Result<(), Refusal> {
    let stat = rustix::fs::fstat(opened).map_err(|errno| Refusal::Folder(file_error(errno)))?;
    check_type(&stat)?;
    if stat.st_mode & 0o7000 != 0 {
        return Err(Refusal::Unsafe(format!(
            "{what} has a setuid, setgid or sticky bit: remove it (chmod u-s,g-s,-t {})",
            what.path()
        )));
    }
    check_writers(opened, what, &stat, accounts)?;
    if attribute(opened, what, "security.capability")?.is_some() {
        return Err(Refusal::Unsafe(format!(
            "{what} has capabilities, which would give it rights that its account has not: remove them (setcap -r {})",
            what.path()
        )));
    }
    if fingerprint.is_some_and(|wanted| wanted != fingerprint_of(&stat)) {
        return Err(Refusal::Changed);
    }
    if !interpreted && stat.st_mode & 0o111 == 0 {
        return Err(Refusal::NotExecutable);
    }
    Ok(())
}

/// A folder on the way to a script.
pub(super) fn check_folder(
    opened: BorrowedFd<'_>,
    path: &str,
    accounts: &Accounts,
) -> Result<(), Refusal> {
    let what = What::Folder(path);
    let stat = rustix::fs::fstat(opened);
    let stat = stat.map_err(|errno| unknown(what, errno))?;
    check_writers(opened, what, &stat, accounts)
}

fn check_type(stat: &Stat) -> Result<(), Refusal> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(Refusal::Unsafe(
            "the script's file is a symbolic link: put the file itself in its place".into(),
        )),
        _ => Err(Refusal::Unsafe(
            "the script's file is not a regular file".into(),
        )),
    }
}

/// Whoever can change a script, or a folder above it, can run as everyone who may start it.
fn check_writers(
    opened: BorrowedFd<'_>,
    what: What<'_>,
    stat: &Stat,
    accounts: &Accounts,
) -> Result<(), Refusal> {
    if stat.st_mode & 0o002 != 0 {
        return Err(Refusal::Unsafe(format!(
            "{what} may be changed by every account of the machine: run chmod o-w {}",
            what.path()
        )));
    }
    let mut strangers = accounts.strangers();
    if let Some((name, account)) = strangers.find(|(_, account)| account.can_change(stat)) {
        return Err(Refusal::Unsafe(format!(
            "{what} may be changed by the account `{name}` (uid {}), as which scripts run: give it another owner and group, and no write bit for them",
            account.uid
        )));
    }
    match named_writer(opened, what, stat)? {
        Some(writer) => Err(Refusal::Unsafe(format!(
            "{what} may be changed by {writer}, which its access control list names: remove the list (setfacl -b {})",
            what.path()
        ))),
        None => Ok(()),
    }
}

/// Where a list lets somebody write, the mode has that bit for the group: it is the list's mask.
fn named_writer(
    opened: BorrowedFd<'_>,
    what: What<'_>,
    stat: &Stat,
) -> Result<Option<Writer>, Refusal> {
    if stat.st_mode & 0o020 == 0 {
        return Ok(None);
    }
    let list = attribute(opened, what, acl::ATTRIBUTE)?;
    Ok(list.and_then(|list| acl::writer(&list, stat.st_uid)))
}

/// An extended attribute; none where there is none, or the file system has none at all. What was
/// opened as a path only is looked at by its name in `/proc`, which leads to the very same file.
fn attribute(
    opened: BorrowedFd<'_>,
    what: What<'_>,
    name: &str,
) -> Result<Option<Vec<u8>>, Refusal> {
    let path = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let read = || -> Result<Vec<u8>, Errno> {
        // Most files have none, and only that is asked first.
        rustix::fs::getxattr_query(&*path, name)?;
        let mut value = vec![0; LONGEST];
        let length = rustix::fs::getxattr(&*path, name, &mut value[..])?;
        value.truncate(length);
        Ok(value)
    };
    match read() {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(unknown(what, errno)),
    }
}

fn unknown(what: What<'_>, errno: Errno) -> Refusal {
    Refusal::Folder(format!("{what} cannot be looked at: {}", say(errno)))
}

fn fingerprint_of(stat: &Stat) -> Fingerprint {
    let nanos = |seconds: i128, nanos: i128| seconds * 1_000_000_000 + nanos;
    Fingerprint {
        dev: stat.st_dev,
        ino: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime_ns: nanos(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
        ctime_ns: nanos(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
    }
}
