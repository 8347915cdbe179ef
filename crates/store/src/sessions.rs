//! Sessions of browsers, known by the hash of their secret.

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::error::StoreError;
use crate::password_links::void_links;
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
    /// The address of the client that began it.
    pub address: String,
    /// When its user gave the password last.
    pub confirmed_at: Option<Timestamp>,
    /// What it began in, in a few words.
    pub browser: String,
}

/// Another secret for a session that goes on; what had the old one is worth nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// SHA-256 of the secret until now.
    pub old: [u8; 32],
    /// SHA-256 of the secret from now on.
    pub new: [u8; 32],
    /// The password was given just now.
    pub confirmed_at: Timestamp,
}

macro_rules! session_columns {
    () => {
        "id_hash, user_id, sessions.created_at AS created_at, last_seen, address, confirmed_at, \
         browser"
    };
}

/// What an account must be like when its session begins.
enum Still {
    Anyhow,
    Enabled,
    /// And with this hash.
    WithPassword(String),
}

impl Still {
    fn holds(&self, db: &Connection, user: UserId) -> rusqlite::Result<bool> {
        const SQL: &str = "SELECT 1 FROM users WHERE id = ?1 AND NOT disabled \
                           AND (?2 IS NULL OR password_hash = ?2)";
        let hash = match self {
            Self::Anyhow => return Ok(true),
            Self::Enabled => None,
            Self::WithPassword(hash) => Some(hash),
        };
        db.prepare_cached(SQL)?.exists((user.0, hash))
    }
}

/// Sessions that one user may have at once.
pub const MOST_SESSIONS: i64 = 100;

impl Store {
    /// Begins a session. Where its user has [`MOST_SESSIONS`], the one that was used longest ago
    /// makes room.
    pub async fn add_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        self.begin(session, Still::Anyhow).await.map(|_| ())
    }

    /// The same for somebody who proved who they are, which took a while: `compared` is the hash of the
    /// password that was right, if one was. False, and nothing changed, when the account was disabled
    /// meanwhile or has another password.
    pub async fn add_proved_session(
        &self,
        session: &SessionRecord,
        compared: Option<String>,
    ) -> Result<bool, StoreError> {
        let still = compared.map_or(Still::Enabled, Still::WithPassword);
        self.begin(session, still).await
    }

    async fn begin(&self, session: &SessionRecord, still: Still) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO sessions \
                           (id_hash, user_id, created_at, last_seen, address, confirmed_at, browser) \
                           VALUES (:id_hash, :user, :created_at, :last_seen, :address, \
                           :confirmed_at, :browser)";
        const MAKE_ROOM: &str = "DELETE FROM sessions WHERE user_id = ?1 AND id_hash NOT IN \
                                 (SELECT id_hash FROM sessions WHERE user_id = ?1 \
                                 ORDER BY last_seen DESC, created_at DESC LIMIT ?2)";
        let session = session.clone();
        self.write(move |db| {
            if !still.holds(db, session.user)? {
                return Ok(false);
            }
            db.prepare_cached(SQL)?.execute(named_params! {
                ":id_hash": session.id_hash,
                ":user": session.user.0,
                ":created_at": session.created_at.millis(),
                ":last_seen": session.last_seen.millis(),
                ":address": session.address,
                ":confirmed_at": session.confirmed_at.map(Timestamp::millis),
                ":browser": session.browser,
            })?;
            let user = (session.user.0, MOST_SESSIONS);
            db.prepare_cached(MAKE_ROOM)?.execute(user).map(|_| true)
        })
        .await
    }

    /// The session and its account, in one read.
    pub async fn session(
        &self,
        id_hash: [u8; 32],
    ) -> Result<Option<(SessionRecord, UserRecord)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT id_hash, sessions.created_at AS created_at, last_seen, address, confirmed_at, ",
            "browser, ",
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

    /// The sessions of this user, the one that was used last first.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<SessionRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            session_columns!(),
            " FROM sessions WHERE user_id = ?1 ORDER BY last_seen DESC, created_at DESC"
        );
        self.read(move |db| {
            db.prepare_cached(SQL)?
                .query_map([user.0], read_session)?
                .collect()
        })
        .await
    }

    /// Gives a session another secret. False when it is over meanwhile.
    pub async fn renew_session(&self, renewal: Renewal) -> Result<bool, StoreError> {
        self.write(move |db| renew(db, renewal)).await
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

    /// Ends every other session of this user; how many there were.
    pub async fn end_other_sessions(
        &self,
        user: UserId,
        but: [u8; 32],
    ) -> Result<usize, StoreError> {
        const SQL: &str = "DELETE FROM sessions WHERE user_id = ?1 AND id_hash <> ?2";
        self.write(move |db| db.prepare_cached(SQL)?.execute((user.0, but)))
            .await
    }

    /// Sets the password of a user who is signed in. This session goes on under another secret, the
    /// others end, all in one transaction. False, and nothing changed, when the session is over
    /// meanwhile.
    pub async fn change_password(
        &self,
        user: UserId,
        hash: String,
        renewal: Renewal,
    ) -> Result<bool, StoreError> {
        const PASSWORD: &str = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
        const OTHERS: &str = "DELETE FROM sessions WHERE user_id = ?1 AND id_hash <> ?2";
        self.write(move |db| {
            let goes_on = renew(db, renewal)?;
            if goes_on {
                db.prepare_cached(PASSWORD)?
                    .execute((user.0, hash.as_str()))?;
                db.prepare_cached(OTHERS)?.execute((user.0, renewal.new))?;
                void_links(db, user)?;
            }
            Ok(goes_on)
        })
        .await
    }

    /// A number that is another one after whatever ended a session or a token, disabled a user, took
    /// somebody out of a group or changed a grant, in whichever process.
    pub async fn rights_changes(&self) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT changes + version FROM rights, grants_version";
        self.look_up(|db| db.prepare_cached(SQL)?.query_row([], |row| row.get(0)))
            .await
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

fn renew(db: &Connection, renewal: Renewal) -> rusqlite::Result<bool> {
    const SQL: &str = "UPDATE sessions SET id_hash = ?2, confirmed_at = ?3, \
                       last_seen = max(last_seen, ?3) WHERE id_hash = ?1";
    let (old, new, now) = (renewal.old, renewal.new, renewal.confirmed_at.millis());
    let changed = db.prepare_cached(SQL)?.execute((old, new, now))?;
    Ok(changed > 0)
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    Ok(SessionRecord {
        id_hash: row.get("id_hash")?,
        user: UserId(row.get("user_id")?),
        created_at: Timestamp::from_millis(row.get("created_at")?),
        last_seen: Timestamp::from_millis(row.get("last_seen")?),
        address: row.get("address")?,
        confirmed_at: row
            .get::<_, Option<i64>>("confirmed_at")?
            .map(Timestamp::from_millis),
        browser: row.get("browser")?,
    })
}
