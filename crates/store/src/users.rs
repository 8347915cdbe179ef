//! Accounts and their groups.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use stagedoor_domain::access::User;
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::time::Timestamp;

use crate::audit::{Happened, Refusal};
use crate::error::{StoreError, is_duplicate};
use crate::external_users::keep_password;
use crate::password_links::void_links;
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
    /// Who. Of an external account [`User::named_outside`]: whether that is trusted is the caller's to say.
    pub user: User,
    /// In the PHC string format; of an external account nothing.
    pub password_hash: String,
    /// Its password is known to the operator's command, and not here.
    pub is_external: bool,
    /// May not sign in; the caller checks it at each request.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// [`crate::StoredGrants::version`] at the time of this reading.
    pub grants_version: i64,
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

/// Why an account was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChangeUserError {
    /// There is none of that id.
    #[error("there is no such user")]
    Absent,
    /// Nobody could let anybody in any more.
    #[error("this is the only administrator; make another one first")]
    LastAdmin,
    /// The store failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for ChangeUserError {
    fn why(&self) -> Option<&'static str> {
        matches!(self, Self::LastAdmin).then_some("the only administrator")
    }
}

/// How a change of an account went, inside its transaction.
#[derive(Debug)]
pub(crate) enum Changed<T> {
    Done(T),
    LastAdmin,
    Absent,
}

/// The columns of an account, to be read by [`read_user`] from a query over `users`.
macro_rules! user_columns {
    () => {
        "users.id AS user_id, users.name AS user_name, password_hash, disabled, \
         users.origin = 'external' AS is_external, \
         users.created_at AS user_created_at, \
         (SELECT group_concat(group_name, ' ') FROM memberships WHERE user_id = users.id) AS groups, \
         (SELECT version FROM grants_version) AS grants_version"
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

    /// Lets an account sign in or not; disabling ends its sessions, and voids its
    /// links for a password, in the same transaction.
    pub async fn set_disabled(&self, user: UserId, disabled: bool) -> Result<(), ChangeUserError> {
        const SQL: &str = "UPDATE users SET disabled = ?2 WHERE id = ?1";
        self.change_user(user, move |db| {
            if disabled {
                if is_last_admin(db, user)? {
                    return Ok(Changed::LastAdmin);
                }
                end_sessions(db, user)?;
                void_links(db, user)?;
            }
            db.prepare_cached(SQL)?.execute((user.0, disabled))?;
            Ok(Changed::Done(()))
        })
        .await
    }

    /// Removes an account with its sessions, tokens and memberships. What it has started stays,
    /// with its name.
    pub async fn delete_user(&self, user: UserId) -> Result<(), ChangeUserError> {
        self.change_user(user, move |db| {
            if is_last_admin(db, user)? {
                return Ok(Changed::LastAdmin);
            }
            db.prepare_cached("DELETE FROM users WHERE id = ?1")?
                .execute([user.0])?;
            Ok(Changed::Done(()))
        })
        .await
    }

    /// Sets the password and ends the account's sessions in the same transaction; an external
    /// account is local from then on, and without groups. False when there is no such account.
    pub async fn set_password(&self, user: UserId, hash: String) -> Result<bool, StoreError> {
        self.write(move |db| {
            end_sessions(db, user)?;
            void_links(db, user)?;
            keep_password(db, user, &hash)
        })
        .await
    }

    /// Replaces the account's groups. Where they differ, its sessions end in the same transaction: who
    /// signs in again gets a new cookie with the new rights.
    pub async fn set_groups(
        &self,
        user: UserId,
        groups: BTreeSet<GroupName>,
    ) -> Result<(), ChangeUserError> {
        self.change_user(user, move |db| replace_groups(db, user, &groups))
            .await
    }

    /// Changes an account that exists.
    pub(crate) async fn change_user<T: Happened + Send + 'static>(
        &self,
        user: UserId,
        change: impl Fn(&Connection) -> rusqlite::Result<Changed<T>> + Send + 'static,
    ) -> Result<T, ChangeUserError> {
        self.write(move |db| {
            let exists = db
                .prepare_cached("SELECT 1 FROM users WHERE id = ?1")?
                .exists([user.0])?;
            if !exists {
                return Ok(Err(ChangeUserError::Absent));
            }
            Ok(match change(db)? {
                Changed::Done(value) => Ok(value),
                Changed::LastAdmin => Err(ChangeUserError::LastAdmin),
                Changed::Absent => Err(ChangeUserError::Absent),
            })
        })
        .await?
    }
}

/// Replaces an account's groups, and ends its sessions where they differ.
pub(crate) fn replace_groups(
    db: &Connection,
    user: UserId,
    groups: &BTreeSet<GroupName>,
) -> rusqlite::Result<Changed<()>> {
    let stays = groups
        .iter()
        .any(|group| group.as_str() == GroupName::ADMINS);
    if !stays && is_last_admin(db, user)? {
        return Ok(Changed::LastAdmin);
    }
    if groups_of(db, user)? != *groups {
        end_sessions(db, user)?;
    }
    leave_groups(db, user)?;
    insert_groups(db, user, groups)?;
    Ok(Changed::Done(()))
}

/// Takes an account out of all its groups.
pub(crate) fn leave_groups(db: &Connection, user: UserId) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM memberships WHERE user_id = ?1")?
        .execute([user.0])
}

fn groups_of(db: &Connection, user: UserId) -> rusqlite::Result<BTreeSet<GroupName>> {
    let mut names = db.prepare_cached("SELECT group_name FROM memberships WHERE user_id = ?1")?;
    let rows = names.query_map([user.0], |row| row.get::<_, String>(0))?;
    rows.map(|name| GroupName::parse(&name?).map_err(unreadable))
        .collect()
}

/// Is this the only account that is in `admins` and may sign in? Where it is a local one, external
/// ones are none: whether they administer is the operator's to say, and may change.
pub(crate) fn is_last_admin(db: &Connection, user: UserId) -> rusqlite::Result<bool> {
    const SQL: &str = "SELECT coalesce(sum(users.id = ?1), 0), coalesce(sum(users.id <> ?1 \
                       AND (users.origin = 'local' OR one.origin = 'external')), 0) \
                       FROM users JOIN memberships ON user_id = users.id \
                       JOIN users AS one ON one.id = ?1 \
                       WHERE group_name = 'admins' AND NOT users.disabled";
    let (is_one, others): (i64, i64) = db
        .prepare_cached(SQL)?
        .query_row([user.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(is_one == 1 && others == 0)
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
    let user = User::new(
        UserId(row.get("user_id")?),
        UserName::parse(&row.get::<_, String>("user_name")?).map_err(unreadable)?,
        groups,
    );
    let is_external = row.get("is_external")?;
    Ok(UserRecord {
        user: if is_external {
            user.named_outside()
        } else {
            user
        },
        password_hash: row.get("password_hash")?,
        disabled: row.get("disabled")?,
        is_external,
        created_at: Timestamp::from_millis(row.get("user_created_at")?),
        grants_version: row.get("grants_version")?,
    })
}

/// A stored text that is not what its type allows.
pub(crate) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}
