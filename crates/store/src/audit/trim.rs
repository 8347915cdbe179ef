//! Old records go from the front of the chain, and a record says so.
//!
//! That record names the first one that stays and the hash of the one before it. It is part of the
//! chain like every other, so whoever has not the key cannot make one: a log that was trimmed is told
//! from one whose front somebody has cut off.

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::Value;
use stagedoor_domain::audit::{Act, Entry};
use stagedoor_domain::time::Timestamp;

use super::append::append;
use super::chain::{Chain, NONE};
use super::fields::{Fields, Hash, audit_columns};
use super::line::{from_hex, hex};
use super::verify::Follower;
use crate::error::StoreError;
use crate::store::Store;

/// Details of the record: the first that stays, and the hash of the one before it.
const FIRST: &str = "first";
const BEFORE: &str = "before";

/// Where a log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The number of the first record that must be there, from 1.
    pub first: i64,
    before: Hash,
}

impl Start {
    /// Of a log from which nothing was removed.
    pub(crate) const WHOLE: Self = Self {
        first: 1,
        before: NONE,
    };

    /// The number and the hash of the last record that was removed, as `verify` prints an end; none
    /// when none was.
    pub fn removed(&self) -> Option<(i64, String)> {
        (self.first > 1).then(|| (self.first - 1, hex(&self.before)))
    }

    /// The hash that the first record follows.
    pub(crate) fn before(&self) -> Hash {
        self.before
    }

    /// What the latest record of a removal says, if it is one of ours.
    pub(crate) fn of(db: &Connection, chain: &Chain) -> rusqlite::Result<Self> {
        const LATEST: &str = concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_log WHERE act <> 'run_started' AND act = ?1 ORDER BY seq DESC LIMIT 1"
        );
        let mut latest = db.prepare_cached(LATEST)?;
        let start = latest.query_row([Act::LogTrimmed.word()], |row| {
            let (record, hash) = Fields::read(row)?;
            let is_ours = chain.hash(&record) == hash;
            Ok(Self::said(record.detail).filter(|_| is_ours))
        });
        Ok(start.optional()?.flatten().unwrap_or(Self::WHOLE))
    }

    fn said(detail: &str) -> Option<Self> {
        let detail: Value = serde_json::from_str(detail).ok()?;
        Some(Self {
            first: detail.get(FIRST)?.as_i64()?,
            before: from_hex(detail.get(BEFORE)?.as_str()?)?,
        })
    }
}

impl Store {
    /// Removes records from the front of the audit log that are older than `before`, at most so many;
    /// how many. It ends at the first that is not older. `entry` records it, if any was removed.
    pub async fn trim_audit_log(
        &self,
        entry: Entry,
        before: Timestamp,
        most: u32,
    ) -> Result<usize, StoreError> {
        self.write_to_chain(move |db, chain| trim(db, chain, &entry, before, most))
            .await
    }
}

fn trim(
    db: &Connection,
    chain: &Chain,
    entry: &Entry,
    before: Timestamp,
    most: u32,
) -> rusqlite::Result<usize> {
    const OLDEST: &str = concat!(
        "SELECT ",
        audit_columns!(),
        " FROM audit_log ORDER BY seq LIMIT ?1"
    );
    const REMOVE: &str = "DELETE FROM audit_log WHERE seq <= ?1";
    let mut follower = Follower::from(Start::of(db, chain)?);
    let (mut last, mut fault) = (None, None);
    {
        let mut oldest = db.prepare_cached(OLDEST)?;
        let mut rows = oldest.query([most])?;
        while let Some(row) = rows.next()? {
            let (record, hash) = Fields::read(row)?;
            if record.at >= before.millis() {
                break;
            }
            last = Some((record.seq, hash));
            // What is about to go is looked at for the last time.
            if fault.is_none() {
                fault = follower.step(db, chain, row)?;
            }
        }
    }
    let Some((seq, hash)) = last else {
        return Ok(0);
    };
    let removed = db.prepare_cached(REMOVE)?.execute([seq])?;
    let entry = entry
        .clone()
        .on(format!("record {seq}"))
        .with("removed", removed)
        .with(FIRST, seq.saturating_add(1))
        .with(BEFORE, hex(&hash));
    let entry = match fault {
        None => entry,
        Some(fault) => entry.with("not_whole", fault.to_string()),
    };
    append(db, chain, &entry, None)?;
    Ok(removed)
}
