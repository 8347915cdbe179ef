//! The scripts as they are now, without a request that waits for a disk on a thread of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stagedoor_catalog::{Catalog, Snapshot};
use tokio::sync::Mutex;

use crate::app::App;

/// Readings of what changed: one at a time, and one for all who wait.
#[derive(Default)]
pub(crate) struct Rereading {
    /// Held by the one that reads; the number of the last reading that came to its end.
    turn: Arc<Mutex<u64>>,
    /// How many have begun.
    begun: AtomicU64,
}

impl App {
    /// The scripts as they are on disk now. Where nothing changed since the last request, this is
    /// there at once. Else one request has it read on a thread that may block, and all who come
    /// meanwhile wait for it as a task does: a change is seen by the next request, and a disk that
    /// is slow stops nobody who needs no script.
    pub async fn catalog(&self) -> Arc<Snapshot> {
        self.inner.rereading.now(&self.inner.catalog).await
    }
}

impl Rereading {
    async fn now(&self, catalog: &Catalog) -> Arc<Snapshot> {
        match catalog.unchanged() {
            Some(snapshot) => snapshot,
            None => self.read(catalog).await,
        }
    }

    async fn read(&self, catalog: &Catalog) -> Arc<Snapshot> {
        // Relaxed is enough: the catalog's own lock, which both took, puts the two in order.
        let come = self.begun.load(Ordering::Relaxed);
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        // One that began after this caller had come saw what this caller must see.
        if *turn > come {
            return catalog.last_read();
        }
        if let Some(snapshot) = catalog.unchanged() {
            return snapshot;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let its = catalog.clone();
        let read = tokio::task::spawn_blocking(move || {
            let snapshot = its.snapshot();
            // A caller that goes away does not end the reading, so the turn goes with it.
            *turn = number;
            snapshot
        });
        match read.await {
            Ok(snapshot) => snapshot,
            // Nobody may get what was before a change that took a right away.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The server is ending.
            Err(_) => catalog.last_read(),
        }
    }
}

#[cfg(test)]
mod tests;
