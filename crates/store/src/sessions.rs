//! Sessions of browsers, known by the hash of their secret.

use rusqlite::{OptionalExtension, Row, named_params};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::error::StoreError;
use crate::store::Store;
use crate::users::{UserRecord, end_sessions, read_user, user_columns};

/// A session. When it is over is the caller's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the cookie's secret.
    pub id_hash: [u8; 32],
    /// Whose.
    pub user: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// Its last request, as of the last [`Store::touch_session`].
    pub last_seen: Timestamp,
    /// The client address that it is bound to.
    pub address: String,
}

impl Store {
    /// Begins a session.
    pub async fn add_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO sessions (id_hash, user_id, created_at, last_seen, address) \
                           VALUES (:id_hash, :user, :created_at, :last_seen, :address)";
        let session = session.clone();
        self.write(move |db| {
            db.prepare_cached(SQL)?.execute(named_params! {
                ":id_hash": session.id_hash,
                ":user": session.user.0,
                ":created_at": session.created_at.millis(),
                ":last_seen": session.last_seen.millis(),
                ":address": session.address,
            })?;
            Ok(())
        })
        .await
    }

    /// The session and its account, in one read.
    pub async fn session(
        &self,
        id_hash: [u8; 32],
    ) -> Result<Option<(SessionRecord, UserRecord)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT id_hash, sessions.created_at AS created_at, last_seen, address, ",
            user_columns!(),
            " FROM sessions JOIN users ON users.id = sessions.user_id WHERE id_hash = ?1"
        );
        self.look_up(move |db| {
            db.prepare_cached(SQL)?
                .query_row([id_hash], |row| Ok((read_session(row)?, read_user(row)?)))
                .optional()
        })
        .await
    }

    /// Notes a request of this session; never goes back in time.
    pub async fn touch_session(&self, id_hash: [u8; 32], now: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE sessions SET last_seen = max(last_seen, ?2) WHERE id_hash = ?1";
        self.write(move |db| {
            db.prepare_cached(SQL)?
                .execute((id_hash, now.millis()))
                .map(|_| ())
        })
        .await
    }

    /// Ends a session; false when there was none.
    pub async fn end_session(&self, id_hash: [u8; 32]) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM sessions WHERE id_hash = ?1";
        self.write(move |db| Ok(db.prepare_cached(SQL)?.execute([id_hash])? > 0))
            .await
    }

    /// Ends every session of this user; how many there were.
    pub async fn end_sessions_of(&self, user: UserId) -> Result<usize, StoreError> {
        self.write(move |db| end_sessions(db, user)).await
    }

    /// Ends the sessions that began before the one time, or were last seen before the other; how
    /// many there were. For a timer, so that forgotten sessions do not pile up.
    pub async fn end_old_sessions(
        &self,
        began_before: Timestamp,
        seen_before: Timestamp,
    ) -> Result<usize, StoreError> {
        const SQL: &str = "DELETE FROM sessions WHERE created_at < ?1 OR last_seen < ?2";
        self.write(move |db| {
            db.prepare_cached(SQL)?
                .execute((began_before.millis(), seen_before.millis()))
        })
        .await
    }
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    Ok(SessionRecord {
        id_hash: row.get("id_hash")?,
        user: UserId(row.get("user_id")?),
        created_at: Timestamp::from_millis(row.get("created_at")?),
        last_seen: Timestamp::from_millis(row.get("last_seen")?),
        address: row.get("address")?,
    })
}
