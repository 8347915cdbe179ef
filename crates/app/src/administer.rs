//! What administrators change: accounts, groups, grants and tokens. Each asks for the proof, and
//! each is recorded with its change.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use stagedoor_domain::access::{Gives, MayAdmin};
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_store::{
    AddUserError, ChangeUserError, GrantId, NewUser, RenameError, Renamed, StoreError, TokenId,
    TokenRecord, UserRecord,
};

use crate::app::App;
use crate::password::{Busy, Password};
use crate::people::bound_address;
use crate::session_key::{new_setup_key, setup_hash};

/// How long a link to choose a password works.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);

/// Who administers, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Admin<'a> {
    permit: MayAdmin<'a>,
    address: IpAddr,
}

impl<'a> Admin<'a> {
    /// Somebody with the proof, at this address.
    pub fn new(permit: MayAdmin<'a>, address: IpAddr) -> Self {
        Self { permit, address }
    }
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum AddAccountError {
    /// Somebody has this name.
    #[error("there is already a user of that name; choose another")]
    NameTaken,
    /// Too many hashes at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AddUserError> for AddAccountError {
    fn from(error: AddUserError) -> Self {
        match error {
            AddUserError::NameTaken => Self::NameTaken,
            AddUserError::Store(error) => Self::Store(error),
        }
    }
}

impl App {
    pub(crate) fn act(&self, by: Admin<'_>, act: Act, target: impl Into<String>) -> Entry {
        let by = Origin::user(by.permit.user(), by.address);
        self.entry(act, &by).on(target)
    }

    /// All accounts, by name.
    pub async fn accounts(&self, _by: Admin<'_>) -> Result<Vec<UserRecord>, StoreError> {
        let mut records = self.inner.store.list_users().await?;
        for record in &mut records {
            record.user = self.as_set(record.user.clone());
        }
        Ok(records)
    }

    /// An account by its name.
    pub async fn account(
        &self,
        _by: Admin<'_>,
        name: &UserName,
    ) -> Result<Option<UserRecord>, StoreError> {
        self.inner.store.user_by_name(name).await
    }

    /// All tokens, or those of one account; oldest first.
    pub async fn tokens(
        &self,
        _by: Admin<'_>,
        of: Option<&UserRecord>,
    ) -> Result<Vec<TokenRecord>, StoreError> {
        let of = of.map(|record| record.user.id);
        self.inner.store.list_tokens(of).await
    }

    /// Makes an account that nobody knows a password of, and the key of the link with which its
    /// owner chooses one.
    pub async fn add_account(
        &self,
        by: Admin<'_>,
        name: UserName,
        groups: BTreeSet<GroupName>,
    ) -> Result<String, AddAccountError> {
        // As long as a secret, and shown to nobody: it takes as long to compare as any other.
        let nobodys = Password::from(new_setup_key(self.chance()));
        let hashed = self
            .inner
            .hasher
            .hash(nobodys, self.chance(), bound_address(by.address));
        let entry = self
            .act(by, Act::UserAdded, name.as_str())
            .with("groups", say(&groups));
        let new = NewUser {
            name,
            password_hash: hashed.await?,
            groups,
        };
        let now = self.clock().now();
        let id = self.recorded(entry).add_user(new, now).await?;
        let made = self.inner.store.user(id).await?;
        let Some(made) = made else {
            return Err(AddAccountError::NameTaken);
        };
        match self.give_link(by, &made).await {
            Ok(key) => Ok(key),
            Err(ChangeUserError::Store(error)) => Err(error.into()),
            Err(ChangeUserError::Absent | ChangeUserError::LastAdmin) => {
                Err(AddAccountError::NameTaken)
            }
        }
    }

    /// The key of a one-time link with which this person chooses a password. One of before is void.
    pub async fn give_link(
        &self,
        by: Admin<'_>,
        to: &UserRecord,
    ) -> Result<String, ChangeUserError> {
        let key = new_setup_key(self.chance());
        let entry = self.act(by, Act::PasswordLinkMade, to.user.name.as_str());
        let ends = self.clock().now().plus(LINK_LIFETIME);
        self.recorded(entry)
            .put_password_link(setup_hash(&key), to.user.id, ends)
            .await?;
        Ok(key)
    }

    /// Locks or unlocks an account; locking ends its sessions.
    pub async fn set_disabled(
        &self,
        by: Admin<'_>,
        of: &UserRecord,
        disabled: bool,
    ) -> Result<(), ChangeUserError> {
        let act = if disabled {
            Act::UserDisabled
        } else {
            Act::UserEnabled
        };
        let entry = self.act(by, act, of.user.name.as_str());
        self.recorded(entry)
            .set_disabled(of.user.id, disabled)
            .await
    }

    /// Replaces an account's groups.
    pub async fn set_groups(
        &self,
        by: Admin<'_>,
        of: &UserRecord,
        groups: BTreeSet<GroupName>,
    ) -> Result<(), ChangeUserError> {
        let entry = self.act(by, Act::GroupsSet, of.user.name.as_str());
        let entry = entry.with("groups", say(&groups));
        self.recorded(entry).set_groups(of.user.id, groups).await
    }

    /// Removes an account, its sessions and its tokens. Its runs stay, and those that go on go on.
    pub async fn delete_account(
        &self,
        by: Admin<'_>,
        of: &UserRecord,
    ) -> Result<(), ChangeUserError> {
        let entry = self.act(by, Act::UserRemoved, of.user.name.as_str());
        self.recorded(entry).delete_user(of.user.id).await
    }

    /// Signs an account out everywhere; how many sessions there were.
    pub async fn end_sessions(&self, by: Admin<'_>, of: &UserRecord) -> Result<usize, StoreError> {
        let entry = self.act(by, Act::SessionsEnded, of.user.name.as_str());
        self.recorded(entry).end_sessions_of(of.user.id).await
    }

    /// Lets a group do something.
    pub async fn add_grant(
        &self,
        by: Admin<'_>,
        group: GroupName,
        gives: Gives,
    ) -> Result<GrantId, StoreError> {
        let entry = self
            .act(by, Act::GrantAdded, group.as_str())
            .with("grant", gives.said_to(&group));
        let now = self.clock().now();
        let id = self.recorded(entry).add_grant(group, gives, now).await?;
        self.read_grants().await?;
        Ok(id)
    }

    /// Takes a grant of the store away; false when there is none of that number.
    pub async fn remove_grant(&self, by: Admin<'_>, id: GrantId) -> Result<bool, StoreError> {
        let entry = self.act(by, Act::GrantRemoved, format!("grant {}", id.0));
        let removed = self.recorded(entry).remove_grant(id).await?;
        self.read_grants().await?;
        Ok(removed)
    }

    /// Gives a group another name, with its members and the grants of the store.
    pub async fn rename_group(
        &self,
        by: Admin<'_>,
        from: GroupName,
        to: GroupName,
    ) -> Result<Renamed, RenameError> {
        let entry = self.act(by, Act::GroupRenamed, from.as_str());
        let entry = entry.with("to", to.as_str());
        let renamed = self.recorded(entry).rename_group(from, to).await?;
        self.read_grants().await?;
        Ok(renamed)
    }

    /// Ends a token of whomever; false when there is none of that number.
    pub async fn revoke_any_token(&self, by: Admin<'_>, id: TokenId) -> Result<bool, StoreError> {
        let entry = self.act(by, Act::TokenRevoked, format!("token {}", id.0));
        self.recorded(entry).revoke_token(id).await
    }
}

fn say(groups: &BTreeSet<GroupName>) -> String {
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    names.join(", ")
}
