//! The process that starts scripts is killed: nobody can tell how they end.

use stagedoor_app::app::Fatal;
use stagedoor_app::start_run::StartError;
use stagedoor_domain::id::Epoch;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State};

use crate::house::{House, ROOMY};
use crate::scripts::{GATE, QUICK};

const ONE_AT_A_TIME: Capacity = Capacity {
    running: 1,
    ..ROOMY
};

const AGAIN: (&str, &str) = (
    "again.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# idempotent = true
# ///
echo again >> @STAGE@/again
i=0
while [ ! -e "@STAGE@/go" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
"#,
);

async fn fatal(house: &House) -> Fatal {
    house.inside(|app| async move { app.fatal().await }).await
}

#[tokio::test]
async fn runs_that_went_on_are_lost_and_the_server_says_that_it_cannot_go_on() {
    let house = House::with(&[GATE, QUICK]).await;
    let ann = house.user("ann", &[]).await;
    let going = ann.start_now("gate", &[("gate", "a")]).await;
    let done = ann.start("quick", &[]).await;
    assert_eq!(ann.end_of(done.id).await.outcome, Some(Outcome::Succeeded));
    assert!(
        house
            .inside(|app| async move { app.is_ready().await })
            .await
    );
    house.kill_runner();
    assert_eq!(fatal(&house).await, Fatal::RunnerGone);
    let end = ann.end_of(going.id).await;
    assert_eq!((end.outcome, end.exit_code), (Some(Outcome::Lost), None));
    let reason = end.reason.expect("a reason");
    assert!(reason.contains("not known how it ended"), "{reason}");
    assert_eq!(house.row(going.id).await.outcome, Some(Outcome::Lost));
    let earlier = ann.read(done.id).await.expect("readable");
    assert_eq!(
        earlier.outcome,
        Some(Outcome::Succeeded),
        "what had ended stays as it was"
    );
    let refused = ann.try_start("quick", &[]).await;
    assert!(matches!(refused, Err(StartError::Stopping)), "{refused:?}");
    assert_eq!(ann.ids(10).await.len(), 2);
    assert!(
        !house
            .inside(|app| async move { app.is_ready().await })
            .await
    );
    house.open_gate("a");
}

#[tokio::test]
async fn what_waited_starts_with_the_next_server_and_its_runner() {
    let mut house = House::with_limits(&[GATE, QUICK], ONE_AT_A_TIME).await;
    let (going, waiting) = {
        let ann = house.user("ann", &[]).await;
        let going = ann.start_now("gate", &[("gate", "a")]).await;
        (going.id, ann.start("quick", &[]).await.id)
    };
    house.kill_runner();
    fatal(&house).await;
    house
        .await_row(going, |row| row.state == State::Ended)
        .await;
    assert_eq!(
        house.row(waiting).await.state,
        State::Queued,
        "it was never handed over"
    );
    house.open_gate("a");
    house.crash();
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(waiting).await;
    assert_eq!(
        (end.outcome, end.epoch),
        (Some(Outcome::Succeeded), Epoch(1))
    );
    assert_eq!(
        ann.read(going).await.expect("readable").outcome,
        Some(Outcome::Lost)
    );
    assert_eq!(house.on_stage("ran"), "quick\n");
}

#[tokio::test]
async fn a_run_that_may_be_started_twice_is_started_again_by_the_next_server() {
    let mut house = House::with(&[AGAIN]).await;
    let run = house
        .user("ann", &[])
        .await
        .start_now("again", &[])
        .await
        .id;
    house.await_on_stage("again", "again\n").await;
    house.kill_runner();
    fatal(&house).await;
    let row = house.await_row(run, |row| row.state == State::Queued).await;
    assert_eq!((row.epoch, row.outcome), (Epoch(1), None));
    house.crash();
    house.serve().await;
    house.await_on_stage("again", "again\nagain\n").await;
    house.open_gate("go");
    let end = house.user("ann", &[]).await.end_of(run).await;
    assert_eq!(
        (end.outcome, end.epoch),
        (Some(Outcome::Succeeded), Epoch(2))
    );
}
