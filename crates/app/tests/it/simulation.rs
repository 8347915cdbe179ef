//! A simulation: use cases, recovery and the runner's rules as they are shipped, on the real SQL,
//! while servers and runners die at any step, disks are full and messages are late. Only ports are
//! faked: time and chance, the gate before the disk, the way between server and runner, the
//! operating system below the runner, and the recorder of output.
//!
//! One seed is one history, always the same. `STAGEDOOR_SEEDS=10000` asks for that many of them,
//! `STAGEDOOR_SEED=17` for one, with its whole trace.

mod clients;
mod dice;
mod faults;
mod gate;
mod host;
mod judge;
mod life;
mod machine;
mod recorder;
mod secrecy;
mod stage;
mod time;
mod wire;
mod world;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use stagedoor_domain::run::Outcome;

use self::life::play;
use self::stage::Stage;

/// How many seeds are played where nobody asks for more.
const FEW: u64 = 300;

#[expect(
    clippy::disallowed_methods,
    reason = "how much to test is asked for by the environment"
)]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_dies_every_accepted_run_gets_one_true_outcome() {
    if let Some(seed) = asked("STAGEDOOR_SEED") {
        let history = play(&Stage::build(), seed, true);
        println!("{}", history.lines.join("\n"));
        assert!(history.wrong.is_empty(), "{:#?}", history.wrong);
        return;
    }
    let seeds = asked("STAGEDOOR_SEEDS").unwrap_or(FEW);
    let (wrong, outcomes) = play_all(seeds);
    let first: Vec<_> = wrong.iter().take(20).collect();
    assert!(
        wrong.is_empty(),
        "{} findings in {seeds} seeds; the first: {first:#?}\nSTAGEDOOR_SEED=n shows one of them",
        wrong.len()
    );
    let all: BTreeSet<_> = Outcome::ALL.iter().map(|(word, _)| *word).collect();
    assert_eq!(outcomes, all, "every outcome must come about");
}

/// What is wrong, with its seed, and how runs ended. Two seeds at a time.
fn play_all(seeds: u64) -> (BTreeSet<(u64, String)>, BTreeSet<&'static str>) {
    let (stage, next) = (Stage::build(), AtomicU64::new(0));
    let all = Mutex::default();
    let play_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            let history = play(&stage, seed, false);
            let mut all = all.lock().expect("not poisoned");
            let (wrong, outcomes): &mut (BTreeSet<_>, BTreeSet<_>) = &mut all;
            wrong.extend(history.wrong.into_iter().map(|what| (seed, what)));
            outcomes.extend(history.outcomes);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(play_some);
        scope.spawn(play_some);
    });
    all.into_inner().expect("not poisoned")
}

#[test]
fn a_seed_is_always_the_same_history_and_another_seed_is_another() {
    let stage = Stage::build();
    for seed in 0..20 {
        let (once, twice) = (play(&stage, seed, true), play(&stage, seed, true));
        assert_eq!(once.lines, twice.lines, "seed {seed}");
        assert_ne!(once.lines, play(&stage, seed + 1, true).lines);
    }
}
