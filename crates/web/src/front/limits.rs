//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Whose connections it counts among; none while that is a proxy, who has many.
    network: Option<IpAddr>,
}

impl Limits {
    /// A place for a connection from this address, if there is one.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut place = self.enter_proxy()?;
        place.belongs_to(address).then_some(place)
    }

    /// A place for a connection of a trusted proxy: it counts among all, and not for its address.
    pub fn enter_proxy(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.open();
        if open.all >= MOST {
            return None;
        }
        open.all += 1;
        Some(Place {
            limits: Arc::clone(self),
            network: None,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// From now on it counts for this client too; false when the client has too many.
    pub fn belongs_to(&mut self, client: IpAddr) -> bool {
        let network = network(client);
        let mut open = self.limits.open();
        open.leave(self.network.take());
        let here = open.by_address.entry(network).or_default();
        if *here >= MOST_PER_ADDRESS {
            return false;
        }
        *here += 1;
        self.network = Some(network);
        true
    }
}

impl Open {
    fn leave(&mut self, network: Option<IpAddr>) {
        let Some(network) = network else { return };
        if let Entry::Occupied(mut count) = self.by_address.entry(network) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.limits.open();
        open.all = open.all.saturating_sub(1);
        open.leave(self.network.take());
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
    fn b7_a_proxy_may_have_more_and_each_of_its_clients_may_not() {
        let limits = Arc::new(Limits::default());
        let mut held: Vec<_> = (0..=MOST_PER_ADDRESS)
            .filter_map(|_| limits.enter_proxy())
            .collect();
        assert_eq!(held.len(), MOST_PER_ADDRESS + 1);
        let client = address("10.0.0.1");
        let has_place = |place: &mut Place| place.belongs_to(client);
        assert_eq!(
            held.iter_mut()
                .filter_map(|p| has_place(p).then_some(()))
                .count(),
            MOST_PER_ADDRESS
        );
        assert!(limits.enter(client).is_none());
        assert!(limits.enter(address("10.0.0.2")).is_some());
        drop(held);
        assert!(limits.enter(client).is_some());
        let open = limits.open();
        assert_eq!((open.all, open.by_address.len()), (0, 0));
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
        let open = limits.open();
        assert_eq!((open.all, open.by_address.len()), (0, 0));
    }
}
