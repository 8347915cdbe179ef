//! Groups: one exists by being named, with an account or in a grant.

use rusqlite::Connection;
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::GroupName;

use crate::audit::{Happened, Refusal};
use crate::error::StoreError;
use crate::store::Store;
use crate::users::{ChangeUserError, Changed, end_sessions, is_last_admin, unreadable};

/// Why a group has its old name still.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RenameError {
    /// No account is in it and no stored grant names it.
    #[error("no account is in the group `{0}`, and no stored grant names it")]
    Absent(GroupName),
    /// Members of both would get what either has.
    #[error("there is already a group `{0}`; add its members one by one")]
    Taken(GroupName),
    /// `admins` and `everyone` have their meaning by their names.
    #[error("`{0}` is built in")]
    BuiltIn(GroupName),
    /// The store failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What has the new name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renamed {
    /// Accounts.
    pub members: usize,
    /// Grants of the store.
    pub grants: usize,
}

impl Happened for Renamed {}

impl Refusal for RenameError {
    fn why(&self) -> Option<&'static str> {
        match self {
            Self::Taken(_) => Some("there is a group of that name"),
            Self::BuiltIn(_) => Some("a built-in group"),
            Self::Absent(_) | Self::Store(_) => None,
        }
    }
}

impl Store {
    /// Puts an account into a group, which ends its sessions as [`Store::set_groups`] does. False when it is in it already.
    pub async fn join_group(
        &self,
        user: UserId,
        group: GroupName,
    ) -> Result<bool, ChangeUserError> {
        const SQL: &str =
            "INSERT INTO memberships (user_id, group_name) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.change_user(user, move |db| {
            let joined = db.prepare_cached(SQL)?.execute((user.0, group.as_str()))? > 0;
            if joined {
                end_sessions(db, user)?;
            }
            Ok(Changed::Done(joined))
        })
        .await
    }

    /// Takes an account out of a group, which ends its sessions. False when it was not in it.
    pub async fn leave_group(
        &self,
        user: UserId,
        group: GroupName,
    ) -> Result<bool, ChangeUserError> {
        const SQL: &str = "DELETE FROM memberships WHERE user_id = ?1 AND group_name = ?2";
        self.change_user(user, move |db| {
            if group.as_str() == GroupName::ADMINS && is_last_admin(db, user)? {
                return Ok(Changed::LastAdmin);
            }
            let left = db.prepare_cached(SQL)?.execute((user.0, group.as_str()))? > 0;
            if left {
                end_sessions(db, user)?;
            }
            Ok(Changed::Done(left))
        })
        .await
    }

    /// Gives a group another name, with accounts and in grants, in one transaction.
    pub async fn rename_group(
        &self,
        from: GroupName,
        to: GroupName,
    ) -> Result<Renamed, RenameError> {
        self.write(move |db| rename(db, &from, &to)).await?
    }

    /// The names of groups that accounts are in or that stored grants name, in order.
    pub async fn group_names(&self) -> Result<Vec<GroupName>, StoreError> {
        const SQL: &str = "SELECT group_name FROM memberships UNION SELECT group_name FROM grants \
                           ORDER BY 1";
        self.read(|db| {
            let mut names = db.prepare_cached(SQL)?;
            let rows = names.query_map([], |row| row.get::<_, String>(0))?;
            rows.map(|name| GroupName::parse(&name?).map_err(unreadable))
                .collect()
        })
        .await
    }
}

fn is_named(db: &Connection, group: &GroupName) -> rusqlite::Result<bool> {
    const SQL: &str = "SELECT 1 FROM memberships WHERE group_name = ?1 \
                       UNION ALL SELECT 1 FROM grants WHERE group_name = ?1";
    db.prepare_cached(SQL)?.exists([group.as_str()])
}

fn rename(
    db: &Connection,
    from: &GroupName,
    to: &GroupName,
) -> rusqlite::Result<Result<Renamed, RenameError>> {
    let built_in =
        |group: &&GroupName| [GroupName::ADMINS, GroupName::EVERYONE].contains(&group.as_str());
    if let Some(group) = [from, to].into_iter().find(built_in) {
        return Ok(Err(RenameError::BuiltIn(group.clone())));
    }
    if !is_named(db, from)? {
        return Ok(Err(RenameError::Absent(from.clone())));
    }
    if is_named(db, to)? {
        return Ok(Err(RenameError::Taken(to.clone())));
    }
    // What files and scripts say of either name counts for its members from now on: they sign in again,
    // and whoever shows them something looks again.
    db.prepare_cached(
        "DELETE FROM sessions WHERE user_id IN \
         (SELECT user_id FROM memberships WHERE group_name = ?1)",
    )?
    .execute([from.as_str()])?;
    db.prepare_cached("UPDATE rights SET changes = changes + 1")?
        .execute([])?;
    let names = (from.as_str(), to.as_str());
    let members = db
        .prepare_cached("UPDATE memberships SET group_name = ?2 WHERE group_name = ?1")?
        .execute(names)?;
    let grants = db
        .prepare_cached("UPDATE grants SET group_name = ?2 WHERE group_name = ?1")?
        .execute(names)?;
    Ok(Ok(Renamed { members, grants }))
}
