//! How failures of one place add up, run off and block. Pure: time is an argument, and it is time
//! that never jumps.

use std::time::Duration;

/// A place that stayed quiet so long after its last block begins anew with the first delay.
const FORGET: Duration = Duration::from_hours(24);
/// No block is longer, unless the first one is.
const LONGEST: Duration = Duration::from_hours(24);

/// What a bucket bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// So many failures fill it.
    pub most: u32,
    /// One failure is forgotten each time this has passed.
    pub leak: Duration,
    /// How long the first filling blocks; each further one twice as long as the one before. None:
    /// it only lets through what has leaked.
    pub block: Option<Duration>,
}

/// The failures of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bucket {
    level: u32,
    rounds: u32,
    /// Up to when `level` was brought.
    leaked: Duration,
    until: Duration,
}

impl Bucket {
    /// As it was kept: `ago` is how long that is, and `left` how long it is blocked from now on.
    /// What is left is never more than the rule would block for, so that no clock blocks for ever.
    pub fn kept(
        (level, rounds): (u32, u32),
        ago: Duration,
        left: Duration,
        rule: Rule,
        now: Duration,
    ) -> Self {
        let leaked = u32::try_from(ago.as_millis() / rule.leak.as_millis().max(1));
        let longest = rule.length(rounds.saturating_sub(1));
        Self {
            level: level.saturating_sub(leaked.unwrap_or(u32::MAX)),
            rounds,
            leaked: now,
            until: now + left.min(longest),
        }
    }

    /// How long nothing may be tried, if so.
    pub fn wait(&self, rule: Rule, now: Duration) -> Option<Duration> {
        let drained = self.drained(rule, now);
        match drained.left(now) {
            Some(left) => Some(left),
            None if drained.level < rule.most => None,
            None => Some((drained.leaked + rule.leak).saturating_sub(now)),
        }
    }

    /// How long a block goes on, if there is one.
    pub fn left(&self, now: Duration) -> Option<Duration> {
        (self.until > now).then(|| self.until.saturating_sub(now))
    }

    /// One more failure; whether a block begins with it.
    pub fn add(&mut self, rule: Rule, now: Duration) -> bool {
        *self = self.drained(rule, now);
        if self.until + FORGET <= now {
            self.rounds = 0;
        }
        self.level = self.level.saturating_add(1).min(rule.most);
        if self.level < rule.most || rule.block.is_none() {
            return false;
        }
        self.until = now + rule.length(self.rounds);
        self.rounds = self.rounds.saturating_add(1);
        self.level = 0;
        true
    }

    /// Failures that count now.
    pub fn level(&self, rule: Rule, now: Duration) -> u32 {
        self.drained(rule, now).level
    }

    /// How often it was blocked lately.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Is it as good as new?
    pub fn is_idle(&self, rule: Rule, now: Duration) -> bool {
        self.level(rule, now) == 0 && (self.rounds == 0 || self.until + FORGET <= now)
    }

    /// The less, the sooner it makes room for another one.
    pub fn weight(&self, now: Duration) -> (Option<Duration>, u32, u32, Duration) {
        (self.left(now), self.rounds, self.level, self.leaked)
    }

    fn drained(mut self, rule: Rule, now: Duration) -> Self {
        let passed = now.saturating_sub(self.leaked).as_millis();
        let drops = passed / rule.leak.as_millis().max(1);
        match u32::try_from(drops) {
            Ok(drops) if drops < self.level => {
                self.level -= drops;
                self.leaked += rule.leak * drops;
            }
            _ => {
                self.level = 0;
                self.leaked = now;
            }
        }
        self
    }
}

impl Rule {
    /// How long the next block lasts after so many.
    fn length(self, rounds: u32) -> Duration {
        let Some(first) = self.block else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(rounds.min(31)).unwrap_or(u32::MAX);
        first.saturating_mul(factor).min(LONGEST.max(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const RULE: Rule = Rule {
        most: 5,
        leak: Duration::from_hours(3),
        block: Some(Duration::from_mins(15)),
    };
    const FLOW: Rule = Rule {
        most: 3,
        leak: Duration::from_secs(3),
        block: None,
    };

    fn fill(bucket: &mut Bucket, now: Duration) {
        for _ in 0..4 {
            assert!(!bucket.add(RULE, now));
            assert_eq!(bucket.wait(RULE, now), None);
        }
        assert!(bucket.add(RULE, now));
    }

    #[test]
    fn w21_the_fifth_failure_blocks_for_15_minutes_and_each_further_five_twice_as_long() {
        let (mut bucket, mut now) = (Bucket::default(), MINUTE);
        for minutes in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
            fill(&mut bucket, now);
            assert_eq!(bucket.wait(RULE, now), Some(MINUTE * minutes));
            now += MINUTE * minutes;
            assert_eq!(bucket.wait(RULE, now), None);
        }
    }

    #[test]
    fn after_a_day_of_peace_a_block_is_short_again() {
        let (mut bucket, now) = (Bucket::default(), MINUTE);
        fill(&mut bucket, now);
        let later = now + MINUTE * 15 + FORGET;
        assert!(!bucket.is_idle(RULE, later.saturating_sub(MINUTE)));
        assert!(bucket.is_idle(RULE, later));
        fill(&mut bucket, later);
        assert_eq!(bucket.wait(RULE, later), Some(MINUTE * 15));
    }

    #[test]
    fn a_failure_is_forgotten_by_and_by() {
        let (mut bucket, now) = (Bucket::default(), MINUTE);
        bucket.add(RULE, now);
        bucket.add(RULE, now);
        assert_eq!(
            bucket.level(RULE, (now + RULE.leak).saturating_sub(MINUTE)),
            2
        );
        assert_eq!(bucket.level(RULE, now + RULE.leak), 1);
        assert_eq!(bucket.level(RULE, now + RULE.leak * 2), 0);
    }

    #[test]
    fn what_only_flows_lets_one_through_for_each_that_has_leaked() {
        let (mut bucket, now) = (Bucket::default(), MINUTE);
        for _ in 0..9 {
            assert!(!bucket.add(FLOW, now));
        }
        assert_eq!(bucket.wait(FLOW, now), Some(FLOW.leak));
        assert_eq!(bucket.wait(FLOW, now + FLOW.leak), None);
        bucket.add(FLOW, now + FLOW.leak);
        assert!(bucket.wait(FLOW, now + FLOW.leak).is_some());
    }

    #[test]
    fn what_was_kept_goes_on_and_never_for_longer_than_the_rule_says() {
        let left = Duration::from_mins(7);
        let kept = |rounds, left| Bucket::kept((0, rounds), Duration::ZERO, left, RULE, MINUTE);
        assert_eq!(kept(1, left).left(MINUTE), Some(left));
        assert_eq!(kept(1, LONGEST * 99).left(MINUTE), Some(MINUTE * 15));
        assert_eq!(kept(3, LONGEST * 99).left(MINUTE), Some(MINUTE * 60));
        let leaked = Bucket::kept((4, 0), RULE.leak * 3, Duration::ZERO, RULE, MINUTE);
        assert_eq!(leaked.level(RULE, MINUTE), 1);
    }
}
