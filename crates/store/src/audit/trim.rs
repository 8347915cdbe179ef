//! Old records go from the front of the chain, and a record says so.
//!
//! That record names the first one that stays and the hash of the one before it. It is part of the
//! chain like every other, so whoever has not the key cannot make one: a log that was trimmed is told
//! from one whose front somebody has cut off.

use rusqlite::Connection;
use serde_json::Value;
use stagedoor_domain::audit::{Act, Entry};
use stagedoor_domain::time::Timestamp;

use super::append::{Happened, append};
use super::chain::{Chain, NONE};
use super::fault::Fault;
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
    /// A later record of a removal that is not as it was written, or never was: it may have said
    /// that the log begins elsewhere.
    touched: Option<i64>,
}

impl Start {
    /// Of a log from which nothing was removed.
    const WHOLE: Self = Self {
        first: 1,
        before: NONE,
        touched: None,
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

    /// The later record of a removal that cannot be believed.
    pub(crate) fn touched(&self) -> Option<i64> {
        self.touched
    }

    /// What the latest record of a removal says that is one of ours. One that somebody has touched or
    /// put there says nothing: the log does not begin again for it.
    pub(crate) fn of(db: &Connection, chain: &Chain) -> rusqlite::Result<Self> {
        const LATEST_FIRST: &str = concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_log WHERE act <> 'run_started' AND act = ?1 ORDER BY seq DESC"
        );
        let mut removals = db.prepare_cached(LATEST_FIRST)?;
        let mut rows = removals.query([Act::LogTrimmed.word()])?;
        let mut touched = None;
        while let Some(row) = rows.next()? {
            let said = Fields::read(row).ok().and_then(|(record, hash)| {
                let is_ours = chain.hash(&record) == hash;
                Self::said(record.detail).filter(|_| is_ours)
            });
            match said {
                Some(start) => return Ok(Self { touched, ..start }),
                None => touched = Some(row.get(0)?),
            }
        }
        Ok(Self {
            touched,
            ..Self::WHOLE
        })
    }

    fn said(detail: &str) -> Option<Self> {
        let detail: Value = serde_json::from_str(detail).ok()?;
        Some(Self {
            first: detail.get(FIRST)?.as_i64()?,
            before: from_hex(detail.get(BEFORE)?.as_str()?)?,
            touched: None,
        })
    }
}

/// Which records are too old.
#[derive(Debug, Clone, Copy)]
pub struct Old {
    /// Those of before this time.
    pub before: Timestamp,
    /// If there is one of after that time and before this: what was written since may have its
    /// time from the clock that makes the others old.
    pub settled: Timestamp,
}

/// What became of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trimmed {
    /// So many records went.
    Removed(usize),
    /// None went: all are too old but those of the last time. It may be the clock that is wrong.
    AllOld,
    /// None went: this one among them is not as it was written.
    NotWhole(Fault),
}

impl Happened for Trimmed {
    fn happened(&self) -> bool {
        matches!(self, Self::Removed(removed) if removed.happened())
    }
}

impl Store {
    /// Removes records from the front of the audit log that are too old, at most so many.
    /// It ends at the first that is not, and removes nothing where one that it looks at is not
    /// as it was written: `verify` is to name that one. `entry` records it, if any was removed.
    pub async fn trim_audit_log(
        &self,
        entry: Entry,
        old: Old,
        most: u32,
    ) -> Result<Trimmed, StoreError> {
        self.write_to_chain(move |db, chain| trim(db, chain, &entry, old, most))
            .await
    }
}

fn trim(
    db: &Connection,
    chain: &Chain,
    entry: &Entry,
    old: Old,
    most: u32,
) -> rusqlite::Result<Trimmed> {
    const REMOVE: &str = "DELETE FROM audit_log WHERE seq <= ?1";
    let (seq, hash) = match last_old(db, chain, old.before, most)? {
        Err(fault) => return Ok(Trimmed::NotWhole(fault)),
        Ok(None) => return Ok(Trimmed::Removed(0)),
        Ok(Some(_)) if !is_time_borne_out(db, old)? => return Ok(Trimmed::AllOld),
        Ok(Some(last)) => last,
    };
    let removed = db.prepare_cached(REMOVE)?.execute([seq])?;
    let entry = entry
        .clone()
        .on(format!("record {seq}"))
        .with("removed", removed)
        .with(FIRST, seq.saturating_add(1))
        .with(BEFORE, hex(&hash));
    append(db, chain, &entry, None)?;
    Ok(Trimmed::Removed(removed))
}

/// The last of those that are to go, if any, and its hash. What is about to go is looked at for the
/// last time: of a record that was touched, not even the time can be believed.
fn last_old(
    db: &Connection,
    chain: &Chain,
    before: Timestamp,
    most: u32,
) -> rusqlite::Result<Result<Option<(i64, Hash)>, Fault>> {
    const OLDEST: &str = concat!(
        "SELECT ",
        audit_columns!(),
        " FROM audit_log ORDER BY seq LIMIT ?1"
    );
    let mut follower = Follower::from(Start::of(db, chain)?);
    let mut last = None;
    let mut oldest = db.prepare_cached(OLDEST)?;
    let mut rows = oldest.query([most])?;
    while let Some(row) = rows.next()? {
        if let Some(fault) = follower.step(db, chain, row)? {
            return Ok(Err(fault));
        }
        let (record, hash) = Fields::read(row)?;
        if record.at >= before.millis() {
            break;
        }
        last = Some((record.seq, hash));
    }
    Ok(Ok(last))
}

/// Is there a record that is neither too old nor of the last time? By a clock that has just leapt there
/// is none.
fn is_time_borne_out(db: &Connection, old: Old) -> rusqlite::Result<bool> {
    const BETWEEN: &str = "SELECT 1 FROM audit_log WHERE at >= ?1 AND at < ?2";
    let between = (old.before.millis(), old.settled.millis());
    db.prepare_cached(BETWEEN)?.exists(between)
}
