//! Time that a test sets, and chance that is the same each time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use stagedoor_domain::time::{Chance, Clock, Timestamp};

/// Stands still until it is moved.
pub struct FakeClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl FakeClock {
    pub fn new() -> Self {
        // 2026-11-21, 20:00 UTC.
        Self {
            wall: AtomicI64::new(1_795_291_200_000),
            monotonic: AtomicU64::new(0),
        }
    }

    /// Time passes, on the wall and otherwise.
    pub fn pass(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).expect("not that long");
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
        self.wall.fetch_add(
            i64::try_from(millis).expect("not that long"),
            Ordering::SeqCst,
        );
    }

    /// Somebody sets the clock on the wall, so many milliseconds forwards or back; no time passes.
    pub fn jump(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::SeqCst))
    }
}

/// `SplitMix64`: every test sees the same bytes.
pub struct Seeded(Mutex<u64>);

impl Seeded {
    pub fn new() -> Self {
        Self(Mutex::new(7))
    }
}

impl Chance for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().expect("not poisoned");
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (word ^ (word >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
