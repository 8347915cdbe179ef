//! Chance of one seed: the same throws in the same order.

use std::sync::Mutex;

use stagedoor_domain::time::Chance;

/// `SplitMix64`.
pub struct Dice(Mutex<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike.
        let dice = Self(Mutex::new(seed.wrapping_mul(0xd134_2543_de82_ef95)));
        dice.next();
        dice
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().expect("not poisoned");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = *state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From 0 to one less than `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.next() % end
    }

    /// So many times in a hundred.
    pub fn percent(&self, share: u64) -> bool {
        self.below(100) < share
    }

    pub fn one_of<T: Copy>(&self, things: &[T]) -> T {
        things[usize::try_from(self.below(things.len() as u64)).expect("small")]
    }
}

impl Chance for Dice {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}
