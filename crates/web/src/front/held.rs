//! How many bytes of requests' bodies one HTTP/2 connection may have here at once. Its windows bound
//! what is under way; what handlers have read and still work on is bounded here: else a hundred
//! requests of a megabyte each would be a hundred megabytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Four of the largest bodies.
const MOST: usize = 4 << 20;
/// What is no longer than this has room always: a hundred of them are less than the rest, and
/// where a proxy sends the requests of many on one connection, nobody can keep out their forms.
const SMALL: u64 = 32 * 1024;

/// Of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<AtomicUsize>);

/// Of one request: given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    all: Held,
    mine: AtomicUsize,
}

impl Held {
    /// For a request that comes with a body.
    pub fn share(&self) -> Arc<Share> {
        Arc::new(Share {
            all: self.clone(),
            mine: AtomicUsize::new(0),
        })
    }
}

impl Share {
    /// Room for a body of this length, from its beginning to its end.
    pub fn reserve(&self, length: u64) -> bool {
        length <= SMALL || self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Room for so many bytes more; false when there is none.
    pub fn take(&self, bytes: usize) -> bool {
        let add = |held: usize| held.checked_add(bytes).filter(|held| *held <= MOST);
        let added = self
            .all
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if added.is_ok() {
            self.mine.fetch_add(bytes, Ordering::Relaxed);
        }
        added.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mine = *self.mine.get_mut();
        self.all.0.fetch_sub(mine, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b7_the_requests_of_a_connection_share_what_it_may_hold() {
        let held = Held::default();
        let shares: Vec<_> = (0..4).map(|_| held.share()).collect();
        assert!(shares.iter().all(|share| share.take(1 << 20)));
        let more = held.share();
        assert!(!more.take(1));
        drop(shares);
        let whole = held.share();
        assert!(whole.take(MOST), "all was given back");
        assert!(more.reserve(SMALL), "a form");
        assert!(!more.reserve(SMALL + 1));
        drop(whole);
        assert!(!held.share().take(MOST + 1));
        assert!(Held::default().share().take(1), "another connection");
    }
}
