//! Refusals of what somebody who is signed in asked for. Asking costs nothing, so few of them are
//! recorded: one per user and moment, which says how many it stands for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::id::UserId;

use crate::app::App;

/// After a record, further refusals of this user are only counted for so long.
const MOMENT: Duration = Duration::from_secs(10);

/// What was recorded last, by user; no more of them than there are accounts.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<HashMap<UserId, Last>>);

#[derive(Debug, Default)]
struct Last {
    /// None: nothing yet.
    at: Option<Duration>,
    left_out: u32,
}

impl Denials {
    /// How many were left out before this one; none when this one is left out too.
    fn note(&self, user: UserId, now: Duration) -> Option<u32> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.entry(user).or_default();
        if last.at.is_some_and(|at| now.saturating_sub(at) < MOMENT) {
            last.left_out = last.left_out.saturating_add(1);
            return None;
        }
        last.at = Some(now);
        Some(std::mem::take(&mut last.left_out))
    }
}

impl App {
    /// Somebody asked for what is not permitted to them. Recorded aside, so that the answer does not
    /// tell by its time what it keeps quiet.
    pub fn note_denial(&self, by: &Origin, what: impl Into<String>) {
        let Some((user, _)) = by.actor.user() else {
            return;
        };
        let now = self.clock().monotonic();
        let Some(left_out) = self.inner.denials.note(user, now) else {
            return;
        };
        let entry = self.entry(Act::AccessDenied, by).on(what).refused();
        let entry = match left_out {
            0 => entry,
            left_out => entry.with("left_out_before", left_out),
        };
        let app = self.clone();
        tokio::spawn(async move { app.note(entry).await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_refusals_one_is_recorded_and_the_next_says_how_many_it_stands_for() {
        let denials = Denials::default();
        let (ann, bob, at) = (UserId(1), UserId(2), Duration::from_secs);
        assert_eq!(denials.note(ann, at(5)), Some(0));
        assert_eq!(denials.note(ann, at(5)), None);
        assert_eq!(
            denials.note(bob, at(6)),
            Some(0),
            "another one's are not theirs"
        );
        assert_eq!(denials.note(ann, at(14)), None);
        assert_eq!(denials.note(ann, at(15)), Some(2));
        assert_eq!(denials.note(ann, at(60)), Some(0));
    }
}
