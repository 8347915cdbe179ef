//! How often somebody may be wrong (row W21): by account and address, by address, and in all.
//!
//! Each door asks before it looks at a secret and says afterwards whether it was right. What is
//! counted is bounded, lives in memory, and is written to the store with each failure, so that
//! neither `kill -9` nor a restart forgets it. Whoever is right costs nothing here.
//!
//! An account that has worked from an address lately is judged by what failed for it there, and by
//! nothing else: no stranger locks anybody out. A name counts whether or not somebody has it.
//! Why all this is as it is: docs/decisions/0010.

mod blocked;
mod book;
mod bucket;
mod door;
mod network;
mod place;
mod table;
mod token;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::{Clock, Timestamp};
use stagedoor_store::{FailureKind, FailurePlace, FailureRecord, StoreError};

use crate::app::App;
use book::{Book, Changes};
use place::{Account, Now, Place};

pub use blocked::{BlockedPlace, place_id, what};
pub use network::Network;
pub use place::Limits;
pub use token::BearerError;

pub(crate) use door::{AttemptError, canonical};

/// So long an address is known after it was last used.
const KNOWN_FOR: Duration = Duration::from_hours(24 * 90);
/// Addresses that are known of one account or token.
const KNOWN: u32 = 16;
/// How often it is noted that one was used.
const NOTE_AFTER: Duration = Duration::from_hours(24);
/// How often what counts no more is forgotten.
const SWEEP: Duration = Duration::from_hours(1);

/// Too much failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts have failed; try again later")]
pub struct Blocked {
    /// How long to wait.
    pub wait: Duration,
}

impl Blocked {
    /// Whole seconds to wait, for `Retry-After`; at least one.
    pub fn seconds(&self) -> u64 {
        self.wait
            .as_millis()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(1)
            .max(1)
    }
}

/// What failed, for all doors.
pub(crate) struct Throttle {
    book: Mutex<Book>,
    /// Did any network send too many wrong tokens? Whoever has a good one asks no more than this.
    blocks_tokens: AtomicBool,
}

impl Throttle {
    /// With what was kept, but for what was lifted since.
    pub fn new(kept: &[FailureRecord], limits: Limits, clock: &dyn Clock) -> Self {
        let (mut book, now) = (Book::new(), Now::of(clock));
        for record in kept.iter().filter(|record| !record.lifted) {
            book.take_up(record, limits, now);
        }
        let blocks = book.blocks_tokens(now.monotonic);
        Self {
            book: Mutex::new(book),
            blocks_tokens: AtomicBool::new(blocks),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// The digest of a name that is typed, or of a token.
    fn subject(&self, purpose: &str, text: &[u8]) -> Account {
        let digest = self.inner.vault.digest(purpose, text);
        let mut subject = [0; 16];
        subject
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        subject
    }

    /// Has this subject worked from there lately, and when?
    async fn known(
        &self,
        subject: Account,
        network: Network,
    ) -> Result<Option<Timestamp>, StoreError> {
        let last = self.inner.store.known_address(subject, network.to_string());
        let lately = self.clock().now().minus(KNOWN_FOR);
        Ok(last.await?.filter(|last| *last >= lately))
    }

    /// Notes that this subject works from there, at most once a day.
    async fn remember(
        &self,
        subject: Account,
        network: Network,
        user: UserId,
        last: Option<Timestamp>,
    ) {
        let now = self.clock().now();
        if last.is_some_and(|last| now.since(last) < NOTE_AFTER) {
            return;
        }
        let noted = self
            .inner
            .store
            .know_address(subject, network.to_string(), user, now, KNOWN);
        if let Err(error) = noted.await {
            tracing::warn!(%error, "could not note from where somebody signed in");
        }
    }

    /// Writes what changed. A disk that is full forgets at the next restart, not before.
    async fn keep(&self, changes: Changes) {
        if changes.changed.is_empty() && changes.gone.is_empty() {
            return;
        }
        let gone = changes.gone.into_iter().map(Place::to_keep).collect();
        if let Err(error) = self.inner.store.keep_failures(changes.changed, gone).await {
            tracing::warn!(%error, "could not write down what failed");
        }
    }

    /// Records blocks that begin; `name` is of the account that was tried, if it is one.
    fn note_blocks(
        &self,
        blocked: &[Place],
        by: &Origin,
        name: &str,
    ) -> impl Future<Output = ()> + use<> {
        let entries: Vec<Entry> = blocked
            .iter()
            .map(|place| {
                let FailurePlace { kind, network, .. } = place.to_keep();
                let target = match kind {
                    FailureKind::Password => name,
                    _ => "",
                };
                // What is no account's name may be a password.
                let user = (!target.is_empty()).then_some(target);
                tracing::warn!(kind = kind.as_str(), user, %network, "too much failed: blocked");
                let entry = self.entry(Act::BlockAdded, by).on(target);
                entry.with("kind", kind.as_str()).with("network", network)
            })
            .collect();
        let app = self.clone();
        async move {
            for entry in entries {
                app.note(entry).await;
            }
        }
    }

    /// Was this place lifted beside the server? Then it is forgotten here too.
    async fn is_lifted(&self, place: Place) -> bool {
        let lifted = self.inner.store.is_lifted(place.to_keep()).await;
        if !lifted.unwrap_or(false) {
            return false;
        }
        self.inner.throttle.book().lift(&place);
        let changes = Changes {
            gone: vec![place],
            ..Changes::default()
        };
        self.keep(changes).await;
        true
    }
}

/// Forgets, once an hour, what counts no more; at first, what of `kept` was lifted.
pub(crate) async fn sweep(app: App, mut kept: Vec<FailureRecord>) {
    kept.retain(|record| record.lifted);
    let lifted = Changes {
        gone: kept
            .iter()
            .filter_map(|record| Place::of(&record.place))
            .collect(),
        ..Changes::default()
    };
    app.keep(lifted).await;
    drop(kept);
    loop {
        let limits = app.options().sign_in;
        let changes = {
            let mut book = app.inner.throttle.book();
            let now = app.clock().monotonic();
            let changes = book.sweep(limits, now);
            let blocks = book.blocks_tokens(now);
            app.inner
                .throttle
                .blocks_tokens
                .store(blocks, Ordering::Relaxed);
            changes
        };
        app.keep(changes).await;
        let long_ago = app.clock().now().minus(KNOWN_FOR);
        if let Err(error) = app.inner.store.forget_addresses(long_ago).await {
            tracing::warn!(%error, "could not forget old addresses");
        }
        tokio::time::sleep(SWEEP).await;
    }
}
