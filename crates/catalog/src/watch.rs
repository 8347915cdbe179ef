//! Being told of changes: one inotify descriptor for all folders of the root.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// Many events in one read; more come with the next.
const BUFFER: usize = 16 * 1024;

/// Not MODIFY: who writes a file closes it, and a log that grows here changes no definition.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// The number of a watch in the kernel.
pub(crate) type WatchId = i32;

/// More names than these are not kept while nobody reads: then anything may have changed.
const MOST_NAMES: usize = 10_000;

/// What changed since it was last read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The kernel lost some: anything may have changed.
    pub anything: bool,
    /// A name in a watched folder; none when the folder itself changed, or is gone.
    pub names: Vec<(WatchId, Option<String>)>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        !self.anything && self.names.is_empty()
    }

    fn add(&mut self, id: WatchId, name: Option<String>) {
        if self.names.len() < MOST_NAMES {
            self.names.push((id, name));
        } else {
            self.anything = true;
        }
    }
}

/// Names that no definition can have; editors and programs leave many.
fn is_beside_the_point(name: &CStr) -> bool {
    name.to_bytes().starts_with(b".")
}

/// The descriptor.
#[derive(Debug)]
pub(crate) struct Watch {
    fd: OwnedFd,
}

impl Watch {
    /// None where the kernel gives none.
    pub fn new() -> Option<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        Some(Self { fd })
    }

    /// Watches an opened folder. Its path need not be reachable: the descriptor's link in `/proc`
    /// leads straight to it.
    pub fn add(&self, folder: &OwnedFd) -> Result<WatchId, Errno> {
        inotify::add_watch(
            &self.fd,
            format!("/proc/self/fd/{}", folder.as_raw_fd()),
            CHANGES,
        )
    }

    /// No longer watches a folder that is gone; the kernel may have noticed before.
    pub fn remove(&self, id: WatchId) {
        let _ = inotify::remove_watch(&self.fd, id);
    }

    /// Adds what changed since the last call; never waits.
    pub fn tell(&self, changes: &mut Changes) {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    changes.anything = true;
                }
                Ok(event) if event.file_name().is_some_and(is_beside_the_point) => {}
                Ok(event) => {
                    let name = event
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned());
                    changes.add(event.wd(), name);
                }
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}
