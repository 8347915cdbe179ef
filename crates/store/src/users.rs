//! Accounts and their groups.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use stagedoor_domain::access::User;
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::time::Timestamp;

use crate::error::{StoreError, is_duplicate};
use crate::store::Store;

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Unique.
    pub name: UserName,
    /// In the PHC string format.
    pub password_hash: String,
    /// Without the built-in `everyone`.
    pub groups: BTreeSet<GroupName>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Who.
    pub user: User,
    /// In the PHC string format.
    pub password_hash: String,
    /// May not sign in; the caller checks it at each request.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Why an account was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddUserError {
    /// The name is taken; nothing was changed.
    #[error("there is already a user of that name")]
    NameTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The columns of an account, to be read by [`read_user`] from a query over `users`.
macro_rules! user_columns {
    () => {
        "users.id AS user_id, users.name AS user_name, password_hash, disabled, \
         users.created_at AS user_created_at, \
         (SELECT group_concat(group_name, ' ') FROM memberships WHERE user_id = users.id) AS groups"
    };
}
pub(crate) use user_columns;

impl Store {
    /// Makes an account.
    pub async fn add_user(&self, new: NewUser, now: Timestamp) -> Result<UserId, AddUserError> {
        self.write(move |db| insert_user(db, &new, now))
            .await?
            .ok_or(AddUserError::NameTaken)
    }

    /// The account of this id.
    pub async fn user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError> {
        const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = ?1");
        self.read(move |db| {
            db.prepare_cached(SQL)?
                .query_row([id.0], read_user)
                .optional()
        })
        .await
    }

    /// The account of this name.
    pub async fn user_by_name(&self, name: &UserName) -> Result<Option<UserRecord>, StoreError> {
        const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE name = ?1");
        let name = name.clone();
        self.read(move |db| {
            db.prepare_cached(SQL)?
                .query_row([name.as_str()], read_user)
                .optional()
        })
        .await
    }

    /// All accounts, by name.
    pub async fn list_users(&self) -> Result<Vec<UserRecord>, StoreError> {
        const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users ORDER BY name");
        self.read(|db| db.prepare_cached(SQL)?.query_map([], read_user)?.collect())
            .await
    }

    /// How many accounts there are.
    pub async fn count_users(&self) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT count(*) FROM users";
        let count: i64 = self
            .read(|db| db.prepare_cached(SQL)?.query_row([], |row| row.get(0)))
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Lets an account sign in or not; disabling ends its sessions in the same transaction. False
    /// when there is no such account.
    pub async fn set_disabled(&self, user: UserId, disabled: bool) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE users SET disabled = ?2 WHERE id = ?1";
        self.write(move |db| {
            if disabled {
                end_sessions(db, user)?;
            }
            Ok(db.prepare_cached(SQL)?.execute((user.0, disabled))? > 0)
        })
        .await
    }

    /// Sets the password and ends the account's sessions in the same transaction. False when there
    /// is no such account.
    pub async fn set_password(&self, user: UserId, hash: String) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
        self.write(move |db| {
            end_sessions(db, user)?;
            Ok(db.prepare_cached(SQL)?.execute((user.0, hash.as_str()))? > 0)
        })
        .await
    }

    /// Replaces the account's groups. Its sessions end in the same transaction: who signs in again
    /// gets a new cookie with the new rights. False when there is no such account.
    pub async fn set_groups(
        &self,
        user: UserId,
        groups: BTreeSet<GroupName>,
    ) -> Result<bool, StoreError> {
        self.write(move |db| {
            let exists = db
                .prepare_cached("SELECT 1 FROM users WHERE id = ?1")?
                .exists([user.0])?;
            if exists {
                end_sessions(db, user)?;
                db.prepare_cached("DELETE FROM memberships WHERE user_id = ?1")?
                    .execute([user.0])?;
                insert_groups(db, user, &groups)?;
            }
            Ok(exists)
        })
        .await
    }
}

/// None when the name is taken.
pub(crate) fn insert_user(
    db: &Connection,
    new: &NewUser,
    now: Timestamp,
) -> rusqlite::Result<Option<UserId>> {
    const SQL: &str = "INSERT INTO users (name, password_hash, created_at) \
                       VALUES (:name, :password_hash, :now)";
    let inserted = db.prepare_cached(SQL)?.insert(named_params! {
        ":name": new.name.as_str(),
        ":password_hash": new.password_hash,
        ":now": now.millis(),
    });
    let user = match inserted {
        Ok(id) => UserId(id),
        Err(error) if is_duplicate(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    insert_groups(db, user, &new.groups)?;
    Ok(Some(user))
}

fn insert_groups(
    db: &Connection,
    user: UserId,
    groups: &BTreeSet<GroupName>,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO memberships (user_id, group_name) VALUES (?1, ?2)";
    let mut insert = db.prepare_cached(SQL)?;
    groups
        .iter()
        .try_for_each(|group| insert.execute((user.0, group.as_str())).map(|_| ()))
}

/// Ends every session of this user; how many there were.
pub(crate) fn end_sessions(db: &Connection, user: UserId) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM sessions WHERE user_id = ?1")?
        .execute([user.0])
}

/// Reads what [`user_columns`] selects.
pub(crate) fn read_user(row: &Row<'_>) -> rusqlite::Result<UserRecord> {
    let groups: Option<String> = row.get("groups")?;
    let groups = groups
        .iter()
        .flat_map(|all| all.split(' '))
        .map(|group| GroupName::parse(group).map_err(unreadable))
        .collect::<rusqlite::Result<_>>()?;
    Ok(UserRecord {
        user: User {
            id: UserId(row.get("user_id")?),
            name: UserName::parse(&row.get::<_, String>("user_name")?).map_err(unreadable)?,
            groups,
        },
        password_hash: row.get("password_hash")?,
        disabled: row.get("disabled")?,
        created_at: Timestamp::from_millis(row.get("user_created_at")?),
    })
}

/// A stored text that is not what its type allows.
pub(crate) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}
