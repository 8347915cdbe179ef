//! Who comes in: the setup link, signing in and out, sessions and API tokens.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use stagedoor_domain::access::User;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::name::{BadName, GroupName, UserName};
use stagedoor_domain::network::Network;
use stagedoor_store::{
    NewUser, SessionRecord, SetupError as StoreSetupError, StoreError, UserRecord,
};

use crate::app::App;
use crate::password::{Busy, Password, Weak};
use crate::session_key::{SessionKey, new_cookie_value, setup_hash, token_hash};
use crate::throttle::{AttemptError, Blocked, Network as ClientNetwork, canonical};

/// By how much a clock is set back in the ordinary way. A session that begins later than that was
/// made by a clock that was wrong, and how old it is cannot be told.
const CLOCK_SLACK: Duration = Duration::from_mins(5);

/// A session that was just made.
#[derive(Debug)]
pub struct NewSession {
    /// The cookie's value, `<user>:<128 hex digits>`. Shown to nobody but the browser.
    pub cookie_value: String,
    /// Whose it is.
    pub user: User,
}

/// A request that came with a good session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// Which session.
    pub session: SessionKey,
}

/// A request that came with a good token.
#[derive(Debug, Clone)]
pub struct ByToken {
    /// Whose rights it has.
    pub user: User,
    /// Its number, as `stagedoor token list` shows it.
    pub token: i64,
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
        address: IpAddr,
    ) -> Result<NewSession, SetUpError> {
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
        Ok(self.open_session(user, address).await?)
    }

    /// Whose link to choose a password this is, if it is good.
    pub async fn link_owner(&self, key: &str) -> Result<Option<UserName>, StoreError> {
        let now = self.clock().now();
        let owner = self.inner.store.password_link(setup_hash(key), now).await?;
        Ok(owner.map(|owner| owner.user.name))
    }

    /// Sets the password that the owner of a link has chosen, and signs them in.
    pub async fn choose_password(
        &self,
        key: &str,
        password: Password,
        address: IpAddr,
    ) -> Result<NewSession, SetUpError> {
        let (hash, now) = (setup_hash(key), self.clock().now());
        let owner = self.inner.store.password_link(hash, now).await?;
        // Whoever has no good link makes the server do no work.
        let owner = owner.ok_or(SetUpError::UnknownLink)?.user;
        let hasher = &self.inner.hasher;
        let judged = hasher.judge(password.clone(), owner.name.clone(), bound_address(address));
        judged.await?.map_err(SetUpError::WeakPassword)?;
        let chosen = hasher
            .hash(password, self.chance(), bound_address(address))
            .await?;
        let by = Origin::stranger(address);
        let entry = self
            .entry(Act::PasswordChanged, &by)
            .on(owner.name.as_str());
        let store = self.recorded(entry.with("by", "link"));
        let used = store.use_password_link(hash, now, chosen).await?;
        used.ok_or(SetUpError::UnknownLink)?;
        Ok(self.open_session(owner, address).await?)
    }

    /// Can the first administrator still be made?
    pub async fn setup_is_open(&self) -> Result<bool, StoreError> {
        self.inner.store.setup_open(self.clock().now()).await
    }

    /// Signs in with name and password. Unknown, disabled and wrong look and take the same, and so
    /// they do once too much has failed.
    pub async fn sign_in(
        &self,
        name: &str,
        password: Password,
        address: IpAddr,
    ) -> Result<NewSession, SignInError> {
        let name = canonical(name);
        let attempt = self.attempt(&name, address).await?;
        let record = match UserName::parse(&name) {
            Ok(name) => self.inner.store.user_by_name(&name).await?,
            Err(_) => None,
        };
        let whose = record.as_ref().map(|record| record.user.clone());
        let record = record.filter(|record| !record.disabled);
        let hash = record.as_ref().map(|record| record.password_hash.clone());
        let hasher = &self.inner.hasher;
        let matches = hasher
            .matches(password, hash, bound_address(address))
            .await?;
        match record {
            Some(UserRecord { user, .. }) if matches => {
                let session = self.open_session(user, address).await?;
                attempt.succeeded(session.user.id).await;
                tracing::info!(user = %session.user.name, %address, "signed in");
                Ok(session)
            }
            _ => {
                let by = Origin::stranger(address);
                attempt.failed(Act::SignIn, &by, whose.as_ref()).await;
                tracing::info!(%address, "a sign-in was refused");
                Err(SignInError::Refused)
            }
        }
    }

    async fn open_session(&self, user: User, address: IpAddr) -> Result<NewSession, StoreError> {
        loop {
            let cookie_value = new_cookie_value(user.id, self.chance());
            let Some(key) = SessionKey::of(&cookie_value) else {
                continue;
            };
            let now = self.clock().now();
            let session = SessionRecord {
                id_hash: key.hash(),
                user: user.id,
                created_at: now,
                last_seen: now,
                address: bound_address(address),
            };
            let by = Origin::user(&user, address);
            let entry = self.entry(Act::SignIn, &by).on(user.name.as_str());
            self.recorded(entry).add_session(&session).await?;
            return Ok(NewSession { cookie_value, user });
        }
    }

    /// Who this cookie belongs to. `None` when the session is unknown, over, or of another
    /// address; the last two end it.
    pub async fn session(
        &self,
        cookie_value: &str,
        address: IpAddr,
    ) -> Result<Option<SignedIn>, StoreError> {
        let Some(key) = SessionKey::of(cookie_value) else {
            return Ok(None);
        };
        let Some((session, record)) = self.inner.store.session(key.hash()).await? else {
            return Ok(None);
        };
        self.keep_up(record.grants_version).await?;
        let now = self.clock().now();
        let options = self.options();
        let is_over = now.since(session.created_at) >= options.session_absolute
            || now.since(session.last_seen) >= options.session_idle
            || session.created_at.max(session.last_seen) > now.plus(CLOCK_SLACK)
            || session.address != bound_address(address)
            || record.disabled;
        if is_over {
            // A row that a full disk keeps is looked at again, and is over then too.
            if let Err(error) = self.forget(&key).await {
                tracing::warn!(%error, "could not remove a session that is over");
            }
            return Ok(None);
        }
        // Written at most once a minute: what matters is the idle limit of half an hour.
        if now.since(session.last_seen).as_secs() >= 60 {
            // Nor is a full disk a reason to turn somebody away.
            if let Err(error) = self.inner.store.touch_session(key.hash(), now).await {
                tracing::warn!(%error, "could not note that a session was used");
            }
        }
        Ok(Some(SignedIn {
            user: record.user,
            session: key,
        }))
    }

    /// Somebody ends their session; its tokens are worth nothing from now on.
    pub async fn sign_out(&self, session: &SessionKey, by: &Origin) -> Result<(), StoreError> {
        self.inner.csrf.forget(session);
        let name = by.actor.user().map_or("", |(_, name)| name.as_str());
        let store = self.recorded(self.entry(Act::SignOut, by).on(name));
        store.end_session(session.hash()).await?;
        Ok(())
    }

    /// Ends a session that is over.
    async fn forget(&self, session: &SessionKey) -> Result<(), StoreError> {
        self.inner.csrf.forget(session);
        self.inner.store.end_session(session.hash()).await?;
        Ok(())
    }

    /// Who this API token belongs to, if it is good and may be sent from this address. They may
    /// no more than its scope.
    pub async fn bearer(
        &self,
        token: &str,
        address: IpAddr,
    ) -> Result<Option<ByToken>, StoreError> {
        self.bearer_noting(token, address, None).await
    }

    /// The same, and notes now and then that it works from this network.
    pub(crate) async fn bearer_noting(
        &self,
        token: &str,
        address: IpAddr,
        network: Option<ClientNetwork>,
    ) -> Result<Option<ByToken>, StoreError> {
        let found = self.inner.store.token(token_hash(token)).await?;
        let now = self.clock().now();
        let Some((record, owner)) = found.filter(|(record, owner)| {
            !owner.disabled
                && record.expires_at.is_none_or(|end| now < end)
                && is_from(&record.addresses, address)
        }) else {
            return Ok(None);
        };
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
        Ok(Some(ByToken {
            user: owner.user.within(record.scope),
            token: record.id.0,
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

/// Removes sessions that ended without anybody presenting them again, once an hour.
pub(crate) async fn sweep_sessions(app: App) {
    loop {
        let (now, options) = (app.clock().now(), app.options());
        let began = now.minus(options.session_absolute);
        let seen = now.minus(options.session_idle);
        if let Err(error) = app.inner.store.end_old_sessions(began, seen).await {
            tracing::warn!(%error, "could not remove old sessions");
        }
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
}

/// Without a list, from everywhere.
fn is_from(networks: &[Network], address: IpAddr) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.contains(address))
}

/// What a session is bound to: the address, or the /64 network of an IPv6 address.
pub(crate) fn bound_address(address: IpAddr) -> String {
    ClientNetwork::of(address).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w74_a_session_is_bound_to_the_address_and_ipv6_to_its_network() {
        let bound = |text: &str| bound_address(text.parse().expect("an address"));
        assert_ne!(bound("127.0.0.1"), bound("127.0.0.2"));
        assert_eq!(bound("127.0.0.1"), bound("::ffff:127.0.0.1"));
        assert_eq!(bound("2001:db8::1"), bound("2001:db8::2"));
        assert_ne!(bound("2001:db8::1"), bound("2001:db8:0:1::1"));
    }
}
