//! What users do with their own account: change the password, see and end their sessions.
//! Nobody needs a right for it, and nobody reaches anybody else's.

use std::fmt::Write as _;

use secrecy::ExposeSecret as _;
use stagedoor_domain::audit::{Act, Entry};
use stagedoor_domain::time::Timestamp;
use stagedoor_store::StoreError;

use crate::app::App;
use crate::password::{Busy, Password, Weak};
use crate::people::{SignInError, bound_address};
use crate::session_key::digest;
use crate::sessions::{NewSession, SignedIn};

/// One of one's own sessions, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSession {
    /// Names it in a form. Nobody is let in by it.
    pub id: String,
    /// When it began.
    pub created_at: Timestamp,
    /// Its last request, to the minute.
    pub last_seen: Timestamp,
    /// Where it began.
    pub address: String,
    /// What it began in, in a few words; may be empty.
    pub browser: String,
    /// It is the one that asks.
    pub is_this: bool,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The old one is wrong, or not looked at.
    #[error(transparent)]
    NotProved(#[from] SignInError),
    /// The new one is the old one.
    #[error("this is the password that you have already")]
    Same,
    /// The new one is not good enough.
    #[error(transparent)]
    Weak(#[from] Weak),
    /// The operator's command knows it, and not this server.
    #[error("your password is not kept here; change it where your other programs ask for it")]
    External,
    /// The session ended meanwhile.
    #[error("you are signed out")]
    Over,
}

impl From<StoreError> for ChangePasswordError {
    fn from(error: StoreError) -> Self {
        Self::NotProved(error.into())
    }
}

impl From<Busy> for ChangePasswordError {
    fn from(error: Busy) -> Self {
        Self::NotProved(error.into())
    }
}

impl App {
    /// One's own sessions that are not over: this one, then the one that was used last.
    pub async fn own_sessions(&self, who: &SignedIn) -> Result<Vec<OwnSession>, StoreError> {
        let (now, rules) = (self.clock().now(), self.options().session);
        let sessions = self.inner.store.sessions_of(who.user.id).await?;
        let mut own: Vec<OwnSession> = sessions
            .into_iter()
            .filter(|session| {
                now.since(session.created_at) < rules.absolute
                    && now.since(session.last_seen) < rules.idle
            })
            .map(|session| OwnSession {
                id: shown_id(&session.id_hash),
                is_this: session.id_hash == who.session.hash(),
                created_at: session.created_at,
                last_seen: session.last_seen,
                address: session.address,
                browser: session.browser,
            })
            .collect();
        own.sort_by_key(|session| !session.is_this);
        Ok(own)
    }

    /// Ends one of one's own sessions; false when there is none of this name.
    pub async fn end_own_session(&self, who: &SignedIn, id: &str) -> Result<bool, StoreError> {
        let sessions = self.inner.store.sessions_of(who.user.id).await?;
        let hashes = sessions.into_iter().map(|session| session.id_hash);
        let Some(hash) = hashes.into_iter().find(|hash| shown_id(hash) == id) else {
            return Ok(false);
        };
        self.recorded(self.ended(who)).end_session(hash).await
    }

    /// Ends one's own sessions but for this one; how many there were.
    pub async fn end_other_sessions(&self, who: &SignedIn) -> Result<usize, StoreError> {
        let (user, this) = (who.user.id, who.session.hash());
        let store = self.recorded(self.ended(who).with("which", "all others"));
        store.end_other_sessions(user, this).await
    }

    /// Ends all of one's own sessions, this one too.
    pub async fn sign_out_everywhere(&self, who: &SignedIn) -> Result<(), StoreError> {
        self.inner.csrf.forget(&who.session);
        let store = self.recorded(self.ended(who).with("which", "all"));
        store.end_sessions_of(who.user.id).await?;
        Ok(())
    }

    fn ended(&self, who: &SignedIn) -> Entry {
        let entry = self.entry(Act::SessionsEnded, &who.origin());
        entry.on(who.user.name.as_str())
    }

    /// Does the operator's command know one's password, and not this server?
    pub async fn is_external(&self, who: &SignedIn) -> Result<bool, StoreError> {
        let record = self.inner.store.user(who.user.id).await?;
        Ok(record.is_some_and(|record| record.is_external))
    }

    /// Changes one's own password. The other sessions end; this one goes on under another secret.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        old: Password,
        new: Password,
    ) -> Result<NewSession, ChangePasswordError> {
        let is_same = old.expose_secret() == new.expose_secret();
        self.prove(who, old).await?;
        if self.is_external(who).await? {
            return Err(ChangePasswordError::External);
        }
        if is_same {
            return Err(ChangePasswordError::Same);
        }
        let (hasher, place) = (&self.inner.hasher, bound_address(who.address));
        let name = who.user.name.clone();
        hasher.judge(new.clone(), name, place.clone()).await??;
        let hash = hasher.hash(new, self.chance(), place).await?;
        let renewed = self.new_secret(who.user.clone());
        let renewal = self.renewal(who, &renewed);
        let entry = self.entry(Act::PasswordChanged, &who.origin());
        let store = self.recorded(entry.on(who.user.name.as_str()));
        let goes_on = store.change_password(who.user.id, hash, renewal).await?;
        self.inner.csrf.forget(&who.session);
        if !goes_on {
            return Err(ChangePasswordError::Over);
        }
        Ok(renewed)
    }
}

/// What a session is called on a page: neither its secret nor what the store knows it by.
fn shown_id(id_hash: &[u8; 32]) -> String {
    let shown = digest(&[b"session on a page", id_hash]);
    shown.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
