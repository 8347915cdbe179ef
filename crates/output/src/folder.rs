//! The files of the output folder: `<first 6 hex of the run>/<run>.<epoch>.out|.err|.chunks`, and for a
//! moment `.out.spans|.err.spans` (see `mask`).

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use stagedoor_domain::id::{Epoch, RunId};
use std::io;
use std::path::Path;

use crate::stream::Stream;

/// One attempt of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub run: RunId,
    pub epoch: Epoch,
}

/// One of the files of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Segment(Stream),
    Chunks,
    /// What is just being masked in a segment.
    Spans(Stream),
}

impl Part {
    fn ending(self) -> &'static str {
        match self {
            Self::Segment(Stream::Stdout) => "out",
            Self::Segment(Stream::Stderr) => "err",
            Self::Chunks => "chunks",
            Self::Spans(Stream::Stdout) => "out.spans",
            Self::Spans(Stream::Stderr) => "err.spans",
        }
    }
}

/// The output folder, held open: it may be moved, and parents need not be searchable.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: OwnedFd,
}

impl Folder {
    /// Opens the folder, and makes it where there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            dir: rustix::fs::open(path, flags, Mode::empty())?,
        })
    }

    /// Bytes in the file; 0 where there is none.
    pub fn size(&self, key: Key, part: Part) -> io::Result<u64> {
        match rustix::fs::statat(&self.dir, file_name(key, part), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(stat.st_size.unsigned_abs()),
            Err(Errno::NOENT) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the file to read; `None` where there is none.
    pub fn find(&self, key: Key, part: Part) -> io::Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.dir, file_name(key, part), flags, Mode::empty()) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the file to write and read, and makes it where there is none.
    pub fn create(&self, key: Key, part: Part) -> io::Result<OwnedFd> {
        let name = file_name(key, part);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.dir, &name, flags, Mode::RUSR | Mode::WUSR);
        match open() {
            Err(Errno::NOENT) => {}
            opened => return Ok(opened?),
        }
        match rustix::fs::mkdirat(&self.dir, shelf(key.run), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Ok(open()?),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file, if it is there.
    pub fn remove_part(&self, key: Key, part: Part) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.dir, file_name(key, part), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the disk keep the names of a run's files.
    pub fn sync_names(&self, run: RunId) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&self.dir, shelf(run), flags, Mode::empty())?;
        Ok(rustix::fs::fsync(dir)?)
    }

    /// Removes the files of all attempts of a run.
    pub fn remove(&self, run: RunId) -> io::Result<()> {
        let name = shelf(run);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match rustix::fs::openat(&self.dir, &name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            dir => dir?,
        };
        let prefix = format!("{run}.");
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            if entry.file_name().to_bytes().starts_with(prefix.as_bytes()) {
                rustix::fs::unlinkat(&dir, entry.file_name(), AtFlags::empty())?;
            }
        }
        match rustix::fs::unlinkat(&self.dir, &name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The folder that a run's files lie in. Ids begin with their time: one for 4.7 hours.
fn shelf(run: RunId) -> String {
    run.to_string().chars().take(6).collect()
}

/// Below the output folder.
pub(crate) fn file_name(key: Key, part: Part) -> String {
    let (run, epoch) = (key.run.to_string(), key.epoch.0);
    let shelf = run.get(..6).unwrap_or_default();
    format!("{shelf}/{run}.{epoch}.{}", part.ending())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::pwrite;

    fn key(first: u8, epoch: u32) -> Key {
        let mut bytes = [7; 16];
        bytes[0] = first;
        Key {
            run: RunId::from_bytes(bytes),
            epoch: Epoch(epoch),
        }
    }

    #[test]
    fn a_file_is_made_with_its_folder_and_found_again() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = Folder::open(&dir.path().join("output")).expect("opened");
        let part = Part::Segment(Stream::Stderr);
        assert_eq!(folder.size(key(1, 2), part).expect("size"), 0);
        assert!(folder.find(key(1, 2), part).expect("look").is_none());
        let file = folder.create(key(1, 2), part).expect("made");
        pwrite(&file, b"hello", 0).expect("written");
        assert_eq!(folder.size(key(1, 2), part).expect("size"), 5);
        assert!(folder.find(key(1, 2), part).expect("look").is_some());
        let path = "output/010707/01070707-0707-0707-0707-070707070707.2.err";
        let mode = |path| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(dir.path().join(path))
                .expect("there")
                .permissions()
                .mode()
                & 0o7777
        };
        assert_eq!(
            (mode(path), mode("output/010707"), mode("output")),
            (0o600, 0o700, 0o700)
        );
    }

    #[test]
    fn removing_a_run_leaves_the_others() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = Folder::open(dir.path()).expect("opened");
        let mut neighbour = key(1, 1);
        let mut bytes = *neighbour.run.as_bytes();
        bytes[15] = 9;
        neighbour.run = RunId::from_bytes(bytes);
        for key in [key(1, 1), key(1, 2), neighbour] {
            folder.create(key, Part::Chunks).expect("made");
        }
        folder.remove(key(1, 1).run).expect("removed");
        assert!(
            folder
                .find(key(1, 2), Part::Chunks)
                .expect("look")
                .is_none()
        );
        assert!(
            folder
                .find(neighbour, Part::Chunks)
                .expect("look")
                .is_some()
        );
        folder.remove(neighbour.run).expect("removed");
        folder
            .remove(neighbour.run)
            .expect("nothing to remove is no error");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
    }
}
