//! How many connections there may be, in all and from one address, and who goes when somebody else
//! wants in: of the client who has the most, one for whom nothing is being done.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seat::Seat;

/// In all.
const MOST: usize = 1024;
/// From one address, or one /64 network of IPv6.
const MOST_PER_ADDRESS: usize = 128;

/// The same where nothing but the way to HTTPS is told, so that who floods that takes no place there.
const MOST_REDIRECTS: usize = 128;
const MOST_REDIRECTS_PER_ADDRESS: usize = 32;

/// Counts them.
#[derive(Debug)]
pub(super) struct Limits {
    most: usize,
    most_per_address: usize,
    open: Mutex<Open>,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(MOST, MOST_PER_ADDRESS)
    }
}

#[derive(Debug, Default)]
struct Open {
    by_address: HashMap<IpAddr, usize>,
    /// Those that count, the oldest first.
    seats: BTreeMap<u64, Held>,
    next: u64,
}

#[derive(Debug)]
struct Held {
    /// Whose it is; none while that is a proxy, who has many.
    network: Option<IpAddr>,
    seat: Arc<Seat>,
}

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    limits: Arc<Limits>,
    number: u64,
    seat: Arc<Seat>,
}

impl Limits {
    /// Of the listeners that lead to HTTPS.
    pub fn of_redirects() -> Self {
        Self::of(MOST_REDIRECTS, MOST_REDIRECTS_PER_ADDRESS)
    }

    fn of(most: usize, most_per_address: usize) -> Self {
        Self {
            most,
            most_per_address,
            open: Mutex::default(),
        }
    }

    /// A place for a connection from this address, if there is one or somebody else has to go.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut place = self.enter_as(Some(network(address)))?;
        place.belongs_to(address).then_some(place)
    }

    /// A place for a connection of a trusted proxy: it counts among all, and not for its address.
    pub fn enter_proxy(self: &Arc<Self>) -> Option<Place> {
        self.enter_as(None)
    }

    fn enter_as(self: &Arc<Self>, newcomer: Option<IpAddr>) -> Option<Place> {
        let mut open = self.open();
        if open.seats.len() >= self.most && !open.make_room(newcomer) {
            return None;
        }
        let (number, seat) = (open.next, Arc::new(Seat::default()));
        open.next += 1;
        let held = Held {
            network: None,
            seat: Arc::clone(&seat),
        };
        open.seats.insert(number, held);
        Some(Place {
            limits: Arc::clone(self),
            number,
            seat,
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
        // One that was told to go counts no more.
        let Some(before) = open.seats.get_mut(&self.number) else {
            return false;
        };
        let before = before.network.take();
        open.leave(before);
        let here = open.by_address.entry(network).or_default();
        if *here >= self.limits.most_per_address {
            return false;
        }
        *here += 1;
        if let Some(held) = open.seats.get_mut(&self.number) {
            held.network = Some(network);
        }
        true
    }

    /// What the connection and its requests say of themselves.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Open {
    /// Tells somebody to go, whose place is free at once. Not for who has the most already.
    fn make_room(&mut self, newcomer: Option<IpAddr>) -> bool {
        let most = self.by_address.iter().max_by_key(|(_, count)| **count);
        let Some(hog) = most.map(|(network, _)| *network) else {
            return false;
        };
        if newcomer == Some(hog) {
            return false;
        }
        let is_idle = |held: &Held| held.network == Some(hog) && !held.seat.is_busy();
        let oldest = self.seats.iter().find(|(_, held)| is_idle(held));
        let Some((number, held)) = oldest else {
            return false;
        };
        held.seat.tell_to_go();
        let number = *number;
        self.leave(Some(hog));
        self.seats.remove(&number);
        true
    }

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
        if let Some(held) = open.seats.remove(&self.number) {
            open.leave(held.network);
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
        assert_eq!((open.seats.len(), open.by_address.len()), (0, 0));
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
        assert_eq!(limits.open().seats.len(), MOST);
        drop(held);
        let open = limits.open();
        assert_eq!((open.seats.len(), open.by_address.len()), (0, 0));
    }

    /// All places taken, the first 120 of them by one client, the others by many.
    fn full(limits: &Arc<Limits>) -> Vec<Place> {
        let client = |n: usize| if n < 120 { 0 } else { 1 + n % 9 };
        let held: Vec<_> = (0..MOST)
            .filter_map(|n| limits.enter(address(&format!("10.0.0.{}", client(n)))))
            .collect();
        assert_eq!(held.len(), MOST);
        held
    }

    #[tokio::test]
    async fn b7_who_has_the_most_gives_a_place_on_which_nothing_is_done() {
        let limits = Arc::new(Limits::default());
        let held = full(&limits);
        // The oldest is answered, so the second goes.
        let busy = held[0].seat().begin();
        let newcomer = limits.enter(address("10.0.1.1"));
        assert!(newcomer.is_some());
        let told = held.iter().position(|place| {
            let mut waits = Box::pin(place.seat().told_to_go());
            futures_util::FutureExt::now_or_never(&mut waits).is_some()
        });
        assert_eq!(told, Some(1));
        assert_eq!(limits.open().seats.len(), MOST);
        drop((busy, held, newcomer));
        let open = limits.open();
        assert_eq!((open.seats.len(), open.by_address.len()), (0, 0));
    }

    #[test]
    fn b7_nobody_goes_for_who_has_the_most_or_while_all_are_answered() {
        let limits = Arc::new(Limits::default());
        let held = full(&limits);
        let somebody = address("10.0.1.1");
        assert!(limits.enter(address("10.0.0.0")).is_none(), "it has most");
        let busy: Vec<_> = held.iter().map(|place| place.seat().begin()).collect();
        assert!(limits.enter(somebody).is_none(), "all are answered");
        drop(busy);
        assert!(limits.enter(somebody).is_some());
    }
}
