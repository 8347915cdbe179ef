//! Being told of changes: one inotify descriptor for all folders of the root.

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

/// What changed since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The kernel lost some: anything may have changed.
    pub anything: bool,
    /// A name in a watched folder; none when the folder itself changed, or is gone.
    pub names: Vec<(WatchId, Option<String>)>,
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

    /// Everything that changed since the last call; never waits.
    pub fn changes(&self) -> Changes {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        let mut changes = Changes::default();
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    changes.anything = true;
                }
                Ok(event) => {
                    let name = event
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned());
                    changes.names.push((event.wd(), name));
                }
                Err(Errno::INTR) => {}
                Err(_) => return changes,
            }
        }
    }
}
