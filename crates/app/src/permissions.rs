//! The grants that count now: those of stagedoor.toml and those of the store together, in memory.
//!
//! No check asks the database. That another process (the command line) has changed the store's
//! grants shows in a number that is read with the account, in the one query that each request
//! makes anyway; only when it has changed are the grants read again.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use stagedoor_domain::access::{Denied, Grants, MayAdmin, User, may_admin};
use stagedoor_store::{StoreError, StoredGrants};

use crate::app::App;

/// Both kinds, and the two of them together.
struct Now {
    file: Arc<Grants>,
    stored: Arc<StoredGrants>,
    all: Arc<Grants>,
}

impl Now {
    fn new(file: Arc<Grants>, stored: Arc<StoredGrants>) -> Self {
        let both = file.0.iter().chain(&stored.grants).cloned();
        Self {
            all: Arc::new(Grants(both.collect())),
            file,
            stored,
        }
    }
}

/// The grants that count now.
pub(crate) struct Permissions {
    now: ArcSwap<Now>,
    /// Held while the next ones are made from the present ones.
    changing: Mutex<()>,
}

impl Permissions {
    /// At the start.
    pub fn new(file: Arc<Grants>, stored: StoredGrants) -> Self {
        Self {
            now: ArcSwap::from_pointee(Now::new(file, Arc::new(stored))),
            changing: Mutex::default(),
        }
    }

    fn all(&self) -> Arc<Grants> {
        Arc::clone(&self.now.load().all)
    }

    fn version(&self) -> i64 {
        self.now.load().stored.version
    }

    /// stagedoor.toml was read again.
    pub fn set_file(&self, file: Arc<Grants>) {
        self.change(|now| Some(Now::new(file, Arc::clone(&now.stored))));
    }

    /// The store was read again; an older reading changes nothing.
    fn set_stored(&self, stored: StoredGrants) {
        self.change(|now| {
            let is_newer = stored.version > now.stored.version;
            is_newer.then(|| Now::new(Arc::clone(&now.file), Arc::new(stored)))
        });
    }

    fn change(&self, next: impl FnOnce(&Now) -> Option<Now>) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = next(&self.now.load()) {
            self.now.store(Arc::new(next));
        }
    }
}

impl App {
    /// Grants that apply beside the scripts' own `access`.
    pub fn grants(&self) -> Arc<Grants> {
        self.inner.permissions.all()
    }

    /// Reads the store's grants again if the account that was just read knows of newer ones.
    pub(crate) async fn keep_up(&self, version: i64) -> Result<(), StoreError> {
        if version > self.inner.permissions.version() {
            self.read_grants().await?;
        }
        Ok(())
    }

    /// Reads the store's grants again.
    pub(crate) async fn read_grants(&self) -> Result<(), StoreError> {
        let stored = self.inner.store.grants().await?;
        self.inner.permissions.set_stored(stored);
        Ok(())
    }

    /// This user as the operator's settings have it: groups that the sign-in command names make an
    /// administrator only where it may name one.
    pub fn as_set(&self, user: User) -> User {
        let options = self.inner.options.load();
        match &options.external {
            Some(command) if command.may_name_admins => user.trusted(),
            _ => user,
        }
    }

    /// The proof that this user administers the server.
    pub fn administers<'a>(&self, user: &'a User) -> Result<MayAdmin<'a>, Denied> {
        may_admin(user, &self.inner.permissions.now.load().all)
    }
}
