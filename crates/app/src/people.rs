//! Who comes in: the setup link, signing in, and API tokens.

use std::collections::BTreeSet;
use std::net::IpAddr;

use stagedoor_domain::access::User;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::name::{BadName, GroupName, UserName};
use stagedoor_domain::network::Network;
use stagedoor_store::{NewUser, SetupError as StoreSetupError, StoreError};

use crate::app::App;
use crate::password::{Busy, Password, Weak};
use crate::session_key::{setup_hash, token_hash};
use crate::sessions::{NewSession, Visitor};
use crate::throttle::{AttemptError, Blocked, Network as ClientNetwork};

/// A request that came with a good token.
#[derive(Debug, Clone)]
pub struct ByToken {
    /// Whose rights it has.
    pub user: User,
    /// Its number, as `stagedoor token list` shows it.
    pub token: i64,
}

/// Why a token is good for nothing here: for log and audit log. Its sender is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Never made, or revoked.
    #[error("there is no such token")]
    Unknown,
    /// Its end has come.
    #[error("token {0} has expired")]
    Expired(i64),
    /// Its owner is disabled.
    #[error("the user of token {0} is disabled")]
    Disabled(i64),
    /// Its networks are others.
    #[error("token {0} is not for the address that it was sent from")]
    Elsewhere(i64),
}

impl BadToken {
    /// Its number, if there is such a token.
    pub fn token(&self) -> Option<i64> {
        match self {
            Self::Unknown => None,
            Self::Expired(token) | Self::Disabled(token) | Self::Elsewhere(token) => Some(*token),
        }
    }
}

/// Why the setup link did not make an account.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// Never printed, replaced by a newer one, or used.
    #[error("this setup link is not known, or was used already")]
    UnknownLink,
    /// Too old.
    #[error("this setup link has expired; start Stagedoor again to get a new one")]
    Expired,
    /// The user's name.
    #[error(transparent)]
    BadName(BadName),
    /// Somebody has this name; the link is still good.
    #[error("there is already a user of that name; choose another")]
    NameTaken,
    /// The password.
    #[error(transparent)]
    WeakPassword(Weak),
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StoreSetupError> for SetUpError {
    fn from(error: StoreSetupError) -> Self {
        match error {
            StoreSetupError::Unknown | StoreSetupError::Used => Self::UnknownLink,
            StoreSetupError::Expired => Self::Expired,
            StoreSetupError::NameTaken => Self::NameTaken,
            StoreSetupError::Store(error) => Self::Store(error),
        }
    }
}

/// Why signing in did not work.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Name or password, and nobody is told which.
    #[error("name or password is wrong")]
    Refused,
    /// Too much failed before; nothing was looked at.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AttemptError> for SignInError {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Blocked(blocked) => Self::Blocked(blocked),
            AttemptError::Store(error) => Self::Store(error),
        }
    }
}

impl App {
    /// Makes the first account by the one-time link, and signs it in.
    pub async fn set_up(
        &self,
        key: &str,
        name: &str,
        password: Password,
        visitor: Visitor,
    ) -> Result<NewSession, SetUpError> {
        let address = visitor.address;
        // Whoever has no good link makes the server do no work.
        let now = self.clock().now();
        self.inner.store.check_setup(setup_hash(key), now).await?;
        let name = UserName::parse(name.trim()).map_err(SetUpError::BadName)?;
        let hasher = &self.inner.hasher;
        let judged = hasher.judge(password.clone(), name.clone(), bound_address(address));
        judged.await?.map_err(SetUpError::WeakPassword)?;
        let password_hash = hasher
            .hash(password, self.chance(), bound_address(address))
            .await?;
        let admins = GroupName::parse(GroupName::ADMINS).map_err(SetUpError::BadName)?;
        let groups = BTreeSet::from([admins]);
        let new = NewUser {
            name: name.clone(),
            password_hash,
            groups: groups.clone(),
        };
        let by = Origin::stranger(address);
        let entry = self.entry(Act::SetUp, &by).on(name.as_str());
        let store = self.recorded(entry);
        let id = store.use_setup(setup_hash(key), now, new).await?;
        let user = User::new(id, name, groups);
        tracing::info!(user = %user.name, %address, "the first account was created");
        let opened = self.open_session(user, visitor, None).await?;
        opened.ok_or(SetUpError::UnknownLink)
    }

    /// Can the first administrator still be made?
    pub async fn setup_is_open(&self) -> Result<bool, StoreError> {
        self.inner.store.setup_open(self.clock().now()).await
    }

    /// Who this API token belongs to, if it is good and may be sent from this address. They may
    /// no more than its scope.
    pub async fn bearer(
        &self,
        token: &str,
        address: IpAddr,
    ) -> Result<Option<ByToken>, StoreError> {
        let found = self.bearer_noting(token, address, None).await?;
        Ok(found.ok())
    }

    /// The same, and notes now and then that it works from this network.
    pub(crate) async fn bearer_noting(
        &self,
        token: &str,
        address: IpAddr,
        network: Option<ClientNetwork>,
    ) -> Result<Result<ByToken, BadToken>, StoreError> {
        let found = self.inner.store.token(token_hash(token)).await?;
        let now = self.clock().now();
        let Some((record, owner)) = found else {
            return Ok(Err(BadToken::Unknown));
        };
        let number = record.id.0;
        if owner.disabled {
            return Ok(Err(BadToken::Disabled(number)));
        }
        if record.expires_at.is_some_and(|end| now >= end) {
            return Ok(Err(BadToken::Expired(number)));
        }
        if !is_from(&record.addresses, address) {
            return Ok(Err(BadToken::Elsewhere(number)));
        }
        self.keep_up(owner.grants_version).await?;
        let is_due = record
            .last_used
            .is_none_or(|used| now.since(used).as_secs() >= 60);
        if is_due {
            let from = address.to_canonical().to_string();
            if let Err(error) = self.inner.store.touch_token(record.id, now, from).await {
                tracing::warn!(%error, "could not note that a token was used");
            }
        }
        if is_due && let Some(network) = network {
            self.remember_token(token, network, owner.user.id).await;
        }
        Ok(Ok(ByToken {
            user: self.as_set(owner.user).within(record.scope),
            token: number,
        }))
    }

    /// A token has crossed a network in the clear: if it is one of ours, that is noted, and the
    /// log says so once. Nobody is told here whether it is.
    pub async fn expose_token(&self, token: &str) {
        let (token, owner) = match self.inner.store.token(token_hash(token)).await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "could not look for a token that was sent in the clear");
                return;
            }
        };
        if token.exposed_at.is_some() {
            return;
        }
        tracing::warn!(
            token = token.id.0,
            user = owner.user.name.as_str(),
            "a token was sent over plain HTTP, where others can read it; run: stagedoor token \
             revoke {}",
            token.id.0
        );
        let entry = self.entry(Act::TokenExposed, &Origin::server());
        let entry = entry
            .on(format!("token {}", token.id.0))
            .with("user", owner.user.name.as_str());
        let (store, now) = (self.recorded(entry), self.clock().now());
        // Aside, so that the answer takes as long as for a token that is none.
        tokio::spawn(async move {
            if let Err(error) = store.expose_token(token.id, now).await {
                tracing::warn!(%error, "could not note that a token was sent in the clear");
            }
        });
    }
}

/// Without a list, from everywhere.
fn is_from(networks: &[Network], address: IpAddr) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.contains(address))
}

/// What counts as one place: the address, or the /64 network of an IPv6 address.
pub(crate) fn bound_address(address: IpAddr) -> String {
    ClientNetwork::of(address).to_string()
}
