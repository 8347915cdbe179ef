//! What use cases record in the audit log.
//!
//! An act that changes the store goes through [`App::recorded`]: record and change are on the disk
//! together, or neither is. What was refused, or changes nothing there, goes through
//! [`App::note`] or, where it must not happen unrecorded, [`App::record_act`].

mod denials;
mod retention;
pub mod zeek;

pub(crate) use denials::Denials;
pub(crate) use retention::trim;

use stagedoor_domain::access::MayAdmin;
use stagedoor_domain::audit::{Act, Entry, Origin};
pub use stagedoor_store::{AuditCursor, AuditFilter, AuditPage, AuditRecord};
use stagedoor_store::{Store, StoreError};

use crate::app::App;

impl App {
    /// An entry of this moment: an act that is done, on nothing in particular.
    pub fn entry(&self, act: Act, by: &Origin) -> Entry {
        Entry::new(act, by.clone(), self.clock().now())
    }

    /// The store, whose next write is recorded as this.
    pub(crate) fn recorded(&self, entry: Entry) -> Store {
        self.inner.store.recorded(entry)
    }

    /// Records what changes nothing in the store. Where it fails, the act is not to be done.
    pub async fn record_act(&self, entry: Entry) -> Result<(), StoreError> {
        self.inner.store.record(entry).await
    }

    /// A page of the log, newest first, for who administers this server.
    pub async fn audit_page(
        &self,
        _permit: MayAdmin<'_>,
        filter: &AuditFilter,
    ) -> Result<AuditPage, StoreError> {
        self.inner.store.audit_page(filter).await
    }

    /// The same as [`App::record_act`] for what has happened already, or was refused: it is so whether or not it can be
    /// recorded, so this is said in the log instead.
    pub async fn note(&self, entry: Entry) {
        let act = entry.act.word();
        if let Err(error) = self.record_act(entry).await {
            tracing::error!(%error, act, "could not write to the audit log");
        }
    }
}
