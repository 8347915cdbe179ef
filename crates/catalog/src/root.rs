//! The opened folder that is served, and how files below it are reached.
//!
//! Everything is opened step by step from this one descriptor and no symbolic link is followed:
//! nothing outside can be reached, and the folders above need not be searchable for this account.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use stagedoor_domain::script::Fingerprint;

use crate::machine::{FileFacts, Machine, NoFile, Program};
use crate::reach::closed_folder;
use crate::trust::Marks;

/// How often a file that changes while it is read is read again.
const ATTEMPTS: u32 = 3;
/// What of a file is read to judge how it starts.
const START: usize = 256;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
// Without NONBLOCK, opening a FIFO would wait for a writer.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

const PATH: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The folder that is served.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
}

/// The begin of a file, read in one piece.
#[derive(Debug)]
pub(crate) struct Content {
    pub facts: FileFacts,
    pub bytes: Vec<u8>,
    /// The file is longer than what was read.
    pub truncated: bool,
}

/// What a name in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    File,
    Folder,
    Link,
    Other,
}

impl Root {
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// A folder by its path relative to the root; empty for the root itself.
    pub fn folder(&self, path: &str) -> Result<OwnedFd, NoFile> {
        let here = c".";
        let start = openat(&self.fd, here, FOLDER, Mode::empty()).map_err(no_file)?;
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(start, |folder, part| {
                openat(&folder, part, FOLDER, Mode::empty()).map_err(no_file)
            })
    }

    /// The names in a folder with what they are; names that are not UTF-8 cannot be published.
    pub fn list(folder: &OwnedFd) -> Result<Vec<(String, Sort)>, Errno> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            let mut file_type = entry.file_type();
            if file_type == FileType::Unknown {
                file_type = type_of(folder.as_fd(), entry.file_name());
            }
            names.push((name.to_owned(), sort(file_type)));
        }
        names.sort();
        Ok(names)
    }

    /// Mode and fingerprint of a name in an opened folder, without opening it.
    pub fn look(folder: &OwnedFd, name: &str) -> Result<(u32, Fingerprint), NoFile> {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(no_file)?;
        regular(&stat)?;
        Ok((mode(&stat), fingerprint(&stat)))
    }

    /// The first `most` bytes of a file and the facts of the very file that they were read from.
    pub fn read(folder: &OwnedFd, name: &str, most: usize) -> Result<Content, NoFile> {
        let file = openat(folder, name, FILE, Mode::empty()).map_err(no_file)?;
        for _ in 0..ATTEMPTS {
            let before = fstat(&file).map_err(no_file)?;
            regular(&before)?;
            let mut bytes = pread_up_to(&file, most + 1).map_err(no_file)?;
            let after = fstat(&file).map_err(no_file)?;
            if fingerprint(&before) != fingerprint(&after) {
                continue;
            }
            let truncated = bytes.len() > most;
            bytes.truncate(most);
            let head = bytes.get(..START).unwrap_or(&bytes).to_vec();
            let facts = FileFacts {
                mode: mode(&after),
                marks: Marks::of(file.as_fd(), &after),
                fingerprint: fingerprint(&after),
                head: Some(head),
            };
            return Ok(Content {
                facts,
                bytes,
                truncated,
            });
        }
        // Still being written: who is told of the end of the writing reads it again.
        Err(NoFile::Io(Errno::AGAIN))
    }

    /// The facts of a file by its path relative to the root.
    fn facts(&self, path: &str) -> Result<FileFacts, NoFile> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder(folder)?;
        match Self::read(&folder, name, START) {
            Ok(content) => Ok(content.facts),
            // The file can be started by an account that may read it, though this one may not.
            Err(NoFile::Io(Errno::ACCESS | Errno::PERM)) => {
                let file = openat(&folder, name, PATH, Mode::empty()).map_err(no_file)?;
                let stat = fstat(&file).map_err(no_file)?;
                regular(&stat)?;
                Ok(FileFacts {
                    mode: mode(&stat),
                    marks: Marks::of(file.as_fd(), &stat),
                    fingerprint: fingerprint(&stat),
                    head: None,
                })
            }
            Err(error) => Err(error),
        }
    }
}

fn pread_up_to(file: &OwnedFd, most: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; most.min(16 * 1024)];
    while bytes.len() < most {
        let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let room = (most - bytes.len()).min(chunk.len());
        let Some(buffer) = chunk.get_mut(..room) else {
            break;
        };
        let read = match rustix::io::pread(file, &mut *buffer, offset) {
            Err(Errno::INTR) => continue,
            read => read?,
        };
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    Ok(bytes)
}

fn no_file(error: Errno) -> NoFile {
    match error {
        // Not a folder: a link or a file stands where one was expected, on the way to the name.
        Errno::NOENT | Errno::NOTDIR => NoFile::Missing,
        Errno::LOOP => NoFile::Link,
        Errno::NXIO | Errno::NODEV => NoFile::NotRegular,
        error => NoFile::Io(error),
    }
}

fn regular(stat: &Stat) -> Result<(), NoFile> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(NoFile::Link),
        _ => Err(NoFile::NotRegular),
    }
}

fn mode(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// Which file this is, as the kernel tells it.
fn fingerprint(stat: &Stat) -> Fingerprint {
    let nanoseconds =
        |seconds: i64, rest: u64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Fingerprint {
        dev: stat.st_dev,
        ino: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

fn type_of(folder: BorrowedFd<'_>, name: &CStr) -> FileType {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_or(FileType::Unknown, |stat| {
        FileType::from_raw_mode(stat.st_mode)
    })
}

fn sort(file_type: FileType) -> Sort {
    match file_type {
        FileType::RegularFile => Sort::File,
        FileType::Directory => Sort::Folder,
        FileType::Symlink => Sort::Link,
        _ => Sort::Other,
    }
}

/// The machine as it is, for the reading of one definition; remembers what was asked, so that the
/// definition is read again when an answer changes.
pub(crate) struct Here<'a> {
    root: &'a Root,
    /// The file that is being read: its facts are those of the bytes that were read.
    opened: Option<(String, FileFacts)>,
    asked: RefCell<Vec<Dependency>>,
    misses: Cell<bool>,
}

/// A file that a definition depends on, and which file it was.
pub(crate) type Dependency = (String, Option<Fingerprint>);

impl<'a> Here<'a> {
    pub fn new(root: &'a Root, opened: Option<(String, FileFacts)>) -> Self {
        Self {
            root,
            opened,
            asked: RefCell::default(),
            misses: Cell::new(false),
        }
    }

    /// What was asked, and whether a program outside the root was missing: nobody tells when it
    /// comes.
    pub fn into_asked(self) -> (Vec<Dependency>, bool) {
        (self.asked.into_inner(), self.misses.get())
    }
}

impl Machine for Here<'_> {
    fn program(&self, path: &str) -> Program {
        let found = match rustix::fs::stat(path) {
            Ok(stat) => {
                let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                match (regular, stat.st_mode & 0o111) {
                    (false, _) => Program::Missing,
                    (true, 0) => Program::NotExecutable,
                    (true, _) => Program::Runnable,
                }
            }
            Err(Errno::ACCESS) => closed_folder(path).map_or(Program::Missing, |folder| {
                let uid = rustix::process::geteuid().as_raw();
                Program::Closed { folder, uid }
            }),
            Err(_) => Program::Missing,
        };
        self.misses
            .set(self.misses.get() || found != Program::Runnable);
        found
    }

    fn file(&self, path: &str) -> Result<FileFacts, NoFile> {
        if let Some((_, facts)) = self.opened.as_ref().filter(|(opened, _)| opened == path) {
            return Ok(facts.clone());
        }
        let facts = self.root.facts(path);
        let fingerprint = facts.as_ref().ok().map(|facts| facts.fingerprint);
        self.asked.borrow_mut().push((path.to_owned(), fingerprint));
        facts
    }
}

impl Root {
    /// Which file this path names now.
    pub fn fingerprint(&self, path: &str) -> Option<Fingerprint> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder(folder).ok()?;
        Self::look(&folder, name)
            .ok()
            .map(|(_, fingerprint)| fingerprint)
    }
}
