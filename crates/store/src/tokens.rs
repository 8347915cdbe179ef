//! Tokens of programs, known by the hash of their secret.

use rusqlite::{OptionalExtension, Row, named_params};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::error::StoreError;
use crate::store::Store;
use crate::users::{UserRecord, read_user, user_columns};

/// A token's id in the store; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub i64);

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// Whose rights it has.
    pub user: UserId,
    /// What it is for, in its owner's words.
    pub name: String,
    /// None: it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// A token. Whether it has expired is for the caller to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id.
    pub id: TokenId,
    /// Whose rights it has.
    pub user: UserId,
    /// What it is for, in its owner's words.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// None: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// Its last request, as of the last [`Store::touch_token`].
    pub last_used: Option<Timestamp>,
    /// When it was first sent over a network in the clear.
    pub exposed_at: Option<Timestamp>,
}

macro_rules! token_columns {
    () => {
        "tokens.id AS id, tokens.user_id AS user_id, tokens.name AS name, \
         tokens.created_at AS created_at, expires_at, last_used, exposed_at"
    };
}

impl Store {
    /// Makes a token.
    pub async fn add_token(&self, new: NewToken, now: Timestamp) -> Result<TokenId, StoreError> {
        const SQL: &str = "INSERT INTO tokens (hash, user_id, name, created_at, expires_at) \
                           VALUES (:hash, :user, :name, :now, :expires_at)";
        self.write(move |db| {
            let id = db.prepare_cached(SQL)?.insert(named_params! {
                ":hash": new.hash,
                ":user": new.user.0,
                ":name": new.name,
                ":now": now.millis(),
                ":expires_at": new.expires_at.map(Timestamp::millis),
            })?;
            Ok(TokenId(id))
        })
        .await
    }

    /// The token and its account, in one read.
    pub async fn token(
        &self,
        hash: [u8; 32],
    ) -> Result<Option<(TokenRecord, UserRecord)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            token_columns!(),
            ", ",
            user_columns!(),
            " FROM tokens JOIN users ON users.id = tokens.user_id WHERE hash = ?1"
        );
        self.look_up(move |db| {
            db.prepare_cached(SQL)?
                .query_row([hash], |row| Ok((read_token(row)?, read_user(row)?)))
                .optional()
        })
        .await
    }

    /// The tokens of one user, or all; oldest first.
    pub async fn list_tokens(&self, user: Option<UserId>) -> Result<Vec<TokenRecord>, StoreError> {
        const ALL: &str = concat!("SELECT ", token_columns!(), " FROM tokens ORDER BY id");
        const OF_USER: &str = concat!(
            "SELECT ",
            token_columns!(),
            " FROM tokens WHERE user_id = ?1 ORDER BY id"
        );
        self.read(move |db| match user {
            None => db.prepare_cached(ALL)?.query_map([], read_token)?.collect(),
            Some(user) => db
                .prepare_cached(OF_USER)?
                .query_map([user.0], read_token)?
                .collect(),
        })
        .await
    }

    /// Forgets a token; false when there was none.
    pub async fn revoke_token(&self, id: TokenId) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM tokens WHERE id = ?1";
        self.write(move |db| Ok(db.prepare_cached(SQL)?.execute([id.0])? > 0))
            .await
    }

    /// Notes a request with this token. The caller decides how often: once a minute is enough.
    pub async fn touch_token(&self, id: TokenId, now: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE tokens SET last_used = ?2 WHERE id = ?1";
        self.write(move |db| {
            db.prepare_cached(SQL)?
                .execute((id.0, now.millis()))
                .map(|_| ())
        })
        .await
    }

    /// Notes that others may know this token since `now`; the first time counts.
    pub async fn expose_token(&self, id: TokenId, now: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE tokens SET exposed_at = coalesce(exposed_at, ?2) WHERE id = ?1";
        self.write(move |db| {
            db.prepare_cached(SQL)?
                .execute((id.0, now.millis()))
                .map(|_| ())
        })
        .await
    }
}

fn read_token(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    let time = |column| {
        Ok::<_, rusqlite::Error>(
            row.get::<_, Option<i64>>(column)?
                .map(Timestamp::from_millis),
        )
    };
    Ok(TokenRecord {
        id: TokenId(row.get("id")?),
        user: UserId(row.get("user_id")?),
        name: row.get("name")?,
        created_at: Timestamp::from_millis(row.get("created_at")?),
        expires_at: time("expires_at")?,
        last_used: time("last_used")?,
        exposed_at: time("exposed_at")?,
    })
}
