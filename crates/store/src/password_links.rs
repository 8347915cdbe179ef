//! One-time links with which somebody chooses a password.

use rusqlite::{Connection, OptionalExtension};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::error::StoreError;
use crate::external_users::{is_external, keep_password};
use crate::store::Store;
use crate::users::{
    ChangeUserError, Changed, UserRecord, end_sessions, is_last_admin, read_user, user_columns,
};

impl Store {
    /// Sets an account's link, by the hash of its secret; an older one is void from now on. Not for an
    /// external account that is the only administrator: by its use it would be none.
    pub async fn put_password_link(
        &self,
        hash: [u8; 32],
        user: UserId,
        expires: Timestamp,
    ) -> Result<(), ChangeUserError> {
        const SQL: &str =
            "INSERT INTO password_links (hash, user_id, expires_at) VALUES (?1, ?2, ?3)";
        self.change_user(user, move |db| {
            if is_external(db, user)? && is_last_admin(db, user)? {
                return Ok(Changed::LastAdmin);
            }
            void_links(db, user)?;
            db.prepare_cached(SQL)?
                .execute((hash, user.0, expires.millis()))?;
            Ok(Changed::Done(()))
        })
        .await
    }

    /// Whose link this is, if it is good now. A disabled account has none that is.
    pub async fn password_link(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<UserRecord>, StoreError> {
        self.read(move |db| owner(db, hash, now)).await
    }

    /// Burns the link and sets the password, and ends the account's sessions, all or nothing; whose
    /// it was. An external account is local from then on, and without groups.
    pub async fn use_password_link(
        &self,
        hash: [u8; 32],
        now: Timestamp,
        password_hash: String,
    ) -> Result<Option<UserId>, StoreError> {
        self.write(move |db| {
            let Some(owner) = owner(db, hash, now)? else {
                return Ok(None);
            };
            let user = owner.user.id;
            void_links(db, user)?;
            end_sessions(db, user)?;
            keep_password(db, user, &password_hash)?;
            Ok(Some(user))
        })
        .await
    }
}

fn owner(db: &Connection, hash: [u8; 32], now: Timestamp) -> rusqlite::Result<Option<UserRecord>> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        " FROM password_links JOIN users ON users.id = password_links.user_id \
         WHERE hash = ?1 AND expires_at > ?2 AND NOT disabled"
    );
    db.prepare_cached(SQL)?
        .query_row((hash, now.millis()), read_user)
        .optional()
}

/// The links of this account are worth nothing from now on.
pub(crate) fn void_links(db: &Connection, user: UserId) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM password_links WHERE user_id = ?1")?
        .execute([user.0])
}
