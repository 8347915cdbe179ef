//! The catalog that everybody shares: opened once, asked for a snapshot with every request.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::fs::{Mode, OFlags};
use stagedoor_domain::script::Script;

use crate::docs::Docs;
use crate::options::Options;
use crate::root::Root;
use crate::snapshot::{Broken, Snapshot};
use crate::tree::Tree;

/// How often one looks at what the kernel does not tell.
const LOOK_EVERY: Duration = Duration::from_secs(2);

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
    state: Mutex<State>,
    /// The folder once more, so that reading a text does not wait for who reads definitions.
    root: Root,
    options: Options,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    /// Monotonic time of the last look at what is not watched.
    looked: Duration,
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
        let mut tree = Tree::new(Root::new(root), root_path, options.clone());
        let snapshot = tree.refresh().unwrap_or_default();
        let looked = options.clock.monotonic();
        let state = Mutex::new(State { tree, looked });
        let shared = Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            state,
            root: Root::new(again),
            options,
        };
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
    /// once; else what changed is read again first, so a change is seen by the next request.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        // The lock is held while reading: whoever asks meanwhile must not get the old snapshot.
        let mut state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_due(&self.shared.options)
            && let Some(snapshot) = state.tree.refresh()
        {
            tell_of_broken(&self.shared.snapshot.load(), &snapshot);
            self.shared.snapshot.store(Arc::new(snapshot));
        }
        self.shared.snapshot.load_full()
    }

    /// The text that a script's `docs` names, as it is now. None when it names none, or when
    /// there is no such file any more. Reads the disk, so it may block.
    pub fn read_docs(&self, script: &Script) -> Option<Docs> {
        Docs::read(&self.shared.root, script.docs.as_deref()?)
    }
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

impl State {
    /// Is there something to read again?
    fn is_due(&mut self, options: &Options) -> bool {
        let told = self.tree.note_changes();
        let (watched, waits) = (self.tree.is_watched(), self.tree.waits());
        if watched && !waits {
            return told;
        }
        let now = options.clock.monotonic();
        if now.saturating_sub(self.looked) < LOOK_EVERY {
            return told;
        }
        self.looked = now;
        if !watched {
            self.tree.note_everything();
        }
        true
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
