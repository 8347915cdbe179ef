//! Adds a record to the chain, inside the transaction of the act.

use rusqlite::{Connection, params};
use serde_json::Value;
use stagedoor_domain::audit::Entry;
use stagedoor_domain::id::UserId;

use super::chain::{Chain, NOT_OURS};
use super::fields::{Fields, Hash};
use crate::error::StoreError;
use crate::runs::Inserted;
use crate::store::Store;
use crate::tokens::TokenId;
use crate::users::unreadable;

impl Store {
    /// This store, whose next write is recorded: record and change are on the disk together, or
    /// neither is. A change that turned out to be none (no such user, the same request again) is
    /// not recorded; one that is not permitted (the last administrator would go) is, as refused. For
    /// one write; reads record nothing.
    ///
    /// What cannot be recorded is not done: the error is that of the write.
    #[must_use]
    pub fn recorded(&self, entry: Entry) -> Self {
        self.recording(entry)
    }

    /// Records what changes nothing in the store, or was refused.
    pub async fn record(&self, entry: Entry) -> Result<(), StoreError> {
        self.recording(entry).write(|_| Ok(())).await
    }
}

/// What a write answers tells whether it changed anything.
pub(crate) trait Happened {
    /// Is there anything to record?
    fn happened(&self) -> bool {
        true
    }

    /// The number that the store gave to what was made.
    fn number(&self) -> Option<i64> {
        None
    }

    /// Why it was not permitted, where nothing happened because it is not.
    fn refusal(&self) -> Option<&'static str> {
        None
    }
}

/// An error that a write answers with.
pub(crate) trait Refusal {
    /// Why it was not permitted; none for what could not be done, or what strangers can bring about.
    fn why(&self) -> Option<&'static str> {
        None
    }
}

impl Happened for () {}

impl Happened for bool {
    fn happened(&self) -> bool {
        *self
    }
}

impl Happened for usize {
    fn happened(&self) -> bool {
        *self > 0
    }
}

impl<T: Happened> Happened for Option<T> {
    fn happened(&self) -> bool {
        self.as_ref().is_some_and(T::happened)
    }

    fn number(&self) -> Option<i64> {
        self.as_ref().and_then(T::number)
    }
}

impl<T: Happened, E: Refusal> Happened for Result<T, E> {
    fn happened(&self) -> bool {
        self.as_ref().is_ok_and(T::happened)
    }

    fn number(&self) -> Option<i64> {
        self.as_ref().ok().and_then(T::number)
    }

    fn refusal(&self) -> Option<&'static str> {
        self.as_ref().err().and_then(E::why)
    }
}

impl Happened for UserId {
    fn number(&self) -> Option<i64> {
        Some(self.0)
    }
}

impl Happened for TokenId {
    fn number(&self) -> Option<i64> {
        Some(self.0)
    }
}

impl Happened for Inserted {
    fn happened(&self) -> bool {
        *self == Self::New
    }
}

/// Appends the entry to the chain as it stands in this transaction, whoever wrote to it last. What
/// the store numbered is added to the details as `id`.
pub(crate) fn append(
    db: &Connection,
    chain: &Chain,
    entry: &Entry,
    number: Option<i64>,
) -> rusqlite::Result<()> {
    const HEAD: &str = "SELECT seq, hash, mark FROM audit_head";
    const INSERT: &str = "INSERT INTO audit_log (seq, at, actor, user_id, user_name, number, \
         address, act, target, outcome, detail, prev, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    const MOVE_ON: &str = "UPDATE audit_head SET seq = ?1, hash = ?2, mark = ?3";
    let (last, prev, is_ours): (i64, Hash, bool) =
        db.prepare_cached(HEAD)?.query_row([], |row| {
            let (last, hash) = (row.get(0)?, row.get(1)?);
            let mark = row.get_ref(2)?.as_blob();
            let is_ours = mark.is_ok_and(|mark| mark == chain.mark(last, &hash));
            Ok((last, hash, is_ours))
        })?;
    // Nothing is begun anew behind what somebody has cut off or emptied.
    let prev = if is_ours { prev } else { follows_none() };
    let address = entry.by.address.map(|address| address.to_string());
    let detail = detail(entry, number)?;
    let user = entry.by.actor.user();
    let record = Fields {
        seq: last.saturating_add(1),
        at: entry.at.millis(),
        actor: entry.by.actor.kind(),
        user_id: user.map(|(id, _)| id.0),
        user_name: user.map(|(_, name)| name.as_str()),
        number: entry.by.actor.number(),
        address: address.as_deref(),
        act: entry.act.word(),
        target: &entry.target,
        outcome: entry.outcome.word(),
        detail: &detail,
        prev,
    };
    let hash = chain.hash(&record);
    db.prepare_cached(INSERT)?.execute(params![
        record.seq,
        record.at,
        record.actor,
        record.user_id,
        record.user_name,
        record.number,
        record.address,
        record.act,
        record.target,
        record.outcome,
        record.detail,
        record.prev,
        hash,
    ])?;
    db.prepare_cached(MOVE_ON)?
        .execute((record.seq, hash, chain.mark(record.seq, &hash)))?;
    Ok(())
}

/// What is written instead of the hash of the record before, where there is none of ours.
fn follows_none() -> Hash {
    tracing::error!(
        "the end of the audit log is not as it was written; run: stagedoor audit-log verify"
    );
    NOT_OURS
}

fn detail(entry: &Entry, number: Option<i64>) -> rusqlite::Result<String> {
    let text = match number {
        None => serde_json::to_string(&entry.detail),
        Some(number) => {
            let mut detail = entry.detail.clone();
            detail.insert("id".to_owned(), Value::from(number));
            serde_json::to_string(&detail)
        }
    };
    text.map_err(unreadable)
}
