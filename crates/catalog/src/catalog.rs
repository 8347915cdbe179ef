//! The catalog that everybody shares: opened once, asked for a snapshot with every request.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use rustix::fs::{Mode, OFlags};
use stagedoor_domain::script::Script;

use crate::docs::Docs;
use crate::notice::{Notice, Told};
use crate::options::Options;
use crate::root::Root;
use crate::snapshot::{Broken, Snapshot};
use crate::tree::Tree;
use crate::watch::Watch;

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not there, no folder, or no right.
    #[error("could not open the folder {path}: {error}")]
    Open {
        /// As it was given.
        path: PathBuf,
        /// Why.
        error: rustix::io::Errno,
    },
    /// A definition's errors could not be told by a path that is not text.
    #[error("the folder {0} has a name that is not UTF-8; rename it")]
    NotText(PathBuf),
}

/// All scripts below one folder. Clones share everything.
#[derive(Debug, Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    snapshot: ArcSwap<Snapshot>,
    /// Held for a moment only. Who holds both took the tree first.
    notice: Mutex<Notice>,
    /// Held while files are read.
    tree: Mutex<Tree>,
    /// The folder once more, so that reading a text does not wait for who reads definitions.
    root: Root,
    options: Options,
}

impl Catalog {
    /// Reads all definitions below an opened folder. `path` is the folder's path: it stands in
    /// messages, and commands that lie beside their definition are started by it.
    ///
    /// # Errors
    /// The path cannot be used. Broken definitions are no error: they are in the snapshot.
    pub fn open(root: OwnedFd, path: &Path, options: Options) -> Result<Self, CatalogError> {
        let not_text = || CatalogError::NotText(path.to_owned());
        let root_path = std::path::absolute(path).map_err(|_| not_text())?;
        let root_path = root_path.to_str().ok_or_else(not_text)?;
        let root_path = root_path.trim_end_matches('/').to_owned();
        let again =
            rustix::io::fcntl_dupfd_cloexec(&root, 0).map_err(|error| CatalogError::Open {
                path: path.to_owned(),
                error,
            })?;
        let watch = Watch::new().map(Arc::new);
        let notice = Mutex::new(Notice::new(watch.clone()));
        let tree = Tree::new(Root::new(root), root_path, options.clone(), watch);
        let shared = Shared {
            snapshot: ArcSwap::default(),
            notice,
            tree: Mutex::new(tree),
            root: Root::new(again),
            options,
        };
        // What is broken from the start is for the caller to tell.
        shared.read_again();
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Opens a folder by its path and reads all definitions below it.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn open_path(path: &Path, options: Options) -> Result<Self, CatalogError> {
        Self::open(open_folder(path)?, path, options)
    }

    /// The catalog as it is now. Where nothing changed this is one system call that returns at
    /// once; else what changed is read again first, so a change is seen by the next request. Reads
    /// the disk then, so it may block: who must not asks for [`Catalog::unchanged`].
    pub fn snapshot(&self) -> Arc<Snapshot> {
        if let Some(read) = self.shared.read_again() {
            tell_of_broken(&read.before, &read.now);
        }
        self.last_read()
    }

    /// The catalog as it is now, if nothing must be read again for it. Never waits for a disk.
    pub fn unchanged(&self) -> Option<Arc<Snapshot>> {
        let due = lock(&self.shared.notice).is_due(&self.shared.options);
        (!due).then(|| self.last_read())
    }

    /// The catalog as it was last read, whatever changed since.
    pub fn last_read(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// The text that a script's `docs` names, as it is now. None when it names none, or when
    /// there is no such file any more. Reads the disk, so it may block.
    pub fn read_docs(&self, script: &Script) -> Option<Docs> {
        Docs::read(&self.shared.root, script.docs.as_deref()?)
    }
}

/// What a reading found.
struct Read {
    before: Arc<Snapshot>,
    now: Arc<Snapshot>,
}

impl Shared {
    /// Reads what is due; none when all is as it was.
    fn read_again(&self) -> Option<Read> {
        // The lock is held while reading: whoever asks meanwhile must not get the old snapshot.
        let mut tree = lock(&self.tree);
        let due = lock(&self.notice).begin(&self.options)?;
        let noted = tree.note_changes(due.changes);
        if due.overdue && !tree.is_watched() {
            tree.note_everything();
        }
        let snapshot = (noted || due.overdue).then(|| tree.refresh()).flatten();
        let read = snapshot.map(|snapshot| {
            let now = Arc::new(snapshot);
            let before = self.snapshot.swap(Arc::clone(&now));
            Read { before, now }
        });
        let told = Told {
            watched: tree.is_watched(),
            waits: tree.waits(),
        };
        let now = self.options.clock.monotonic();
        lock(&self.notice).end(told, now);
        read
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A script that goes away while the server runs must leave a trace in the log.
fn tell_of_broken(before: &Snapshot, now: &Snapshot) {
    let is_new = |broken: &&Broken| !before.broken().contains(broken);
    for broken in now.broken().iter().filter(is_new) {
        let problem = broken.problems.first();
        let why = problem.map_or("", |problem| problem.message.as_str());
        let line = problem.map_or(0, |problem| problem.line);
        tracing::warn!(
            file = broken.file,
            line,
            why,
            "a definition is not published"
        );
    }
}

/// Opens the folder to be served. Here a symbolic link is followed: the operator named it.
///
/// # Errors
/// The folder cannot be opened.
pub fn open_folder(path: &Path) -> Result<OwnedFd, CatalogError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| CatalogError::Open {
        path: path.to_owned(),
        error,
    })
}
