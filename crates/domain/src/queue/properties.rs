//! The queue beside a slow one that is easy to believe.

use std::collections::HashMap;

use proptest::prelude::*;

use super::tests::{entry, run};
use super::*;

/// The same rules, by looking at everything each time. It knows no limits of waiting.
#[derive(Default)]
struct Slow {
    slots: usize,
    in_flight: usize,
    waiting: Vec<Entry>,
    running: Vec<Entry>,
    starting: Vec<RunId>,
    turns: Vec<UserId>,
}

impl Slow {
    fn has_place(&self) -> bool {
        self.running.len() < self.slots && self.starting.len() < self.in_flight
    }

    fn fits(&self, entry: &Entry) -> bool {
        let same = self.running.iter().filter(|e| e.script == entry.script);
        let same = u32::try_from(same.count()).expect("few");
        entry.script_running.is_none_or(|most| same < most)
    }

    fn next(&self) -> Option<Entry> {
        let of = |user: &UserId| {
            let mut own = self.waiting.iter().filter(|e| e.user == *user);
            own.find(|e| self.fits(e)).cloned()
        };
        self.turns.iter().find_map(of)
    }

    fn admit(&mut self, entry: Entry) -> Admission {
        if self.has_place() && self.fits(&entry) && self.next().is_none() {
            self.take(entry);
            return Admission::Start;
        }
        if !self.turns.contains(&entry.user) {
            self.turns.push(entry.user);
        }
        self.waiting.push(entry);
        Admission::Wait
    }

    fn take(&mut self, entry: Entry) {
        self.starting.push(entry.run);
        self.running.push(entry);
    }

    fn start_next(&mut self) -> Option<RunId> {
        let entry = self.next().filter(|_| self.has_place())?;
        self.leave(entry.run);
        if let Some(at) = self.turns.iter().position(|user| *user == entry.user) {
            let user = self.turns.remove(at);
            self.turns.push(user);
        }
        self.take(entry.clone());
        Some(entry.run)
    }

    fn leave(&mut self, run: RunId) {
        self.waiting.retain(|e| e.run != run);
        let waiting = &self.waiting;
        self.turns
            .retain(|user| waiting.iter().any(|e| e.user == *user));
    }

    fn release(&mut self, run: RunId) {
        self.running.retain(|e| e.run != run);
        self.starting.retain(|id| *id != run);
        self.leave(run);
    }

    /// By letting everyone start, one after the other.
    fn position(&self, run: RunId) -> Option<usize> {
        let mut all = Self {
            slots: usize::MAX,
            in_flight: usize::MAX,
            turns: self.turns.clone(),
            waiting: self.waiting.clone(),
            ..Self::default()
        };
        for entry in &mut all.waiting {
            entry.script_running = None;
        }
        (1..=self.waiting.len()).find(|_| all.start_next() == Some(run))
    }
}

#[derive(Debug, Clone)]
enum Step {
    Admit { user: i64, script: u8 },
    Release(prop::sample::Index),
    Executes(prop::sample::Index),
    StartNext,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        4 => (0i64..4, 0u8..4).prop_map(|(user, script)| Step::Admit { user, script }),
        2 => index().prop_map(Step::Release),
        2 => index().prop_map(Step::Executes),
        3 => Just(Step::StartNext),
    ];
    prop::collection::vec(step, 1..120)
}

/// Scripts `s0` and `s1` have limits.
fn arrival(number: usize, user: i64, script: u8) -> Entry {
    Entry {
        script_running: (script < 2).then(|| u32::from(script) + 1),
        ..entry(number as u128, user, &format!("s{script}"))
    }
}

fn queue(running: usize, starting: usize) -> Queue {
    Queue::new(Capacity {
        running,
        starting,
        queued: 10_000,
        queued_per_user: 1_000,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_does_what_the_slow_one_does(steps in steps(), slots in 1usize..5, in_flight in 1usize..4) {
        let mut queue = queue(slots, in_flight);
        let mut slow = Slow { slots, in_flight, ..Slow::default() };
        let mut known = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Admit { user, script } => {
                    let entry = arrival(number, user, script);
                    known.push(entry.run);
                    prop_assert_eq!(queue.admit(entry.clone()), Ok(slow.admit(entry)));
                }
                Step::Release(at) if !known.is_empty() => {
                    let run = known.swap_remove(at.index(known.len()));
                    prop_assert!(queue.release(run));
                    prop_assert!(!queue.release(run));
                    slow.release(run);
                }
                Step::Executes(at) if !known.is_empty() => {
                    let run = *at.get(&known);
                    let was_starting = slow.starting.contains(&run);
                    slow.starting.retain(|id| *id != run);
                    prop_assert_eq!(queue.executes(run), was_starting);
                }
                Step::StartNext => prop_assert_eq!(queue.start_next(), slow.start_next()),
                Step::Release(_) | Step::Executes(_) => {}
            }
            prop_assert_eq!(queue.running(), slow.running.len());
            prop_assert_eq!(queue.starting(), slow.starting.len());
            prop_assert_eq!(queue.waiting(), slow.waiting.len());
            for run in &known {
                prop_assert_eq!(queue.position(*run), slow.position(*run));
            }
        }
    }

    /// A user with 1,000 runs in the queue delays another's first by one start at most; so does
    /// each of several.
    #[test]
    fn a_user_who_comes_waits_for_one_start_of_each_other(
        others in 1i64..4,
        started_before in 0usize..50,
        slots in 1usize..4,
    ) {
        let mut queue = queue(slots, slots);
        let mut owner = HashMap::new();
        let mut held = std::collections::VecDeque::new();
        let mut number = 0;
        for user in 0..others {
            for _ in 0..1_000 {
                number += 1;
                owner.insert(run(number), user);
                if queue.admit(entry(number, user, "flood")) == Ok(Admission::Start) {
                    held.push_back(run(number));
                }
            }
        }
        let mut next = |queue: &mut Queue| {
            let ended = held.pop_front().expect("all slots are taken");
            assert!(queue.release(ended));
            let next = queue.start_next().expect("many wait");
            held.push_back(next);
            next
        };
        for _ in 0..started_before {
            next(&mut queue);
        }
        let late = run(1_000_000);
        prop_assert_eq!(queue.admit(entry(1_000_000, 99, "small")), Ok(Admission::Wait));
        let place = queue.position(late).expect("it waits");
        let mut starts_of = HashMap::new();
        let mut starts = 1;
        loop {
            let started = next(&mut queue);
            if started == late {
                break;
            }
            starts += 1;
            *starts_of.entry(owner[&started]).or_insert(0) += 1;
        }
        prop_assert_eq!(starts, place);
        prop_assert!(starts_of.values().all(|starts| *starts <= 1), "{:?}", starts_of);
    }

    /// Whatever comes and goes: limits hold, nobody is forgotten, everyone is served.
    #[test]
    fn limits_hold_and_nobody_is_forgotten(
        arrivals in prop::collection::vec((1i64..4, 0u8..3), 1..60),
        slots in 1usize..4,
        in_flight in 1usize..4,
    ) {
        let mut queue = queue(slots, in_flight);
        let mut running: Vec<Entry> = Vec::new();
        let mut entries = HashMap::new();
        let mut served = 0;
        for (number, (user, script)) in arrivals.iter().enumerate() {
            let e = arrival(number, *user, *script);
            entries.insert(e.run, e.clone());
            if queue.admit(e.clone()) == Ok(Admission::Start) {
                running.push(e);
            }
        }
        while let Some(ended) = running.pop() {
            served += 1;
            prop_assert!(queue.release(ended.run));
            while let Some(next) = queue.start_next() {
                running.push(entries[&next].clone());
            }
            prop_assert!(running.len() <= slots.min(in_flight));
            let singles = running.iter().filter(|e| e.script.as_str() == "s0").count();
            prop_assert!(singles <= 1);
        }
        prop_assert_eq!(served, arrivals.len());
        prop_assert_eq!(queue.waiting(), 0);
    }
}
