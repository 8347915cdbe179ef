//! Chance that can be had again: everything random in a loop comes from one seed, which is printed.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Says which loop to repeat; without it each run of the tests has a seed of its own.
const SEED: &str = "STAGEDOOR_SEED";

/// A generator (splitmix64).
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of its own for somebody who rolls at the same time.
    pub fn for_another(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `from` up to, but not including, `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    /// True this many times in a hundred.
    pub fn percent(&mut self, times: u64) -> bool {
        self.between(0, 100) < times
    }

    /// A time up to, but not including, so many milliseconds.
    pub fn millis(&mut self, to: u64) -> Duration {
        Duration::from_micros(self.between(0, to * 1000))
    }
}

/// The number that a variable of the environment holds.
pub fn number(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the tests says how long and which"
    )]
    let text = std::env::var_os(name)?;
    let number = text.to_str().and_then(|text| text.parse().ok());
    Some(number.unwrap_or_else(|| panic!("{name} is not a number: {}", text.display())))
}

/// The seed of this run of the tests.
pub fn seed() -> u64 {
    number(SEED).unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 16)
}
