//! All attempts that the runner holds, and the rule that none is started twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rustix::process::Pid;
use stagedoor_domain::id::{Epoch, RunId};

use super::attempt::{Attempt, Live};
use super::child::Order;
use super::tree::Tree;
use super::unconfirmed::Unconfirmed;

/// A run and an epoch.
pub(super) type Key = (RunId, Epoch);

/// Every attempt until its `forget`.
#[derive(Default)]
pub(super) struct Attempts {
    held: BTreeMap<Key, Attempt>,
    children: HashMap<Pid, Key>,
    /// Those that are not known to execute.
    unconfirmed: BTreeSet<Key>,
}

/// What a request to start meets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing of this run that would forbid it.
    Free,
    /// This attempt or a later one is held: it is the answer, and nothing is started.
    Held(Key),
    /// An earlier attempt still has processes.
    Occupied,
}

impl Attempts {
    /// Decides about a request to start this attempt.
    pub(super) fn place(&self, (run, epoch): Key) -> Place {
        let mut of_run = self.held.range((run, Epoch(0))..=(run, Epoch(u32::MAX)));
        match of_run.next_back() {
            Some((key, _)) if key.1 >= epoch => Place::Held(*key),
            Some((_, Attempt::Live(_))) => Place::Occupied,
            _ => Place::Free,
        }
    }

    pub(super) fn insert(&mut self, key: Key, attempt: Attempt) {
        if let Attempt::Live(live) = &attempt
            && let Some(child) = live.child()
        {
            self.children.insert(child, key);
            self.unconfirmed.insert(key);
        }
        self.held.insert(key, attempt);
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Attempt> {
        self.held.get_mut(&key)
    }

    /// The attempt if it still has processes.
    pub(super) fn live(&mut self, key: Key) -> Option<&mut Live> {
        match self.held.get_mut(&key) {
            Some(Attempt::Live(live)) => Some(live),
            _ => None,
        }
    }

    /// How many are not known to execute.
    pub(super) fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    /// From now on it is known to execute, or to have failed. None where it was known.
    pub(super) fn confirm(&mut self, key: Key) -> Option<(&mut Live, Unconfirmed)> {
        self.unconfirmed.remove(&key);
        let live = self.live(key)?;
        let unconfirmed = live.unconfirmed.take()?;
        Some((live, unconfirmed))
    }

    /// What the children were given that have left since this was asked last, and have not failed. A keeper's
    /// may still be written to by the keeper.
    pub(super) fn take_left(&mut self) -> Vec<Order> {
        let mut left = Vec::new();
        for key in &self.unconfirmed {
            if let Some(Attempt::Live(live)) = self.held.get_mut(key)
                && let (Tree::Cgroup(_), Some(unconfirmed)) = (&live.tree, &mut live.unconfirmed)
            {
                left.extend(unconfirmed.take_left().map(|order| *order));
            }
        }
        left
    }

    /// Every attempt that still has processes.
    pub(super) fn all_live(&self) -> impl Iterator<Item = (Key, &Live)> {
        self.held.iter().filter_map(|(key, attempt)| match attempt {
            Attempt::Live(live) => Some((*key, live.as_ref())),
            _ => None,
        })
    }

    /// Takes out an attempt that has no process any more; a live one stays.
    pub(super) fn forget(&mut self, key: Key) -> Option<Attempt> {
        if matches!(self.held.get(&key), Some(Attempt::Live(_))) {
            return None;
        }
        self.held.remove(&key)
    }

    /// Puts what becomes of a live attempt in its place, and gives what it had.
    pub(super) fn replace<T>(
        &mut self,
        key: Key,
        with: impl FnOnce(Live) -> (Attempt, T),
    ) -> Option<T> {
        match self.held.remove(&key)? {
            Attempt::Live(live) => {
                let (attempt, rest) = with(*live);
                self.held.insert(key, attempt);
                Some(rest)
            }
            other => {
                self.held.insert(key, other);
                None
            }
        }
    }

    /// For whose attempt this child of the runner stands.
    pub(super) fn of_child(&self, pid: Pid) -> Option<Key> {
        self.children.get(&pid).copied()
    }

    /// This child was waited for: its number may become another's.
    pub(super) fn child_is_gone(&mut self, pid: Pid) {
        self.children.remove(&pid);
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.held.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Refusal;

    #[test]
    fn a_held_or_older_attempt_is_answered_and_a_newer_one_is_free() {
        let run = RunId::from_bytes([1; 16]);
        let other = RunId::from_bytes([2; 16]);
        let mut attempts = Attempts::default();
        assert_eq!(attempts.place((run, Epoch(2))), Place::Free);
        attempts.insert((run, Epoch(2)), Attempt::Refused(Refusal::Gone));
        assert_eq!(
            attempts.place((run, Epoch(2))),
            Place::Held((run, Epoch(2)))
        );
        assert_eq!(
            attempts.place((run, Epoch(1))),
            Place::Held((run, Epoch(2)))
        );
        assert_eq!(attempts.place((run, Epoch(3))), Place::Free);
        assert_eq!(attempts.place((other, Epoch(1))), Place::Free);
        assert!(attempts.forget((run, Epoch(2))).is_some());
        assert_eq!(attempts.len(), 0);
    }
}
