//! Tells the operator that somebody who is no proxy of theirs speaks like one, without letting
//! that somebody fill the log.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stagedoor_domain::time::Timestamp;

/// Between two lines in the log.
const PAUSE: Duration = Duration::from_mins(1);

/// How often it happened since it was told last. One count for everybody, so nothing grows.
#[derive(Debug, Default)]
pub(in crate::front) struct Spoofs(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    told: Option<Timestamp>,
    untold: u64,
}

impl Spoofs {
    /// One request of `peer` had the headers of a proxy, which were ignored.
    pub fn note(&self, peer: IpAddr, now: Timestamp) {
        if let Some(untold) = self.due(now) {
            tracing::warn!(
                event = "spoof_attempt",
                %peer,
                untold,
                "ignored forwarding headers of somebody who is not a trusted proxy; if this is your proxy, add its \
                 address to `proxy.trusted`"
            );
        }
    }

    /// One request of `peer` had such headers, and no proxy is set.
    pub fn note_unset(&self, peer: IpAddr, now: Timestamp) {
        if let Some(untold) = self.due(now) {
            tracing::warn!(
                %peer,
                untold,
                "ignored forwarding headers; if a proxy of yours stands before this server, set `behind_proxy`, \
                 `proxy.trusted` and `proxy.hops`, or nobody can sign in through it"
            );
        }
    }

    /// How many were not told, if it is time for a line.
    fn due(&self, now: Timestamp) -> Option<u64> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that jumped back must not silence it.
        let waits = |told: Timestamp| told <= now && now.since(told) < PAUSE;
        if count.told.is_some_and(waits) {
            count.untold = count.untold.saturating_add(1);
            return None;
        }
        count.told = Some(now);
        Some(std::mem::take(&mut count.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_minute_that_counts_the_rest() {
        let spoofs = Spoofs::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert_eq!(spoofs.due(at(100)), Some(0));
        for _ in 0..1000 {
            assert_eq!(spoofs.due(at(159)), None);
        }
        assert_eq!(spoofs.due(at(160)), Some(1000));
        assert_eq!(spoofs.due(at(161)), None);
        assert_eq!(spoofs.due(at(5)), Some(1), "the clock went back");
    }
}
