//! Limits of runs, and whose turn it is.

use std::time::Duration;

use stagedoor_app::start_run::StartError;
use stagedoor_domain::id::Epoch;
use stagedoor_domain::queue::{Capacity, QueueFull};
use stagedoor_domain::run::{Outcome, State};

use crate::character::{given, name, request};
use crate::house::{House, ROOMY};
use crate::scripts::{GATE, QUICK};

const ONE_AT_A_TIME: Capacity = Capacity {
    running: 1,
    ..ROOMY
};

const NARROW: (&str, &str) = (
    "narrow.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# limits = { running = 1, queued = 1 }
# [[param]]
# name = "gate"
# ///
echo "narrow $1" >> @STAGE@/started
i=0
while [ ! -e "@STAGE@/$1" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
"#,
);

fn full(result: Result<stagedoor_app::start_run::Accepted, StartError>) -> QueueFull {
    match result {
        Err(StartError::QueueFull(full)) => full,
        other => panic!("not full: {other:?}"),
    }
}

#[tokio::test]
async fn beyond_the_limit_of_waiting_runs_in_all_nobody_may_start() {
    let capacity = Capacity {
        running: 1,
        starting: 64,
        queued: 2,
        queued_per_user: 2,
    };
    let house = House::with_limits(&[GATE], capacity).await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    ann.start("gate", &[("gate", "a")]).await;
    ann.start("gate", &[("gate", "a")]).await;
    let last = bob.start("gate", &[("gate", "a")]).await;
    assert_eq!(last.state, State::Queued, "the last place is for who comes");
    assert_eq!(
        full(bob.try_start("gate", &[("gate", "a")]).await),
        QueueFull::All(2)
    );
    house.open_gate("a");
    bob.end_of(last.id).await;
    bob.start("gate", &[("gate", "a")]).await;
}

#[tokio::test]
async fn beyond_the_limit_of_a_user_only_that_user_may_not_start() {
    let capacity = Capacity {
        running: 1,
        starting: 64,
        queued: 9,
        queued_per_user: 1,
    };
    let house = House::with_limits(&[GATE], capacity).await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    ann.start("gate", &[("gate", "a")]).await;
    ann.start("gate", &[("gate", "a")]).await;
    assert_eq!(
        full(ann.try_start("gate", &[("gate", "a")]).await),
        QueueFull::User(1)
    );
    assert_eq!(
        bob.start("gate", &[("gate", "a")]).await.state,
        State::Queued
    );
    house.open_gate("a");
}

#[tokio::test]
async fn beyond_the_limit_of_a_script_only_that_script_may_not_start() {
    let house = House::with(&[NARROW, QUICK]).await;
    let ann = house.user("ann", &[]).await;
    let first = ann.start_now("narrow", &[("gate", "a")]).await;
    let second = ann.start("narrow", &[("gate", "a")]).await;
    assert_eq!(
        second.state,
        State::Queued,
        "one at a time, although there are slots"
    );
    assert_eq!(
        full(ann.try_start("narrow", &[("gate", "a")]).await),
        QueueFull::Script(1)
    );
    let other = ann.start("quick", &[]).await;
    assert_eq!(ann.end_of(other.id).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(
        ann.read(second.id).await.expect("readable").state,
        State::Queued
    );
    house.open_gate("a");
    let (first, second) = (ann.end_of(first.id).await, ann.end_of(second.id).await);
    assert!(second.started_at >= first.ended_at, "{second:?}");
}

#[tokio::test]
async fn never_more_run_at_once_than_may() {
    let house = House::with_limits(
        &[GATE],
        Capacity {
            running: 2,
            ..ROOMY
        },
    )
    .await;
    let ann = house.user("ann", &[]).await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(ann.start("gate", &[("gate", "a")]).await.id);
    }
    house.await_on_stage("started", "a\na\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.on_stage("started"), "a\na\n");
    assert_eq!(house.inside(|app| async move { app.load() }).await, (2, 4));
    house.open_gate("a");
    for run in runs {
        assert_eq!(ann.end_of(run).await.outcome, Some(Outcome::Succeeded));
    }
    assert_eq!(house.inside(|app| async move { app.load() }).await, (0, 0));
}

#[tokio::test]
async fn a_freed_slot_starts_the_next_and_users_take_turns() {
    let house = House::with_limits(&[GATE], ONE_AT_A_TIME).await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    ann.start_now("gate", &[("gate", "a1")]).await;
    let a2 = ann.start("gate", &[("gate", "a2")]).await;
    let a3 = ann.start("gate", &[("gate", "a3")]).await;
    let b1 = bob.start("gate", &[("gate", "b1")]).await;
    let place = async |run| ann_or_bob(&house, run).await;
    assert_eq!(
        (place(a2.id).await, place(b1.id).await, place(a3.id).await),
        (Some(1), Some(2), Some(3))
    );
    let mut started = String::from("a1\n");
    for (open, next) in [("a1", "a2"), ("a2", "b1"), ("b1", "a3")] {
        house.await_on_stage("started", &started).await;
        house.open_gate(open);
        started.push_str(next);
        started.push('\n');
    }
    house.await_on_stage("started", &started).await;
    house.open_gate("a3");
    assert_eq!(ann.end_of(a3.id).await.outcome, Some(Outcome::Succeeded));
}

async fn ann_or_bob(house: &House, run: stagedoor_domain::id::RunId) -> Option<usize> {
    let root = house.user("root", &["admins"]).await;
    root.read(run).await.expect("readable").queue_position
}

#[tokio::test]
async fn a_waiting_run_that_is_stopped_never_starts() {
    let house = House::with_limits(&[GATE], ONE_AT_A_TIME).await;
    let ann = house.user("ann", &[]).await;
    ann.start_now("gate", &[("gate", "a")]).await;
    let stopped = ann.start("gate", &[("gate", "stopped")]).await;
    let kept = ann.start("gate", &[("gate", "kept")]).await;
    ann.stop(stopped.id).await.expect("may stop");
    let end = ann.end_of(stopped.id).await;
    assert_eq!(
        (end.outcome, end.started_at),
        (Some(Outcome::Cancelled), None)
    );
    assert_eq!(end.epoch, Epoch(0));
    house.open_gate("a");
    house.open_gate("kept");
    assert_eq!(ann.end_of(kept.id).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(house.on_stage("started"), "a\nkept\n");
}

/// So many runs of `quick` with this word, all asked for at once.
async fn flood(house: &House, user: &str, word: &'static str, runs: usize) {
    let user = house.user(user, &[]).await.user;
    house
        .inside(move |app| async move {
            let one = || {
                let (app, user) = (app.clone(), user.clone());
                tokio::spawn(async move {
                    let args = given(&[("word", word)]);
                    request(&app, &user, &name("quick"), args, None).await
                })
            };
            let all: Vec<_> = (0..runs).map(|_| one()).collect();
            for answer in all {
                answer.await.expect("not panicked").expect("accepted");
            }
        })
        .await;
}

#[tokio::test]
async fn a_thousand_runs_of_one_user_delay_another_by_one_start() {
    let capacity = Capacity {
        running: 1,
        starting: 64,
        queued: 10_000,
        queued_per_user: 1_000,
    };
    let house = House::with_limits(&[GATE, QUICK], capacity).await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    ann.start_now("gate", &[("gate", "a")]).await;
    flood(&house, "ann", "ann", 1_000).await;
    let late = bob.start("quick", &[("word", "bob")]).await;
    assert_eq!(late.queue_position, Some(2));
    assert_eq!(
        full(ann.try_start("quick", &[]).await),
        QueueFull::User(1_000)
    );
    house.open_gate("a");
    assert_eq!(bob.end_of(late.id).await.outcome, Some(Outcome::Succeeded));
    let started = house.on_stage("ran");
    let before = started.lines().take_while(|word| *word != "bob").count();
    assert!(before <= 1, "{before} of ann's started before");
}

#[tokio::test]
async fn runs_wait_for_a_place_among_the_starts_in_flight_and_all_get_one() {
    let capacity = Capacity {
        running: 100,
        starting: 1,
        ..ROOMY
    };
    let house = House::with_limits(&[GATE, QUICK], capacity).await;
    flood(&house, "ann", "a", 40).await;
    house.await_on_stage("ran", &"a\n".repeat(40)).await;
    let ann = house.user("ann", &[]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(ann.start_now("gate", &[("gate", "a")]).await.id);
    }
    house.open_gate("a");
    for run in held.into_iter().chain(ann.ids(43).await) {
        assert_eq!(ann.end_of(run).await.outcome, Some(Outcome::Succeeded));
    }
    assert_eq!(house.inside(|app| async move { app.load() }).await, (0, 0));
}
