//! Accounts whose password the operator's command knows, and how they become local.

use std::collections::BTreeSet;

use rusqlite::Connection;
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::time::Timestamp;

use crate::store::Store;
use crate::users::{
    AddUserError, ChangeUserError, Changed, NewUser, insert_user, leave_groups, replace_groups,
};

impl Store {
    /// Makes an account whose password is not known here.
    pub async fn add_external_user(
        &self,
        name: UserName,
        groups: BTreeSet<GroupName>,
        now: Timestamp,
    ) -> Result<UserId, AddUserError> {
        const SQL: &str = "UPDATE users SET origin = 'external' WHERE id = ?1";
        let new = NewUser {
            name,
            password_hash: String::new(),
            groups,
        };
        let added = self.write(move |db| {
            let id = insert_user(db, &new, now)?;
            if let Some(id) = id {
                db.prepare_cached(SQL)?.execute([id.0])?;
            }
            Ok(id)
        });
        added.await?.ok_or(AddUserError::NameTaken)
    }

    /// Replaces the account's groups, as [`Store::set_groups`] does, by those that the command names.
    /// Of an account that has become local meanwhile it says nothing: that is absent.
    pub async fn set_external_groups(
        &self,
        user: UserId,
        groups: BTreeSet<GroupName>,
    ) -> Result<(), ChangeUserError> {
        self.change_user(user, move |db| {
            if is_external(db, user)? {
                return replace_groups(db, user, &groups);
            }
            Ok(Changed::Absent)
        })
        .await
    }
}

/// Keeps the password of an account here; whether there is such an account. An external one is local
/// from then on and leaves its groups, for nobody here gave it those: what the command named would
/// count for more than before, as far as `admins` and grants of `admin`.
pub(crate) fn keep_password(db: &Connection, user: UserId, hash: &str) -> rusqlite::Result<bool> {
    const SQL: &str = "UPDATE users SET password_hash = ?2, origin = 'local' WHERE id = ?1";
    if is_external(db, user)? {
        leave_groups(db, user)?;
    }
    Ok(db.prepare_cached(SQL)?.execute((user.0, hash))? > 0)
}

pub(crate) fn is_external(db: &Connection, user: UserId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND origin = 'external'")?
        .exists([user.0])
}
