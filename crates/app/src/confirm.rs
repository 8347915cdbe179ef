//! A user who is signed in proves once more who they are, before what would hurt most in the hands
//! of somebody else who found the browser open.

use stagedoor_store::StoreError;

use crate::app::App;
use crate::password::Password;
use crate::people::SignInError;
use crate::sessions::{NewSession, SignedIn};

/// Why the password was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// It is wrong, or not looked at.
    #[error(transparent)]
    NotProved(#[from] SignInError),
    /// The session ended meanwhile.
    #[error("you are signed out")]
    Over,
}

impl From<StoreError> for ConfirmError {
    fn from(error: StoreError) -> Self {
        Self::NotProved(error.into())
    }
}

impl App {
    /// Takes the password once more. The session goes on under another secret (ASVS 7.2.4), and
    /// counts as confirmed for a while; no other session of this user does.
    pub async fn confirm(
        &self,
        who: &SignedIn,
        password: Password,
    ) -> Result<NewSession, ConfirmError> {
        self.prove(who, password).await?;
        let renewed = self.renew_session(who).await?;
        renewed.ok_or(ConfirmError::Over)
    }

    /// Every password that somebody who is signed in gives comes through here: wrong ones count as
    /// those of signing in do, and are recorded.
    pub(crate) async fn prove(
        &self,
        who: &SignedIn,
        password: Password,
    ) -> Result<(), SignInError> {
        // What is refused without a look is not recorded: it costs whoever sends it nothing.
        self.confirm_password(&who.user, password, who.address)
            .await
    }
}
