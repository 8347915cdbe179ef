//! A secret argument: sealed while it is needed, gone afterwards, never in the clear on disk.

use stagedoor_app::view::RunView;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State};

use crate::character::Character;
use crate::house::{House, ROOMY};
use crate::scripts::GATE;

pub const SECRET: &str = "hunter2-violet-tractor";
const OPEN: &str = "spoken-aloud-by-all";

/// Keeps what it was given as a file and as an argument, waits for the gate `go`, and ends.
pub const KEEPER: (&str, &str) = (
    "keeper.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# [[param]]
# name = "token"
# secret = true
# required = false
# [[param]]
# name = "word"
# ///
cat "$CREDENTIALS_DIRECTORY/token" > @STAGE@/token
echo "$#:$*" > @STAGE@/argv
env > @STAGE@/env
i=0
while [ ! -e "@STAGE@/go" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
"#,
);

async fn start(ann: &Character<'_>) -> RunView {
    ann.start("keeper", &[("token", SECRET), ("word", OPEN)])
        .await
}

/// Do the files of the database contain this text anywhere?
fn is_on_disk(house: &House, text: &str) -> bool {
    ["stagedoor.db", "stagedoor.db-wal"]
        .into_iter()
        .any(|file| {
            let bytes = std::fs::read(house.state().join(file)).unwrap_or_default();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
}

#[tokio::test]
async fn a_secret_comes_as_a_file_and_nowhere_else() {
    let house = House::with(&[KEEPER]).await;
    let ann = house.user("ann", &[]).await;
    let run = start(&ann).await;
    house.open_gate("go");
    assert_eq!(ann.end_of(run.id).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(house.on_stage("token"), SECRET);
    assert_eq!(house.on_stage("argv"), format!("1:{OPEN}\n"));
    assert!(!house.on_stage("env").contains(SECRET));
    assert!(house.on_stage("env").contains("STAGEDOOR_USER=ann\n"));
}

#[tokio::test]
async fn a_secret_is_sealed_while_the_run_goes_on_and_gone_when_it_has_ended() {
    let house = House::with(&[KEEPER]).await;
    let ann = house.user("ann", &[]).await;
    let run = start(&ann).await;
    ann.until(run.id, State::Running).await;
    house.await_on_stage("token", SECRET).await;
    let row = house.row(run.id).await;
    let history = serde_json::json!({"token": "***", "word": OPEN});
    assert_eq!(serde_json::Value::Object(row.args), history);
    assert_eq!(serde_json::Value::Object(run.args), history);
    let sealed = row.secrets.expect("kept while it is needed");
    assert!(
        !sealed
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes())
    );
    assert!(!is_on_disk(&house, SECRET));
    assert!(is_on_disk(&house, OPEN), "the search finds what is there");
    house.open_gate("go");
    ann.end_of(run.id).await;
    assert_eq!(house.row(run.id).await.secrets, None);
    assert!(!is_on_disk(&house, SECRET));
}

#[tokio::test]
async fn the_secret_of_a_run_that_never_started_is_gone_too() {
    let house = House::with_limits(
        &[GATE, KEEPER],
        Capacity {
            running: 1,
            ..ROOMY
        },
    )
    .await;
    let ann = house.user("ann", &[]).await;
    ann.start_now("gate", &[("gate", "a")]).await;
    let run = start(&ann).await;
    assert!(house.row(run.id).await.secrets.is_some());
    ann.stop(run.id).await.expect("may stop");
    assert_eq!(ann.end_of(run.id).await.outcome, Some(Outcome::Cancelled));
    assert_eq!(house.row(run.id).await.secrets, None);
    house.open_gate("a");
}

#[tokio::test]
async fn a_run_without_secrets_seals_nothing() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("gate", &[("gate", "a")]).await;
    assert_eq!(house.row(run.id).await.secrets, None);
    house.open_gate("a");
    ann.end_of(run.id).await;
}
