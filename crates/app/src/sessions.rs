//! Sessions of browsers: how they begin, when they are over, and what renews them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use stagedoor_config::SessionAddress;
use stagedoor_domain::access::User;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{Renewal, SessionRecord, StoreError, UserRecord};

use crate::app::App;
use crate::cookie_keys::CookieUse;
use crate::session_key::SessionKey;

/// By how much a clock is set back in the ordinary way. A session that begins later than that was
/// made by a clock that was wrong, and how old it is cannot be told.
const CLOCK_SLACK: Duration = Duration::from_mins(5);

/// Who signs in, before it is known who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// From where.
    pub address: IpAddr,
    /// With what, in a few words that are shown in the list of sessions.
    pub browser: String,
}

impl From<IpAddr> for Visitor {
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            browser: String::new(),
        }
    }
}

impl From<[u8; 4]> for Visitor {
    fn from(address: [u8; 4]) -> Self {
        Self::from(IpAddr::from(Ipv4Addr::from(address)))
    }
}

/// A session that was just made, or got another secret.
pub struct NewSession {
    /// The cookie's value. Shown to nobody but the browser.
    pub cookie_value: String,
    /// Which session.
    pub key: SessionKey,
    /// Whose it is.
    pub user: User,
}

/// Without the cookie.
impl std::fmt::Debug for NewSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSession")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A request that came with a good session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// Which session.
    pub session: SessionKey,
    /// From where this request came.
    pub address: IpAddr,
    /// The password was given in this session not long ago.
    pub is_confirmed: bool,
}

impl SignedIn {
    /// As it is recorded.
    pub fn origin(&self) -> Origin {
        Origin::user(&self.user, self.address)
    }
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    TooOld,
    Idle,
    Disabled,
    FromElsewhere,
    OfTheFuture,
}

impl App {
    /// Begins a session of somebody who has proved who they are, if their account is as it was when
    /// that began: `compared` is the hash of the password that was found right, if one was.
    pub(crate) async fn open_session(
        &self,
        user: User,
        visitor: Visitor,
        compared: Option<String>,
    ) -> Result<Option<NewSession>, StoreError> {
        let new = self.new_secret(user);
        let now = self.clock().now();
        let session = SessionRecord {
            id_hash: new.key.hash(),
            user: new.user.id,
            created_at: now,
            last_seen: now,
            address: visitor.address.to_canonical().to_string(),
            confirmed_at: Some(now),
            browser: visitor.browser,
        };
        let by = Origin::user(&new.user, visitor.address);
        let entry = self.entry(Act::SignIn, &by).on(new.user.name.as_str());
        let store = self.recorded(entry);
        let is_open = store.add_proved_session(&session, compared).await?;
        Ok(is_open.then_some(new))
    }

    /// Another secret for this session, whose user has just given the password. Forms that were
    /// made before are worth nothing any more. None when the session is over meanwhile.
    pub(crate) async fn renew_session(
        &self,
        who: &SignedIn,
    ) -> Result<Option<NewSession>, StoreError> {
        let new = self.new_secret(who.user.clone());
        let renewal = self.renewal(who, &new);
        let entry = self.entry(Act::IdentityConfirmed, &who.origin());
        let store = self.recorded(entry.on(who.user.name.as_str()));
        let goes_on = store.renew_session(renewal).await?;
        self.inner.csrf.forget(&who.session);
        Ok(goes_on.then_some(new))
    }

    pub(crate) fn renewal(&self, who: &SignedIn, new: &NewSession) -> Renewal {
        Renewal {
            old: who.session.hash(),
            new: new.key.hash(),
            confirmed_at: self.clock().now(),
        }
    }

    pub(crate) fn new_secret(&self, user: User) -> NewSession {
        let (cookie_value, key) = self.new_cookie(CookieUse::Session, user.id);
        NewSession {
            cookie_value,
            key,
            user,
        }
    }

    /// Who this cookie belongs to. `None` when we did not sign it, which is seen before anything is
    /// looked up, or the session is unknown, over, or of another address; the last two end it.
    pub async fn session(
        &self,
        cookie_value: &str,
        address: IpAddr,
    ) -> Result<Option<SignedIn>, StoreError> {
        let Some(key) = self.key_of_cookie(CookieUse::Session, cookie_value) else {
            return Ok(None);
        };
        let Some((session, record)) = self.inner.store.session(key.hash()).await? else {
            return Ok(None);
        };
        self.keep_up(record.grants_version).await?;
        let now = self.clock().now();
        if let Some(why) = self.over(&session, &record, address, now) {
            self.end_session_that_is_over(&key, &record, why, address)
                .await;
            return Ok(None);
        }
        // Written at most once a minute: what matters is the idle limit of half an hour.
        if now.since(session.last_seen).as_secs() >= 60 {
            // Nor is a full disk a reason to turn somebody away.
            if let Err(error) = self.inner.store.touch_session(key.hash(), now).await {
                tracing::warn!(%error, "could not note that a session was used");
            }
        }
        let confirmed_for = self.options().session.confirmed_for;
        Ok(Some(SignedIn {
            user: self.as_set(record.user),
            session: key,
            address,
            is_confirmed: session
                .confirmed_at
                .is_some_and(|at| at <= now && now.since(at) < confirmed_for),
        }))
    }

    fn over(
        &self,
        session: &SessionRecord,
        record: &UserRecord,
        address: IpAddr,
        now: Timestamp,
    ) -> Option<Over> {
        let rules = self.options().session;
        if record.disabled {
            Some(Over::Disabled)
        } else if now.since(session.created_at) >= rules.absolute {
            Some(Over::TooOld)
        } else if now.since(session.last_seen) >= rules.idle {
            Some(Over::Idle)
        } else if session.created_at.max(session.last_seen) > now.plus(CLOCK_SLACK) {
            Some(Over::OfTheFuture)
        } else if !is_taken_from(rules.address, &session.address, address) {
            Some(Over::FromElsewhere)
        } else {
            None
        }
    }

    async fn end_session_that_is_over(
        &self,
        key: &SessionKey,
        record: &UserRecord,
        why: Over,
        address: IpAddr,
    ) {
        let user = record.user.name.as_str();
        let by = Origin::stranger(address);
        let entry = self.entry(Act::SessionsEnded, &by).on(user);
        // Recorded with its end, so that many requests at once leave one record.
        let store = match why {
            Over::FromElsewhere => {
                tracing::warn!(
                    user,
                    %address,
                    "a session came from another address than it began at, and was ended: somebody \
                     may have copied a cookie, or the user moved to another network"
                );
                self.recorded(entry.with("why", "used from another address"))
            }
            Over::OfTheFuture => {
                tracing::warn!(
                    user,
                    "a session that begins in the future was ended: the clock was set back"
                );
                self.recorded(entry.with("why", "the clock was set back"))
            }
            Over::TooOld | Over::Idle | Over::Disabled => self.inner.store.clone(),
        };
        self.inner.csrf.forget(key);
        // A row that a full disk keeps is looked at again, and is over then too.
        if let Err(error) = store.end_session(key.hash()).await {
            tracing::warn!(%error, "could not remove a session that is over");
        }
    }

    /// Ends a session; its tokens are worth nothing from now on.
    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), StoreError> {
        self.inner.csrf.forget(&who.session);
        let entry = self.entry(Act::SignOut, &who.origin());
        let store = self.recorded(entry.on(who.user.name.as_str()));
        store.end_session(who.session.hash()).await?;
        Ok(())
    }
}

/// Removes sessions that ended without anybody presenting them again, once an hour.
pub(crate) async fn sweep(app: App) {
    loop {
        let (now, options) = (app.clock().now(), app.options());
        let began = now.minus(options.session.absolute);
        let seen = now.minus(options.session.idle);
        if let Err(error) = app.inner.store.end_old_sessions(began, seen).await {
            tracing::warn!(%error, "could not remove old sessions");
        }
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
}

/// Is a session that began at the one address taken from the other one?
fn is_taken_from(rule: SessionAddress, began: &str, now: IpAddr) -> bool {
    if rule == SessionAddress::Off {
        return true;
    }
    // Older sessions have the network instead of the address.
    let began = began.strip_suffix("/64").unwrap_or(began);
    let Ok(began) = began.parse::<IpAddr>() else {
        return false;
    };
    match (began.to_canonical(), now.to_canonical()) {
        (IpAddr::V6(began), IpAddr::V6(now)) if rule == SessionAddress::Network => {
            network(began) == network(now)
        }
        (began, now) => began == now,
    }
}

fn network(address: Ipv6Addr) -> u128 {
    address.to_bits() >> 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w74_a_session_is_bound_to_the_address_and_ipv6_to_its_network() {
        let taken = |rule, began: &str, now: &str| {
            is_taken_from(rule, began, now.parse().expect("an address"))
        };
        for (began, now, exact, network) in [
            ("127.0.0.1", "127.0.0.1", true, true),
            ("127.0.0.1", "127.0.0.2", false, false),
            ("127.0.0.1", "::ffff:127.0.0.1", true, true),
            ("2001:db8::1", "2001:db8::1", true, true),
            ("2001:db8::1", "2001:db8::2", false, true),
            ("2001:db8::1", "2001:db8:0:1::1", false, false),
            ("2001:db8::/64", "2001:db8::2", false, true),
            ("127.0.0.1", "2001:db8::1", false, false),
            ("nowhere", "127.0.0.1", false, false),
        ] {
            assert_eq!(
                taken(SessionAddress::Exact, began, now),
                exact,
                "{began} {now}"
            );
            assert_eq!(
                taken(SessionAddress::Network, began, now),
                network,
                "{began} {now}"
            );
            assert!(taken(SessionAddress::Off, began, now));
        }
    }
}
