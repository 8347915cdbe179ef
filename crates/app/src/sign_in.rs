//! Signing in with name and password, whoever knows the password.

use std::net::IpAddr;

use stagedoor_domain::access::User;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::name::UserName;
use stagedoor_store::UserRecord;

use crate::app::App;
use crate::password::Password;
use crate::people::{SignInError, bound_address};
use crate::sessions::{NewSession, Visitor};
use crate::throttle::canonical;
use crate::to_the_end::ToTheEnd;

impl App {
    /// Signs in with name and password. Unknown, disabled and wrong look and take the same, and so
    /// they do once too much has failed.
    pub async fn sign_in(
        &self,
        name: &str,
        password: Password,
        visitor: Visitor,
    ) -> Result<NewSession, SignInError> {
        let (app, name) = (self.clone(), canonical(name));
        // Who goes away before the answer has tried all the same.
        ToTheEnd::new(async move { app.sign_in_as(name, password, visitor).await }).await
    }

    async fn sign_in_as(
        &self,
        name: String,
        password: Password,
        visitor: Visitor,
    ) -> Result<NewSession, SignInError> {
        let address = visitor.address;
        let attempt = self.attempt(&name, address).await?;
        let record = match UserName::parse(&name) {
            Ok(name) => self.inner.store.user_by_name(&name).await?,
            Err(_) => None,
        };
        // What the password is compared with: it may be another one when that is done.
        let compared = record
            .as_ref()
            .filter(|record| !record.is_external)
            .map(|record| record.password_hash.clone());
        let whose = record.as_ref().map(|record| record.user.clone());
        if let Some(user) = self.is_right(&name, record, password, address).await? {
            let opened = self.open_session(user, visitor, compared).await?;
            let session = opened.ok_or(SignInError::Refused)?;
            attempt.succeeded(session.user.id).await;
            tracing::info!(user = %session.user.name, %address, "signed in");
            return Ok(session);
        }
        let by = Origin::stranger(address);
        attempt.failed(Act::SignIn, &by, whose.as_ref()).await;
        tracing::info!(%address, "a sign-in was refused");
        Err(SignInError::Refused)
    }

    /// Whose password this is, if it is that of `record` or, where nobody here has the name, of
    /// somebody whom the operator's command knows. A local account is asked for here alone: no
    /// command speaks for it, and it goes on when there is none.
    pub(crate) async fn is_right(
        &self,
        name: &str,
        record: Option<UserRecord>,
        password: Password,
        address: IpAddr,
    ) -> Result<Option<User>, SignInError> {
        let command = self.options().external.clone();
        if let Some(command) = command
            && record.as_ref().is_none_or(|record| record.is_external)
        {
            let asked = self.ask_command(command, name, record, password, address);
            return asked.await;
        }
        let record = record.filter(|record| !record.disabled && !record.is_external);
        let hash = record.as_ref().map(|record| record.password_hash.clone());
        let hasher = &self.inner.hasher;
        let matches = hasher
            .matches(password, hash, bound_address(address))
            .await?;
        Ok(record.map(|record| record.user).filter(|_| matches))
    }
}
