//! Rows that an earlier server left, and of which no runner knows anything.

use std::time::Duration;

use serde_json::json;
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::UserName;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State};
use stagedoor_store::{RunRecord, Store};

use crate::character::name;
use crate::house::{House, ROOMY};
use crate::scripts::{GATE, QUICK};

const AGAIN: (&str, &str) = (
    "again.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# idempotent = true
# [[param]]
# name = "gate"
# ///
echo "$1" >> @STAGE@/started
i=0
while [ ! -e "@STAGE@/$1" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
"#,
);

/// A row as an earlier server may have left it.
fn left_behind(house: &House, script: &str, state: State, epoch: u32) -> RunRecord {
    RunRecord {
        id: RunId::new(house.now(), &*house.chance),
        script: name(script),
        user: UserId(1),
        user_name: UserName::parse("ann").expect("a name"),
        args: json!({"gate": "left"})
            .as_object()
            .expect("an object")
            .clone(),
        secrets: None,
        state,
        epoch: Epoch(epoch),
        stop: None,
        outcome: None,
        reason: None,
        exit_code: None,
        signal: None,
        leftovers: 0,
        enforced: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        created_at: house.now(),
        started_at: None,
        ended_at: None,
        request_key: None,
        request_digest: None,
        fingerprint: None,
    }
}

async fn insert(house: &House, rows: &[&RunRecord]) {
    let store = Store::open(&house.state()).expect("a database");
    for row in rows {
        store.insert_run(row).await.expect("inserted");
    }
}

/// Two rows that say `starting`, of which no runner knows anything.
async fn two_that_nobody_knows(house: &mut House) -> (RunId, RunId) {
    house.crash();
    let lost = left_behind(house, "gate", State::Starting, 1);
    let again = left_behind(house, "again", State::Starting, 1);
    insert(house, &[&lost, &again]).await;
    house.open_gate("left");
    house.serve().await;
    (lost.id, again.id)
}

async fn lost_or_started_again(house: &House, lost: RunId, again: RunId) {
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(lost).await;
    assert_eq!((end.outcome, end.epoch), (Some(Outcome::Lost), Epoch(1)));
    let reason = end.reason.expect("a reason");
    assert!(
        reason.contains("not known whether the script started"),
        "{reason}"
    );
    assert!(house.row(lost).await.ended_at.is_some());
    let end = ann.end_of(again).await;
    assert_eq!(
        (end.outcome, end.epoch),
        (Some(Outcome::Succeeded), Epoch(2))
    );
    assert_eq!(house.row(again).await.epoch, Epoch(2));
}

#[tokio::test]
async fn a_run_that_a_new_runner_does_not_know_is_lost_or_if_that_is_harmless_started_again() {
    let mut house = House::with(&[GATE, AGAIN]).await;
    house.user("ann", &[]).await;
    let (lost, again) = two_that_nobody_knows(&mut house).await;
    lost_or_started_again(&house, lost, again).await;
    assert_eq!(
        (house.runners(), house.on_stage("started")),
        (2, "left\n".to_owned())
    );
}

#[tokio::test]
async fn a_run_that_the_same_runner_does_not_know_is_lost_or_if_that_is_harmless_started_again() {
    let mut house = House::with(&[GATE, AGAIN]).await;
    let going = house
        .user("ann", &[])
        .await
        .start_now("gate", &[("gate", "a")])
        .await
        .id;
    house.await_on_stage("started", "a\n").await;
    let (lost, again) = two_that_nobody_knows(&mut house).await;
    lost_or_started_again(&house, lost, again).await;
    assert_eq!(
        (house.runners(), house.on_stage("started")),
        (1, "a\nleft\n".to_owned())
    );
    house.open_gate("a");
    let ann = house.user("ann", &[]).await;
    assert_eq!(ann.end_of(going).await.outcome, Some(Outcome::Succeeded));
}

#[tokio::test]
async fn a_run_that_was_never_handed_to_the_runner_of_before_is_started_once() {
    let mut house = House::with(&[GATE]).await;
    house.user("ann", &[]).await;
    house.note_runner();
    house.crash();
    let never = left_behind(&house, "gate", State::Starting, 1);
    let began = left_behind(&house, "gate", State::Running, 1);
    insert(&house, &[&never, &began]).await;
    house.open_gate("left");
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(never.id).await;
    assert_eq!(
        (end.outcome, end.epoch),
        (Some(Outcome::Succeeded), Epoch(2))
    );
    let end = ann.end_of(began.id).await;
    assert_eq!((end.outcome, end.epoch), (Some(Outcome::Lost), Epoch(1)));
    assert_eq!(house.on_stage("started"), "left\n");
    house
        .inside(|app| async move { app.accounted().await })
        .await;
    assert_eq!(house.row(began.id).await.outcome, Some(Outcome::Lost));
}

#[tokio::test]
async fn when_the_runner_of_before_is_gone_nobody_knows_what_was_handed_to_it() {
    let mut house = House::with(&[GATE]).await;
    house.user("ann", &[]).await;
    house.note_runner();
    house.kill_runner();
    house.crash();
    let unknown = left_behind(&house, "gate", State::Starting, 1);
    insert(&house, &[&unknown]).await;
    house.open_gate("left");
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(unknown.id).await;
    assert_eq!((end.outcome, end.epoch), (Some(Outcome::Lost), Epoch(1)));
    assert_eq!(house.on_stage("started"), "");
}

#[tokio::test]
async fn slots_that_are_taken_count_from_the_first_moment() {
    let mut house = House::with_limits(
        &[GATE, QUICK],
        Capacity {
            running: 2,
            ..ROOMY
        },
    )
    .await;
    house.user("ann", &[]).await;
    // Older than the run that goes on, so that they are restored before it.
    let lost = left_behind(&house, "gate", State::Starting, 1);
    let waiting = [0, 1].map(|_| left_behind(&house, "gate", State::Queued, 0));
    house.clock.pass(Duration::from_secs(1));
    let going = house
        .user("ann", &[])
        .await
        .start_now("gate", &[("gate", "a")])
        .await
        .id;
    house.await_on_stage("started", "a\n").await;
    house.crash();
    insert(&house, &[&lost, &waiting[0], &waiting[1]]).await;
    house.serve().await;
    house.await_on_stage("started", "a\nleft\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.on_stage("started"), "a\nleft\n");
    assert_eq!(house.inside(|app| async move { app.load() }).await, (2, 1));
    house.open_gate("a");
    house.open_gate("left");
    let ann = house.user("ann", &[]).await;
    for id in [going, waiting[0].id, waiting[1].id] {
        assert_eq!(ann.end_of(id).await.outcome, Some(Outcome::Succeeded));
    }
}

#[tokio::test]
async fn a_waiting_run_whose_script_no_longer_takes_its_arguments_is_refused() {
    let mut house = House::with(&[GATE, QUICK]).await;
    house.user("ann", &[]).await;
    house.crash();
    let unfit = left_behind(&house, "quick", State::Queued, 0);
    let gone = left_behind(&house, "never", State::Queued, 0);
    let fit = left_behind(&house, "gate", State::Queued, 0);
    insert(&house, &[&unfit, &gone, &fit]).await;
    house.open_gate("left");
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    for id in [unfit.id, gone.id] {
        let end = ann.end_of(id).await;
        assert_eq!(end.outcome, Some(Outcome::Refused));
        assert!(
            end.reason
                .expect("a reason")
                .contains("no longer takes the arguments")
        );
    }
    assert_eq!(ann.end_of(fit.id).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(house.on_stage("ran"), "");
}
