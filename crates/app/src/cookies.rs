//! Cookies that carry state: signed here, and opened here before anything is looked up for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::app::App;
use crate::cookie_keys::{CookieKeys, CookieUse, NotOurs};
use crate::session_key::{SessionKey, new_session_value};

/// Between two lines of the log about forged cookies.
const PACE: Duration = Duration::from_mins(1);

/// Forged cookies since the log told of them last.
#[derive(Default)]
pub(crate) struct Forged {
    count: AtomicU64,
    told: AtomicI64,
}

impl App {
    /// The keys that sign.
    pub fn cookie_keys(&self) -> Arc<CookieKeys> {
        self.inner.cookie_keys.load_full()
    }

    /// Signs with other keys from now on.
    pub fn use_cookie_keys(&self, keys: CookieKeys) {
        self.inner.cookie_keys.store(Arc::new(keys));
    }

    /// A cookie and its key, for the forms of somebody who is not signed in.
    pub fn pre_session(&self) -> (String, SessionKey) {
        self.new_cookie(CookieUse::PreSession, UserId(0))
    }

    /// Which forms of somebody who is not signed in this cookie binds.
    pub fn pre_session_of(&self, cookie: &str) -> Option<SessionKey> {
        let key = self.key_of_cookie(CookieUse::PreSession, cookie)?;
        key.is_anonymous().then_some(key)
    }

    /// A new cookie of a session, and its key.
    pub(crate) fn new_cookie(&self, what: CookieUse, user: UserId) -> (String, SessionKey) {
        loop {
            let value = new_session_value(user, self.chance());
            if let Some(key) = SessionKey::of(&value) {
                return (self.inner.cookie_keys.load().sign(what, &value), key);
            }
        }
    }

    /// What a cookie that we signed stands for.
    pub(crate) fn key_of_cookie(&self, what: CookieUse, cookie: &str) -> Option<SessionKey> {
        let longest = self.inner.options.load().session.absolute;
        let (keys, now) = (self.inner.cookie_keys.load(), self.clock().now());
        match keys.open(what, cookie, now, longest) {
            Ok(value) => SessionKey::of(value),
            Err(NotOurs::Forged) => {
                self.inner.forged_cookies.note(now);
                None
            }
            // From before an upgrade or a key that is gone.
            Err(NotOurs::Unsigned | NotOurs::OfNoKey) => None,
        }
    }
}

impl Forged {
    /// The log tells of them, but not as often as they come.
    fn note(&self, now: Timestamp) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let told = self.told.load(Ordering::Relaxed);
        let is_due = told == 0 || now.since(Timestamp::from_millis(told)) >= PACE;
        let swap = |at| {
            self.told
                .compare_exchange(told, at, Ordering::Relaxed, Ordering::Relaxed)
        };
        if is_due && swap(now.millis()).is_ok() {
            self.count.fetch_sub(count, Ordering::Relaxed);
            tracing::warn!(
                count,
                "refused cookies that name a key of this server and were not signed by it: \
                 somebody tries to forge sessions"
            );
        }
    }
}
