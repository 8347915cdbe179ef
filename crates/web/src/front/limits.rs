//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// In all.
const MOST: usize = 1024;
/// From one address, or one /64 network of IPv6.
const MOST_PER_ADDRESS: usize = 128;

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Limits {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    limits: Arc<Limits>,
    network: IpAddr,
}

impl Limits {
    /// A place for a connection from this address, if there is one.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_address.get(&network).copied().unwrap_or(0);
        if open.all >= MOST || here >= MOST_PER_ADDRESS {
            return None;
        }
        open.all += 1;
        open.by_address.insert(network, here + 1);
        Some(Place {
            limits: Arc::clone(self),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .limits
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        let left = open
            .by_address
            .get(&self.network)
            .map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            open.by_address.remove(&self.network);
        } else {
            open.by_address.insert(self.network, left);
        }
    }
}

/// What counts as one client: an address, or one /64 network of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let limits = Arc::new(Limits::default());
        let held: Vec<_> = (0..MOST_PER_ADDRESS)
            .filter_map(|_| limits.enter(address("10.0.0.1")))
            .collect();
        assert_eq!(held.len(), MOST_PER_ADDRESS);
        assert!(limits.enter(address("10.0.0.1")).is_none());
        assert!(limits.enter(address("10.0.0.2")).is_some());
        drop(held);
        assert!(limits.enter(address("10.0.0.1")).is_some());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        assert_eq!(
            network(address("2001:db8::1")),
            network(address("2001:db8::2"))
        );
        assert_ne!(
            network(address("2001:db8::1")),
            network(address("2001:db8:0:1::1"))
        );
        assert_eq!(network(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }

    #[test]
    fn places_are_bounded_in_all_and_given_back() {
        let limits = Arc::new(Limits::default());
        let held: Vec<_> = (0..=MOST)
            .filter_map(|n| limits.enter(IpAddr::from([10, 0, u8::try_from(n / 100).ok()?, 1])))
            .collect();
        assert_eq!(held.len(), MOST);
        drop(held);
        let open = limits.open.lock().expect("not poisoned");
        assert_eq!((open.all, open.by_address.len()), (0, 0));
    }
}
