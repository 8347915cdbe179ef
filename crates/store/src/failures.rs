//! Failed sign-ins, as the throttle counts them. How many are too many is the caller's rule.

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::error::StoreError;
use crate::store::Store;
use crate::users::unreadable;

/// What a failure counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// One account, from one network.
    Password,
    /// One network, whatever the account.
    Address,
    /// Wrong tokens of one network.
    Token,
    /// Everybody who is not known.
    All,
}

/// A failure's key: its kind and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailurePlace {
    /// Of what kind.
    pub kind: FailureKind,
    /// A keyed digest of an account's name; zeros where all are meant.
    pub account: [u8; 16],
    /// As the caller writes networks; empty where all are meant.
    pub network: String,
}

/// How it stands with one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRecord {
    /// Which.
    pub place: FailurePlace,
    /// Whose account it is, if it is somebody's; for showing only.
    pub user: Option<UserId>,
    /// Failures that count at `noted_at`.
    pub level: u32,
    /// How often it was blocked lately.
    pub rounds: u32,
    /// The last failure.
    pub noted_at: Timestamp,
    /// Nothing is tried before.
    pub blocked_until: Option<Timestamp>,
    /// A command beside the server lifted it.
    pub lifted: bool,
}

impl FailureKind {
    /// As it is stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Address => "address",
            Self::Token => "token",
            Self::All => "all",
        }
    }
}

/// A kind that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no kind of failure")]
struct UnknownKind(String);

impl Store {
    /// Every place.
    pub async fn failures(&self) -> Result<Vec<FailureRecord>, StoreError> {
        const SQL: &str = "SELECT kind, account, network, user_id, level, rounds, noted_at, \
                           blocked_until, lifted FROM failures";
        self.read(|db| {
            db.prepare_cached(SQL)?
                .query_map([], read_failure)?
                .collect()
        })
        .await
    }

    /// Writes how it stands with some places, and forgets others, in one transaction. A place that was
    /// lifted beside the server stays lifted until it is forgotten.
    pub async fn keep_failures(
        &self,
        changed: Vec<FailureRecord>,
        gone: Vec<FailurePlace>,
    ) -> Result<(), StoreError> {
        self.write(move |db| {
            gone.iter().try_for_each(|place| forget(db, place))?;
            changed.iter().try_for_each(|record| keep(db, record))
        })
        .await
    }

    /// Places that a command beside the server has lifted, and that are not forgotten yet.
    pub async fn lifted_failures(&self) -> Result<Vec<FailurePlace>, StoreError> {
        const SQL: &str = "SELECT kind, account, network FROM failures WHERE lifted";
        self.read(|db| db.prepare_cached(SQL)?.query_map([], read_place)?.collect())
            .await
    }

    /// Did a command beside the server lift this place?
    pub async fn is_lifted(&self, place: FailurePlace) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT lifted FROM failures \
                           WHERE kind = ?1 AND account = ?2 AND network = ?3";
        self.look_up(move |db| {
            let FailurePlace {
                kind,
                account,
                network,
            } = &place;
            let lifted = db
                .prepare_cached(SQL)?
                .query_row((kind.as_str(), account, network), |row| row.get(0));
            Ok(lifted.optional()?.unwrap_or(false))
        })
        .await
    }

    /// Lifts places for a server that may be at work beside the caller; how many there were.
    pub async fn lift_failures(&self, places: Vec<FailurePlace>) -> Result<usize, StoreError> {
        const SQL: &str = "UPDATE failures SET lifted = 1 \
                           WHERE kind = ?1 AND account = ?2 AND network = ?3";
        self.write(move |db| {
            let mut lift = db.prepare_cached(SQL)?;
            places.iter().try_fold(0, |lifted, place| {
                let key = (place.kind.as_str(), place.account, &place.network);
                Ok(lifted + lift.execute(key)?)
            })
        })
        .await
    }
}

/// What was lifted stays so until it is forgotten: whoever writes may not have heard of it yet.
fn keep(db: &Connection, record: &FailureRecord) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO failures \
        (kind, account, network, user_id, level, rounds, noted_at, blocked_until, lifted) VALUES \
        (:kind, :account, :network, :user, :level, :rounds, :noted_at, :blocked_until, :lifted) \
        ON CONFLICT DO UPDATE SET user_id = excluded.user_id, level = excluded.level, \
        rounds = excluded.rounds, noted_at = excluded.noted_at, \
        blocked_until = excluded.blocked_until, lifted = max(lifted, excluded.lifted)";
    db.prepare_cached(SQL)?.execute(named_params! {
        ":kind": record.place.kind.as_str(),
        ":account": record.place.account,
        ":network": record.place.network,
        ":user": record.user.map(|user| user.0),
        ":level": record.level,
        ":rounds": record.rounds,
        ":noted_at": record.noted_at.millis(),
        ":blocked_until": record.blocked_until.map(Timestamp::millis),
        ":lifted": record.lifted,
    })?;
    Ok(())
}

fn forget(db: &Connection, place: &FailurePlace) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM failures WHERE kind = ?1 AND account = ?2 AND network = ?3";
    db.prepare_cached(SQL)?
        .execute((place.kind.as_str(), place.account, &place.network))
        .map(|_| ())
}

fn read_place(row: &Row<'_>) -> rusqlite::Result<FailurePlace> {
    let kind: String = row.get("kind")?;
    let kind = [
        FailureKind::Password,
        FailureKind::Address,
        FailureKind::Token,
        FailureKind::All,
    ]
    .into_iter()
    .find(|known| known.as_str() == kind)
    .ok_or_else(|| unreadable(UnknownKind(kind)))?;
    Ok(FailurePlace {
        kind,
        account: row.get("account")?,
        network: row.get("network")?,
    })
}

fn read_failure(row: &Row<'_>) -> rusqlite::Result<FailureRecord> {
    Ok(FailureRecord {
        place: read_place(row)?,
        user: row.get::<_, Option<i64>>("user_id")?.map(UserId),
        level: row.get("level")?,
        rounds: row.get("rounds")?,
        noted_at: Timestamp::from_millis(row.get("noted_at")?),
        blocked_until: row
            .get::<_, Option<i64>>("blocked_until")?
            .map(Timestamp::from_millis),
        lifted: row.get("lifted")?,
    })
}
