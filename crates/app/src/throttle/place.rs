//! What a failure counts against, who tries, and what the operator has set.

use std::time::Duration;

use stagedoor_domain::time::{Clock, Timestamp};
use stagedoor_store::{FailureKind, FailurePlace};

use super::bucket::Rule;
use super::network::Network;

/// A network may fail so many times as often as one account from it.
const PER_NETWORK: u32 = 4;
/// What all strangers together may fail at once, and how fast that comes back: 20 a minute.
pub(super) const STRANGERS: Rule = Rule {
    most: 100,
    leak: Duration::from_secs(3),
    block: None,
};

/// The digest of an account's name.
pub(super) type Account = [u8; 16];

/// What a failure counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub kind: FailureKind,
    account: Account,
    network: Option<Network>,
}

/// Who tries a password.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor {
    pub account: Account,
    pub network: Network,
    /// The account has worked from there lately.
    pub is_known: bool,
}

impl Visitor {
    /// What decides whether they may try. Where an account is known, what strangers do elsewhere, or
    /// to others, does not count.
    pub fn judged_by(&self) -> impl Iterator<Item = Place> + use<> {
        let strangers = [Place::address(self.network), Place::all()];
        let also = if self.is_known { 0 } else { strangers.len() };
        std::iter::once(Place::pair(self)).chain(strangers.into_iter().take(also))
    }
}

/// What the operator has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures of one account from one address; at least 1.
    pub failures: u32,
    /// How long it is blocked then.
    pub blocked_for: Duration,
}

/// Now, in both ways.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Never jumps: what counts.
    pub monotonic: Duration,
    /// What is kept and shown.
    pub wall: Timestamp,
}

impl Now {
    pub fn of(clock: &dyn Clock) -> Self {
        Self {
            monotonic: clock.monotonic(),
            wall: clock.now(),
        }
    }
}

impl Place {
    pub fn pair(visitor: &Visitor) -> Self {
        Self {
            kind: FailureKind::Password,
            account: visitor.account,
            network: Some(visitor.network),
        }
    }

    pub fn address(network: Network) -> Self {
        Self {
            kind: FailureKind::Address,
            account: [0; 16],
            network: Some(network),
        }
    }

    /// Wrong tokens of a network.
    pub fn token(network: Network) -> Self {
        Self {
            kind: FailureKind::Token,
            ..Self::address(network)
        }
    }

    pub fn all() -> Self {
        Self {
            kind: FailureKind::All,
            account: [0; 16],
            network: None,
        }
    }

    /// None where the network cannot be read.
    pub fn of(kept: &FailurePlace) -> Option<Self> {
        let network = match kept.kind {
            FailureKind::All => None,
            _ => Some(Network::parse(&kept.network)?),
        };
        Some(Self {
            kind: kept.kind,
            account: kept.account,
            network,
        })
    }

    pub fn to_keep(self) -> FailurePlace {
        FailurePlace {
            kind: self.kind,
            account: self.account,
            network: self.network.map_or_else(String::new, |n| n.to_string()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures: 5,
            blocked_for: Duration::from_mins(15),
        }
    }
}

impl Limits {
    pub(super) fn rule(self, kind: FailureKind) -> Rule {
        let network = Rule {
            most: self.failures.saturating_mul(PER_NETWORK),
            leak: self.blocked_for / 5,
            block: Some(self.blocked_for),
        };
        match kind {
            FailureKind::Password => Rule {
                most: self.failures,
                leak: self.blocked_for.saturating_mul(12),
                block: Some(self.blocked_for),
            },
            FailureKind::Address | FailureKind::Token => network,
            FailureKind::All => STRANGERS,
        }
    }
}
