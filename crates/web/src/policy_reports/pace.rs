//! How many messages are taken in a minute, from one network and in all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
/// From one network. A page that is full of what is not allowed sends some dozens.
const MOST_OF_ONE: u32 = 60;
/// From everybody. There is never a count for more networks than this.
const MOST: u32 = 600;

/// Counts the present minute.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    began: Duration,
    all: u32,
    by_network: HashMap<IpAddr, u32>,
}

impl Pace {
    /// Is there room for one more from this network? `now` never jumps.
    pub fn admits(&self, network: IpAddr, now: Duration) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(minute.began) >= MINUTE {
            minute.began = now;
            minute.all = 0;
            minute.by_network.clear();
        }
        if minute.all >= MOST {
            return false;
        }
        let here = minute.by_network.entry(network).or_default();
        if *here >= MOST_OF_ONE {
            return false;
        }
        *here += 1;
        minute.all += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn one_network_cannot_take_the_room_of_others() {
        let (pace, now) = (Pace::default(), Duration::from_secs(1000));
        let taken = |n| (0..100).filter(|_| pace.admits(network(n), now)).count();
        assert_eq!(taken(1), 60);
        assert_eq!(taken(2), 60);
        assert!(pace.admits(network(1), now + MINUTE), "a minute later");
    }

    #[test]
    fn all_together_are_bounded_and_so_is_what_is_kept_of_them() {
        let (pace, now) = (Pace::default(), Duration::from_secs(1000));
        let taken = (0..100_000)
            .filter(|n| pace.admits(network(*n), now))
            .count();
        assert_eq!(taken, 600);
        let minute = pace.0.lock().expect("not poisoned");
        assert_eq!(minute.by_network.len(), 600);
    }
}
