//! The door of programs. A token cannot be guessed, so what is bounded here is noise; but whoever
//! tries wrong ones from an address gets no right one tried either, unless it has worked from there.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::id::UserId;
use stagedoor_store::StoreError;

use super::place::{Now, Place};
use super::{Blocked, Network};
use crate::app::App;
use crate::people::{BadToken, ByToken};

/// Why a token did not let anybody in.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// Too many wrong ones came from this address.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// It is not good, or not for this.
    #[error(transparent)]
    Bad(#[from] BadToken),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Who this API token belongs to, if it is good and the client did not try too many that were
    /// not. Failures of passwords do not count here.
    pub async fn bearer_from(&self, token: &str, address: IpAddr) -> Result<ByToken, BearerError> {
        let network = Network::of(address);
        let blocked = self.token_block(network).await;
        // One that is refused has not worked from there.
        let noted = blocked.is_none().then_some(network);
        let found = self.bearer_noting(token, address, noted).await?;
        match (found, blocked) {
            (Ok(found), None) => Ok(found),
            (Ok(found), Some(_)) if self.has_worked(token, network).await? => Ok(found),
            (_, Some(wait)) => Err(Blocked { wait }.into()),
            (Err(bad), None) => {
                self.note_wrong_token(address, &bad).await;
                Err(bad.into())
            }
        }
    }

    /// How long tokens of this network wait.
    async fn token_block(&self, network: Network) -> Option<Duration> {
        let throttle = &self.inner.throttle;
        if !throttle.blocks_tokens.load(Ordering::Relaxed) {
            return None;
        }
        let (place, limits) = (Place::token(network), self.options().sign_in);
        let wait = throttle
            .book()
            .wait(&place, limits, self.clock().monotonic())?;
        (!self.is_lifted(place).await).then_some(wait)
    }

    async fn has_worked(&self, token: &str, network: Network) -> Result<bool, StoreError> {
        let subject = self.subject("token", token.as_bytes());
        Ok(self.known(subject, network).await?.is_some())
    }

    /// Counts a wrong one. However many there are and wherever they come from, few are written down;
    /// each of those says how many it stands for.
    async fn note_wrong_token(&self, address: IpAddr, bad: &BadToken) {
        let (network, limits) = (Network::of(address), self.options().sign_in);
        self.is_lifted(Place::token(network)).await;
        let counted = {
            let now = Now::of(self.clock());
            let mut book = self.inner.throttle.book();
            book.failed_token(network, limits, now)
        };
        let Some(changes) = counted else {
            return;
        };
        if !changes.blocked.is_empty() {
            let blocks = &self.inner.throttle.blocks_tokens;
            blocks.store(true, Ordering::Relaxed);
        }
        let by = Origin::stranger(address);
        let token = bad.token().map(|number| format!("token {number}"));
        let refusal = self
            .entry(Act::TokenUsed, &by)
            .on(token.unwrap_or_default());
        let refusal = refusal.with("why", bad.to_string()).refused();
        let refusal = match changes.left_out {
            0 => refusal,
            left_out => refusal.with("left_out_before", left_out),
        };
        let blocks = self.note_blocks(&changes.blocked, &by, "");
        tokio::join!(self.keep(changes), self.note(refusal), blocks);
    }

    /// Notes that a token works from there; at most once a minute somebody asks for it.
    pub(crate) async fn remember_token(&self, token: &str, network: Network, user: UserId) {
        let subject = self.subject("token", token.as_bytes());
        match self.known(subject, network).await {
            Ok(last) => self.remember(subject, network, user, last).await,
            Err(error) => tracing::warn!(%error, "could not look up where a token works"),
        }
    }
}
