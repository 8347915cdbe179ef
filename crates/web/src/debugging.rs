//! The cause of a failure, shown to one who looks for it: an administrator at an address that the operator
//! named, for a while after the start (rows P2, P3). Nobody else is told more than the failure's id, and
//! nothing here shows a file (row W20).

use std::net::IpAddr;
use std::time::Duration;

use axum::response::Response;
use stagedoor_config::Debug;
use stagedoor_domain::access::{Grants, User, may_admin};

use crate::problem;

/// Who may see causes, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Debugging {
    clients: Vec<IpAddr>,
    /// On the monotonic clock: a wall clock that is set does not lengthen it.
    ends: Duration,
}

impl Debugging {
    /// Begins now, which is a time of the monotonic clock.
    pub fn begin(debug: &Debug, now: Duration) -> Self {
        Self {
            clients: debug.clients.clone(),
            ends: now.saturating_add(debug.lasts),
        }
    }

    /// Says in the log that it has begun, and later that it is over.
    pub async fn announce(self, now: Duration) {
        let left = self.ends.saturating_sub(now);
        tracing::warn!(
            clients = ?self.clients,
            minutes = left.as_secs().div_ceil(60),
            "administrators at these addresses see the causes of failures; take [debug] out when it is found"
        );
        tokio::time::sleep(left).await;
        tracing::info!("causes of failures are shown to nobody any more");
    }

    /// Marks a failure's cause to be shown, if `user` at `peer` may see it. `peer` is the true client.
    pub fn reveal(&self, response: &mut Response, peer: IpAddr, who: Who<'_>, now: Duration) {
        if self.is_for(peer, who, now) {
            problem::show_cause(response);
        }
    }

    fn is_for(&self, peer: IpAddr, (user, grants): Who<'_>, now: Duration) -> bool {
        now < self.ends
            && self.clients.contains(&peer.to_canonical())
            && may_admin(user, grants).is_ok()
    }
}

/// Who asks, and what says whether they administer.
pub(crate) type Who<'a> = (&'a User, &'a Grants);

#[cfg(test)]
mod tests {
    use super::*;
    use stagedoor_domain::id::UserId;
    use stagedoor_domain::name::{GroupName, UserName};

    fn person(group: &str) -> User {
        User::new(
            UserId(1),
            UserName::parse("ann").expect("a name"),
            [GroupName::parse(group).expect("a name")].into(),
        )
    }

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn p3_only_an_administrator_at_a_named_address_sees_causes_and_only_for_a_while() {
        let (now, debug) = (
            Duration::from_secs(100),
            Debug {
                clients: vec![at("127.0.0.2")],
                lasts: Duration::from_mins(15),
            },
        );
        let debugging = Debugging::begin(&debug, now);
        let none = Grants::default();
        let (admin, other) = (person(GroupName::ADMINS), person("ops"));
        assert!(debugging.is_for(at("127.0.0.2"), (&admin, &none), now));
        assert!(debugging.is_for(at("::ffff:127.0.0.2"), (&admin, &none), now));
        assert!(!debugging.is_for(at("127.0.0.1"), (&admin, &none), now));
        assert!(!debugging.is_for(at("127.0.0.2"), (&other, &none), now));
        let later = now + Duration::from_mins(16);
        assert!(!debugging.is_for(at("127.0.0.2"), (&admin, &none), later));
    }
}
