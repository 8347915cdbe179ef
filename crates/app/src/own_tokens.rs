//! A person's own tokens: made on the account's page, shown once, and ended there.

use std::net::IpAddr;

use stagedoor_domain::access::{Scope, User};
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::network::Network;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{AddTokenError, NewToken, StoreError, TokenId, TokenRecord};

use crate::app::App;
use crate::session_key::{new_api_token, token_hash};

/// A token that somebody wants for themselves.
#[derive(Debug, Clone)]
pub struct WantedToken {
    /// What it is for.
    pub name: String,
    /// What it may at most.
    pub scope: Scope,
    /// From where it may be sent; none: from everywhere.
    pub addresses: Vec<Network>,
    /// None: it does not expire.
    pub expires_at: Option<Timestamp>,
}

impl App {
    /// One's own tokens, oldest first.
    pub async fn own_tokens(&self, user: &User) -> Result<Vec<TokenRecord>, StoreError> {
        self.inner.store.list_tokens(Some(user.id)).await
    }

    /// Makes a token of one's own; its text, which is kept nowhere.
    pub async fn make_token(
        &self,
        owner: &User,
        address: IpAddr,
        wanted: WantedToken,
    ) -> Result<String, AddTokenError> {
        let token = new_api_token(self.chance());
        let by = Origin::user(owner, address);
        let entry = self
            .entry(Act::TokenCreated, &by)
            .on(owner.name.as_str())
            .with("may", wanted.scope.actions.to_string());
        let new = NewToken {
            hash: token_hash(&token),
            user: owner.id,
            name: wanted.name,
            expires_at: wanted.expires_at,
            scope: wanted.scope,
            addresses: wanted.addresses,
        };
        let now = self.clock().now();
        self.recorded(entry).add_token(new, now).await?;
        Ok(token)
    }

    /// Ends a token of one's own; false when there is none of that number, or it is another's.
    pub async fn revoke_own_token(
        &self,
        owner: &User,
        address: IpAddr,
        id: TokenId,
    ) -> Result<bool, StoreError> {
        let entry = self.entry(Act::TokenRevoked, &Origin::user(owner, address));
        let entry = entry.on(format!("token {}", id.0));
        self.recorded(entry).revoke_token_of(id, owner.id).await
    }
}
