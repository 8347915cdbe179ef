//! A user who is signed in proves once more who they are, before what would hurt most in the hands
//! of somebody else who found the browser open.

use crate::app::App;
use crate::password::{Busy, Password};
use crate::people::bound_address;
use crate::sessions::{NewSession, SignedIn, Visitor};
use stagedoor_store::StoreError;

/// Why the password was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// It is not this user's.
    #[error("the password is wrong")]
    Refused,
    /// The session ended meanwhile.
    #[error("you are signed out")]
    Over,
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Takes the password once more. The session goes on under another secret (ASVS 7.2.4), and
    /// counts as confirmed for a while; no other session of this user does.
    pub async fn confirm(
        &self,
        who: &SignedIn,
        password: Password,
        visitor: Visitor,
    ) -> Result<NewSession, ConfirmError> {
        if !self.is_password_of(who, password, &visitor).await? {
            return Err(ConfirmError::Refused);
        }
        let renewed = self.renew_session(who).await?;
        renewed.ok_or(ConfirmError::Over)
    }

    /// Every password that somebody who is signed in gives comes through here, so this is the place
    /// where wrong ones are counted.
    pub(crate) async fn is_password_of(
        &self,
        who: &SignedIn,
        password: Password,
        visitor: &Visitor,
    ) -> Result<bool, ConfirmError> {
        let record = self.inner.store.user(who.user.id).await?;
        let hash = record.filter(|record| !record.disabled);
        let hash = hash.map(|record| record.password_hash);
        let place = bound_address(visitor.address);
        let is_right = self.inner.hasher.matches(password, hash, place).await?;
        if !is_right {
            tracing::warn!(
                user = %who.user.name,
                address = %visitor.address,
                "somebody who is signed in gave a wrong password"
            );
        }
        Ok(is_right)
    }
}
