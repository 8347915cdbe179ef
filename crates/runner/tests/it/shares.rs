//! What all processes of a run may use together, where the machine can count that.

use std::time::Duration;

use stagedoor_domain::run::Met;
use stagedoor_domain::sandbox::{Measure, ProcessLimits};
use stagedoor_runner::Plan;

use crate::house::*;

fn limited(house: &House, file: &str, body: &str, limits: ProcessLimits) -> Plan {
    let mut plan = house.script(file, &format!("#!/bin/sh\n{body}\n"));
    plan.process_limits = limits;
    plan.timeout = Some(Duration::from_secs(20));
    plan
}

/// Whether this holds here; where not, that is printed.
fn has(held: &[Measure], measure: Measure) -> bool {
    let has = held.contains(&measure);
    if !has {
        println!("skipped: {measure:?} cannot be had here; held: {held:?}");
    }
    has
}

/// Many small ones: no limit of a single process would see it.
const CROWD: &str = "for n in 1 2 3 4 5 6 7 8; do
perl -e 'my $x = \"x\" x 30_000_000; print \"filled\\n\"; sleep 2' & done; wait; exit 7";

#[tokio::test]
async fn w43_memory_is_bounded_for_all_that_a_script_starts_together() {
    let mut house = House::open();
    let limits = ProcessLimits {
        memory: Some(100 << 20),
        ..ProcessLimits::default()
    };
    let plan = limited(&house, "crowd", CROWD, limits);
    let started = house.start(plan).await;
    let held = started.enforced.held.clone();
    let output = read_all(started.stdout);
    let record = house.exited().await;
    if !has(&held, Measure::RunMemory) {
        assert!(held.contains(&Measure::Memory), "then each is held");
        return;
    }
    let filled = String::from_utf8_lossy(&output).lines().count();
    assert!(filled < 8, "all {filled} had their memory");
    assert!(record.met.memory, "{record:?}");
    // The same with room for all, and after it: what was met once is told once.
    for memory in [Some(2 << 30), None] {
        let roomy = ProcessLimits {
            memory,
            ..ProcessLimits::default()
        };
        let plan = limited(&house, "roomy", CROWD, roomy);
        let done = house.run(plan).await;
        assert_eq!(done.text().lines().count(), 8, "{done:?}");
        assert_eq!(done.record.met, Met::default());
    }
}

#[tokio::test]
async fn w43_processes_are_bounded_for_each_run_and_others_go_on() {
    let mut house = House::open();
    let limits = ProcessLimits {
        processes: Some(20),
        ..ProcessLimits::default()
    };
    let bomb = "bomb() { bomb | bomb & }; bomb; sleep 1; exit 3";
    let plan = limited(&house, "bomb", bomb, limits);
    let started = house.start(plan).await;
    let held = started.enforced.held.clone();
    let counted = has(&held, Measure::RunProcesses);
    if counted {
        // Meanwhile, as the same account.
        let forks =
            "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.2 & done; wait; echo fine";
        let other = limited(&house, "other", forks, limits);
        let run = (other.run, other.epoch);
        let other = house.start(other).await;
        assert_eq!(read_all(other.stdout), b"fine\n");
        loop {
            if let stagedoor_runner::Report::Exited {
                run: of, record, ..
            } = house.news().await
                && of == run.0
            {
                assert_eq!(record.met, Met::default());
                break;
            }
        }
        house.kill(started.run, started.epoch).await;
    }
    drop(read_all(started.stdout));
}

#[tokio::test]
async fn who_says_nothing_of_processes_has_enough_and_an_end() {
    let mut house = House::open();
    let bomb = "perl -e '$| = 1; my $n = 0; while ($n < 6000) { my $p = fork; if (!defined $p) { print \"$n\\n\"; last } if (!$p) { sleep 60; exit } $n++ } kill 9, -getpgrp'";
    let plan = limited(&house, "bomb", bomb, ProcessLimits::default());
    let started = house.start(plan).await;
    let output = String::from_utf8_lossy(&read_all(started.stdout)).into_owned();
    let record = house.exited().await;
    if is_root() && record.met.processes {
        let made: u32 = output.trim().parse().expect("a number");
        assert!((4000..4096).contains(&made), "{made}");
    } else {
        println!("skipped: processes of a run are not counted here: {output}");
    }
}

/// Files in memory outlive the run that made them, and count for the cgroup in which they were made.
#[tokio::test]
async fn what_one_run_leaves_in_memory_is_not_charged_to_the_next() {
    let mut house = House::open();
    let leaves =
        "f=$(mktemp /dev/shm/stagedoor-test.XXXXXX); head -c 60000000 /dev/zero > $f; echo $f";
    let plan = limited(&house, "leaves", leaves, ProcessLimits::default());
    let left = house.run(plan).await.text();
    let limits = ProcessLimits {
        memory: Some(40 << 20),
        processes: Some(100),
        ..ProcessLimits::default()
    };
    let plan = limited(&house, "next", "echo fine", limits);
    let started = house.start(plan).await;
    let held = &started.enforced.held;
    // Where memory of a run can be counted, it is counted again.
    assert!(
        has(held, Measure::RunMemory) || !has(held, Measure::RunProcesses),
        "{held:?}"
    );
    assert_eq!(read_all(started.stdout), b"fine\n");
    let record = house.exited().await;
    assert_eq!((record.exit_code, record.met), (Some(0), Met::default()));
    if !left.trim().is_empty() {
        let _ = std::fs::remove_file(left.trim());
    }
}
