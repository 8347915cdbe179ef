//! Tokens of programs, known by the hash of their secret.

use rusqlite::{OptionalExtension, Row, named_params};
use stagedoor_domain::access::{Actions, Scope};
use stagedoor_domain::id::UserId;
use stagedoor_domain::network::Network;
use stagedoor_domain::pattern::{parse_patterns, say_patterns};
use stagedoor_domain::time::Timestamp;

use crate::error::StoreError;
use crate::store::Store;
use crate::users::{UserRecord, read_user, unreadable, user_columns};

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
    /// What it may at most.
    pub scope: Scope,
    /// From where it may be sent; none: from everywhere.
    pub addresses: Vec<Network>,
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
    /// From which address that was.
    pub last_address: Option<String>,
    /// When it was first sent over a network in the clear.
    pub exposed_at: Option<Timestamp>,
    /// What it may at most.
    pub scope: Scope,
    /// From where it may be sent; none: from everywhere.
    pub addresses: Vec<Network>,
}

macro_rules! token_columns {
    () => {
        "tokens.id AS id, tokens.user_id AS user_id, tokens.name AS name, \
         tokens.created_at AS created_at, expires_at, last_used, last_address, exposed_at, \
         may, scripts, addresses"
    };
}

/// Tokens that one user may have at once, good or not.
pub const MOST_TOKENS: i64 = 100;

/// Why no token was made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddTokenError {
    /// Which of them can go, only their owner knows.
    #[error(
        "there are {MOST_TOKENS} tokens of this account already; end one that is not used any more first"
    )]
    TooMany,
    /// The store failed; nothing was made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Makes a token, unless its owner has [`MOST_TOKENS`].
    pub async fn add_token(&self, new: NewToken, now: Timestamp) -> Result<TokenId, AddTokenError> {
        const COUNT: &str = "SELECT count(*) FROM tokens WHERE user_id = ?1";
        const SQL: &str = "INSERT INTO tokens (hash, user_id, name, created_at, expires_at, may, scripts, addresses) \
             VALUES (:hash, :user, :name, :now, :expires_at, :may, :scripts, :addresses)";
        let added = self.write(move |db| {
            let has: i64 = db
                .prepare_cached(COUNT)?
                .query_row([new.user.0], |row| row.get(0))?;
            if has >= MOST_TOKENS {
                return Ok(None);
            }
            let id = db.prepare_cached(SQL)?.insert(named_params! {
                ":hash": new.hash,
                ":user": new.user.0,
                ":name": new.name,
                ":now": now.millis(),
                ":expires_at": new.expires_at.map(Timestamp::millis),
                ":may": new.scope.actions.words().collect::<Vec<_>>().join(" "),
                ":scripts": say_patterns(&new.scope.scripts, " "),
                ":addresses": say_networks(&new.addresses),
            })?;
            Ok(Some(TokenId(id)))
        });
        added.await?.ok_or(AddTokenError::TooMany)
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

    /// Forgets a token of this account; false when there is none, or it is another's.
    pub async fn revoke_token_of(&self, id: TokenId, user: UserId) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM tokens WHERE id = ?1 AND user_id = ?2";
        self.write(move |db| Ok(db.prepare_cached(SQL)?.execute([id.0, user.0])? > 0))
            .await
    }

    /// Forgets a token; false when there was none.
    pub async fn revoke_token(&self, id: TokenId) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM tokens WHERE id = ?1";
        self.write(move |db| Ok(db.prepare_cached(SQL)?.execute([id.0])? > 0))
            .await
    }

    /// Notes a request with this token. The caller decides how often: once a minute is enough.
    pub async fn touch_token(
        &self,
        id: TokenId,
        now: Timestamp,
        address: String,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE tokens SET last_used = ?2, last_address = ?3 WHERE id = ?1";
        self.write(move |db| {
            db.prepare_cached(SQL)?
                .execute((id.0, now.millis(), address.as_str()))
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
        last_address: row.get("last_address")?,
        exposed_at: time("exposed_at")?,
        scope: read_scope(row)?,
        addresses: read_networks(row)?,
    })
}

fn read_scope(row: &Row<'_>) -> rusqlite::Result<Scope> {
    let text = |column| row.get_ref(column)?.as_str_or_null().map_err(unreadable);
    let Some(may) = text("may")? else {
        return Ok(Scope::all_scripts());
    };
    Ok(Scope {
        actions: Actions::parse(may).map_err(unreadable)?,
        scripts: parse_patterns(text("scripts")?.unwrap_or_default()).map_err(unreadable)?,
    })
}

fn say_networks(networks: &[Network]) -> String {
    let words: Vec<String> = networks.iter().map(ToString::to_string).collect();
    words.join(" ")
}

fn read_networks(row: &Row<'_>) -> rusqlite::Result<Vec<Network>> {
    let text = row.get_ref("addresses")?;
    let text = text
        .as_str_or_null()
        .map_err(unreadable)?
        .unwrap_or_default();
    text.split_ascii_whitespace()
        .map(|word| word.parse().map_err(unreadable))
        .collect()
}
