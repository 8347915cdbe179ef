//! The doors that ask for a password.

use std::net::IpAddr;

use stagedoor_domain::access::User;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::StoreError;

use super::book::Book;
use super::place::{Now, Visitor};
use super::{Blocked, Network};
use crate::app::App;
use crate::password::Password;
use crate::people::SignInError;
use crate::to_the_end::ToTheEnd;

/// A name as it counts and is looked for: other case and spaces are the same name, so that they
/// are no further tries.
pub(crate) fn canonical(name: &str) -> String {
    let kept = name
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control());
    kept.flat_map(char::to_lowercase).collect()
}

/// A try that was let in. Dropped without a word, because of an error, it counts for nothing: nobody
/// has heard an answer.
pub(crate) struct Attempt {
    app: App,
    visitor: Visitor,
    /// When the account last worked from there.
    last: Option<Timestamp>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.app.inner.throttle.book().done(&self.visitor);
    }
}

impl App {
    /// Lets a try for this account in, or says how long to wait. What it costs and says does not
    /// depend on whether somebody has that name.
    pub(crate) async fn attempt(
        &self,
        name: &str,
        address: IpAddr,
    ) -> Result<Attempt, AttemptError> {
        let network = Network::of(address);
        let account = self.subject("account", name.as_bytes());
        let last = self.known(account, network).await?;
        let visitor = Visitor {
            account,
            network,
            is_known: last.is_some(),
        };
        let begin = || {
            let limits = self.options().sign_in;
            let mut book = self.inner.throttle.book();
            book.begin(&visitor, limits, self.clock().monotonic())
        };
        let mut lifted = 0;
        loop {
            match begin() {
                Ok(()) => {
                    let app = self.clone();
                    return Ok(Attempt { app, visitor, last });
                }
                // Each of a visitor's three places may have been.
                Err((place, _)) if lifted < 3 && self.is_lifted(place).await => lifted += 1,
                Err((_, wait)) => return Err(Blocked { wait }.into()),
            }
        }
    }

    /// Is this the password of somebody who is signed in already? For what asks for it once more.
    /// Failures count as those of signing in do.
    pub async fn confirm_password(
        &self,
        user: &User,
        password: Password,
        address: IpAddr,
    ) -> Result<(), SignInError> {
        let (app, user) = (self.clone(), user.clone());
        // Who goes away before the answer has tried all the same.
        ToTheEnd::new(async move { app.confirm_as(&user, password, address).await }).await
    }

    async fn confirm_as(
        &self,
        user: &User,
        password: Password,
        address: IpAddr,
    ) -> Result<(), SignInError> {
        let attempt = self.attempt(user.name.as_str(), address).await?;
        let record = self.inner.store.user(user.id).await?;
        let name = user.name.as_str();
        if self
            .is_right(name, record, password, address)
            .await?
            .is_some()
        {
            attempt.succeeded(user.id).await;
            Ok(())
        } else {
            let by = Origin::user(user, address);
            attempt
                .failed(Act::IdentityConfirmed, &by, Some(user))
                .await;
            Err(SignInError::Refused)
        }
    }
}

/// Why a try was not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    #[error(transparent)]
    Blocked(#[from] Blocked),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Attempt {
    /// The password was right.
    pub async fn succeeded(self, user: UserId) {
        let Visitor {
            account, network, ..
        } = self.visitor;
        let changes = self.app.inner.throttle.book().succeeded(&self.visitor);
        self.app.keep(changes).await;
        self.app.remember(account, network, user, self.last).await;
    }

    /// It was wrong; `user` is whose account it would have been. What is no account's name is not
    /// recorded: people type their password there.
    pub async fn failed(self, act: Act, by: &Origin, user: Option<&User>) {
        let app = &self.app;
        let limits = app.options().sign_in;
        // A block that goes on here only is over: this failure begins anew.
        for place in Book::counted(&self.visitor) {
            app.is_lifted(place).await;
        }
        let changes = {
            let now = Now::of(app.clock());
            let mut book = app.inner.throttle.book();
            book.failed(&self.visitor, user.map(|user| user.id), limits, now)
        };
        let name = user.map_or("", |user| user.name.as_str());
        let refusal = app.entry(act, by).on(name).refused();
        let blocks = app.note_blocks(&changes.blocked, by, name);
        // Together, so that they share a transaction.
        tokio::join!(app.keep(changes), app.note(refusal), blocks);
    }
}
