//! Attempts whose pipes found no free descriptor in this process, and when to ask for them again.
//!
//! The runner holds duplicates until `Forget`, so that nothing is lost but time.

use std::collections::BTreeMap;
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use tokio::time::Instant;

/// The first pause; each one after it is twice as long.
const SHORTEST: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(2);

type Key = (RunId, Epoch);

#[derive(Default)]
pub(super) struct Missing(BTreeMap<Key, Wait>);

struct Wait {
    pause: Duration,
    /// None while the answer is on its way.
    ask_at: Option<Instant>,
}

impl Missing {
    /// Once more, it did not arrive or could not be asked for. Whether this is the first time.
    pub(super) fn add(&mut self, key: Key, now: Instant) -> bool {
        let before = self.0.get(&key).map(|wait| wait.pause);
        let pause = before.map_or(SHORTEST, |pause| pause.saturating_mul(2).min(LONGEST));
        let ask_at = Some(now + pause);
        self.0.insert(key, Wait { pause, ask_at });
        before.is_none()
    }

    /// It has arrived.
    pub(super) fn remove(&mut self, key: Key) {
        self.0.remove(&key);
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.0.contains_key(&key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.keys().copied()
    }

    /// When the next one is to be asked for.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().filter_map(|wait| wait.ask_at).min()
    }

    /// Those to be asked for now. None of them comes again before it was added again.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Key> {
        let due = |(key, wait): (&Key, &mut Wait)| {
            let is_due = wait.ask_at.is_some_and(|at| at <= now);
            is_due.then(|| {
                wait.ask_at = None;
                *key
            })
        };
        self.0.iter_mut().filter_map(due).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_for_after_pauses_that_double_up_to_two_seconds() {
        let key = (RunId::from_bytes([1; 16]), Epoch(1));
        let mut missing = Missing::default();
        let mut now = Instant::now();
        for (round, millis) in [100, 200, 400, 800, 1600, 2000, 2000]
            .into_iter()
            .enumerate()
        {
            assert_eq!(missing.add(key, now), round == 0);
            let at = now + Duration::from_millis(millis);
            assert_eq!(missing.next(), Some(at));
            assert!(missing.take_due(now).is_empty());
            assert_eq!(missing.take_due(at), [key]);
            assert_eq!(missing.next(), None, "not while the answer is on its way");
            now = at;
        }
        assert!(missing.contains(key));
        missing.remove(key);
        assert!(missing.add(key, now), "as if for the first time");
        assert_eq!(missing.next(), Some(now + SHORTEST));
    }
}
