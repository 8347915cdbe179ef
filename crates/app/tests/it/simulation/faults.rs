//! What goes wrong in one life of a server, and at which step.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dice::Dice;

#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The server is killed.
    Server,
    /// The runner is killed, and its scripts with it.
    Runner,
    Both,
    /// The runner is told to end, as `kill` does it.
    Term,
    /// The store refuses to write for so long.
    FullDisk(Duration),
}

/// Steps are counted: each packet, and each transaction before and after it.
#[derive(Default)]
pub struct Faults {
    step: u64,
    to_come: BTreeMap<u64, Fault>,
}

impl Faults {
    /// Of a life in which everything works.
    pub fn none() -> Self {
        Self::default()
    }

    pub fn of(dice: &Dice) -> Self {
        let mut faults = Self::default();
        for _ in 0..=dice.below(3) {
            // Most lives are short, so that servers die while they recover, too.
            let reach = dice.one_of(&[8, 30, 120]);
            let fault = match dice.below(20) {
                0..12 => Fault::Server,
                12 | 13 => Fault::Runner,
                14 => Fault::Both,
                15 => Fault::Term,
                _ => Fault::FullDisk(Duration::from_millis(dice.one_of(&[3, 40, 700, 8_000]))),
            };
            faults.to_come.insert(1 + dice.below(reach), fault);
        }
        faults
    }

    /// The fault that strikes at the next step.
    pub fn next(&mut self) -> Option<Fault> {
        self.step += 1;
        self.to_come.remove(&self.step)
    }
}
