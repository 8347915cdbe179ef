//! The one-time link that makes the first account.

use rusqlite::{Connection, OptionalExtension};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::audit::Refusal;
use crate::error::StoreError;
use crate::store::Store;
use crate::users::{NewUser, insert_user};

/// Why a set-up link did not make an account.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetupError {
    /// No such link.
    #[error("this set-up link is unknown")]
    Unknown,
    /// Its time is over.
    #[error("this set-up link has expired")]
    Expired,
    /// It has made an account already, or there is an administrator otherwise.
    #[error("this set-up link was used before")]
    Used,
    /// An account of that name exists; the link can still be used with another name.
    #[error("there is already a user of that name")]
    NameTaken,
    /// The store failed; the link can still be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Strangers bring them about.
impl Refusal for SetupError {}

impl Store {
    /// Sets the link, by the hash of its secret; an older link is void from now on.
    pub async fn put_setup(&self, hash: [u8; 32], expires: Timestamp) -> Result<(), StoreError> {
        self.write(move |db| {
            db.prepare_cached("DELETE FROM setup_links")?.execute([])?;
            db.prepare_cached("INSERT INTO setup_links (hash, expires_at) VALUES (?1, ?2)")?
                .execute((hash, expires.millis()))?;
            Ok(())
        })
        .await
    }

    /// Makes the account and burns the link, both or neither.
    pub async fn use_setup(
        &self,
        hash: [u8; 32],
        now: Timestamp,
        new: NewUser,
    ) -> Result<UserId, SetupError> {
        self.write(move |db| burn_link(db, &hash, now, &new))
            .await?
    }

    /// Is there a member of `admins`, enabled or not?
    pub async fn has_admin(&self) -> Result<bool, StoreError> {
        self.read(|db| db.prepare_cached(ADMINS)?.exists([])).await
    }

    /// Would [`Store::use_setup`] take this link now?
    pub async fn check_setup(&self, hash: [u8; 32], now: Timestamp) -> Result<(), SetupError> {
        self.read(move |db| check_link(db, &hash, now)).await?
    }

    /// Is there a link that can still be used?
    pub async fn setup_open(&self, now: Timestamp) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM setup_links WHERE used_at IS NULL AND expires_at > ?1 \
                           AND NOT EXISTS (SELECT 1 FROM memberships WHERE group_name = 'admins')";
        self.read(move |db| db.prepare_cached(SQL)?.exists([now.millis()]))
            .await
    }
}

/// Somebody who can let others in.
const ADMINS: &str = "SELECT 1 FROM memberships WHERE group_name = 'admins'";

fn check_link(
    db: &Connection,
    hash: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<Result<(), SetupError>> {
    let link = db
        .prepare_cached("SELECT expires_at, used_at IS NOT NULL FROM setup_links WHERE hash = ?1")?
        .query_row([hash], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
        })
        .optional()?;
    // An old link must not make a second administrator behind the first one's back.
    let is_late = db.prepare_cached(ADMINS)?.exists([])?;
    Ok(match link {
        None => Err(SetupError::Unknown),
        Some((_, true)) => Err(SetupError::Used),
        Some((expires, false)) if expires <= now.millis() => Err(SetupError::Expired),
        Some(_) if is_late => Err(SetupError::Used),
        Some(_) => Ok(()),
    })
}

fn burn_link(
    db: &Connection,
    hash: &[u8; 32],
    now: Timestamp,
    new: &NewUser,
) -> rusqlite::Result<Result<UserId, SetupError>> {
    if let Err(refused) = check_link(db, hash, now)? {
        return Ok(Err(refused));
    }
    let Some(user) = insert_user(db, new, now)? else {
        return Ok(Err(SetupError::NameTaken));
    };
    db.prepare_cached("UPDATE setup_links SET used_at = ?2 WHERE hash = ?1")?
        .execute((hash, now.millis()))?;
    Ok(Ok(user))
}
