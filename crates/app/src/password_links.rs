//! One-time links that administrators give: who has one chooses a password and is signed in.

use stagedoor_domain::audit::{Act, Origin};
use stagedoor_store::{StoreError, UserRecord};

use crate::app::App;
use crate::password::Password;
use crate::people::{SetUpError, bound_address};
use crate::session_key::setup_hash;
use crate::sessions::{NewSession, Visitor};

impl App {
    /// Whose link to choose a password this is, if it is good.
    pub async fn link_owner(&self, key: &str) -> Result<Option<UserRecord>, StoreError> {
        let now = self.clock().now();
        self.inner.store.password_link(setup_hash(key), now).await
    }

    /// Sets the password that the owner of a link has chosen, and signs them in.
    pub async fn choose_password(
        &self,
        key: &str,
        password: Password,
        visitor: Visitor,
    ) -> Result<NewSession, SetUpError> {
        let address = visitor.address;
        let (hash, now) = (setup_hash(key), self.clock().now());
        let owner = self.inner.store.password_link(hash, now).await?;
        // Whoever has no good link makes the server do no work.
        let owner = owner.ok_or(SetUpError::UnknownLink)?;
        let (owner, is_external) = (owner.user, owner.is_external);
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
        let became = if is_external { "local" } else { "" };
        let store = self.recorded(entry.with("by", "link").with("became", became));
        let used = store.use_password_link(hash, now, chosen).await?;
        used.ok_or(SetUpError::UnknownLink)?;
        let opened = self.open_session(owner, visitor, None).await?;
        opened.ok_or(SetUpError::UnknownLink)
    }
}
