//! Reports of the same thing are one group with a count.

use std::collections::HashMap;

use stagedoor_domain::time::Timestamp;

use super::Violation;

/// Groups that are kept.
const MOST: usize = 200;

/// What was reported, and how often.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    tallies: HashMap<Violation, Tally>,
    dropped: u64,
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    count: u32,
    first: Timestamp,
    last: Timestamp,
}

/// One group, for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// What they have in common.
    pub violation: Violation,
    /// How many; it stops at the largest number that there is.
    pub count: u32,
    /// When the first one came.
    pub first: Timestamp,
    /// When the last one came.
    pub last: Timestamp,
}

/// All groups at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    /// The one that grew last comes first.
    pub groups: Vec<Group>,
    /// Groups that had to make room for others.
    pub dropped: u64,
}

impl Groups {
    /// Counts one report. Where there is no room, the group that is seen least and longest ago
    /// goes, so that what happens again and again stays while others make things up.
    pub fn note(&mut self, violation: Violation, now: Timestamp) {
        if let Some(tally) = self.tallies.get_mut(&violation) {
            tally.count = tally.count.saturating_add(1);
            tally.last = now;
            return;
        }
        if self.tallies.len() >= MOST {
            self.make_room();
        }
        let tally = Tally {
            count: 1,
            first: now,
            last: now,
        };
        self.tallies.insert(violation, tally);
    }

    fn make_room(&mut self) {
        let least = self
            .tallies
            .iter()
            .min_by_key(|(_, tally)| (tally.count, tally.last))
            .map(|(violation, _)| violation.clone());
        if let Some(least) = least {
            self.tallies.remove(&least);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.tallies.len()
    }

    /// A copy, for showing.
    pub fn kept(&self) -> Kept {
        let mut groups: Vec<Group> = self
            .tallies
            .iter()
            .map(|(violation, tally)| Group {
                violation: violation.clone(),
                count: tally.count,
                first: tally.first,
                last: tally.last,
            })
            .collect();
        groups.sort_by(|a, b| {
            let by_time = b.last.cmp(&a.last);
            by_time.then_with(|| a.violation.cmp(&b.violation))
        });
        Kept {
            groups,
            dropped: self.dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(page: &str) -> Violation {
        Violation {
            directive: "script-src-elem".to_owned(),
            blocked: "inline".to_owned(),
            page: page.to_owned(),
            source: String::new(),
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_same_report_again_is_counted_and_the_latest_stands_first() {
        let mut groups = Groups::default();
        groups.note(violation("/a"), at(1));
        groups.note(violation("/b"), at(2));
        groups.note(violation("/a"), at(3));
        let kept = groups.kept();
        let seen: Vec<_> = kept
            .groups
            .iter()
            .map(|group| {
                let page = group.violation.page.as_str();
                (page, group.count, group.first, group.last)
            })
            .collect();
        assert_eq!(seen, [("/a", 2, at(1), at(3)), ("/b", 1, at(2), at(2))]);
    }

    #[test]
    fn made_up_reports_push_out_each_other_and_not_what_comes_again() {
        let mut groups = Groups::default();
        groups.note(violation("/true"), at(0));
        groups.note(violation("/true"), at(1));
        for n in 0..10_000 {
            groups.note(violation(&format!("/{n}")), at(2 + n));
        }
        let kept = groups.kept();
        assert_eq!((kept.groups.len(), kept.dropped), (MOST, 10_001 - 200));
        assert!(
            kept.groups
                .iter()
                .any(|group| group.violation.page == "/true")
        );
        assert!(
            kept.groups
                .iter()
                .any(|group| group.violation.page == "/9999")
        );
    }

    #[test]
    fn a_count_stops_at_its_end() {
        let mut groups = Groups::default();
        groups.note(violation("/a"), at(1));
        for tally in groups.tallies.values_mut() {
            tally.count = u32::MAX;
        }
        groups.note(violation("/a"), at(2));
        let kept = groups.kept();
        assert_eq!(kept.groups.first().map(|group| group.count), Some(u32::MAX));
    }
}
