//! A server dies; the next one goes on where it was.

use std::time::Duration;

use stagedoor_domain::id::Epoch;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State, StopCause};
use stagedoor_store::{RunUpdate, Store};

use crate::house::{House, ROOMY};
use crate::scripts::GATE;
use crate::secrets::{KEEPER, SECRET};

const ONE_AT_A_TIME: Capacity = Capacity {
    running: 1,
    ..ROOMY
};

/// Writes without a pause until its gate opens, each line with its number.
const TALKER: (&str, &str) = (
    "talker.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# ///
echo started >> @STAGE@/started
i=0
while [ ! -e "@STAGE@/go" ] && [ $i -lt 3000000 ]; do echo "line $i"; i=$((i+1)); done
echo "$i" > @STAGE@/lines
exit 3
"#,
);

#[tokio::test]
async fn a_run_that_goes_on_ends_with_its_real_outcome_and_complete_output() {
    let mut house = House::with(&[TALKER]).await;
    let run = house
        .user("ann", &[])
        .await
        .start_now("talker", &[])
        .await
        .id;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        house.crash();
        tokio::time::sleep(Duration::from_millis(50)).await;
        house.serve().await;
    }
    assert_eq!(house.runners(), 1, "the runner is the same");
    let ann = house.user("ann", &[]).await;
    assert_eq!(ann.read(run).await.expect("readable").state, State::Running);
    house.open_gate("go");
    let end = ann.end_of(run).await;
    assert_eq!(
        (end.outcome, end.exit_code),
        (Some(Outcome::Failed), Some(3))
    );
    assert_eq!(end.epoch, Epoch(1));
    let lines: usize = house.on_stage("lines").trim().parse().expect("a number");
    let numbered: Vec<String> = (0..lines).map(|i| format!("line {i}\n")).collect();
    let whole = numbered.concat();
    let output = ann.output(run).await;
    assert!(
        output == whole,
        "{} bytes instead of {}",
        output.len(),
        whole.len()
    );
    assert_eq!(house.row(run).await.stdout_bytes, whole.len() as u64);
    assert_eq!(house.on_stage("started"), "started\n");
    assert_eq!(house.inside(|app| async move { app.load() }).await, (0, 0));
}

#[tokio::test]
async fn a_run_that_waits_starts_with_its_secrets_and_only_once() {
    let mut house = House::with_limits(&[GATE, KEEPER], ONE_AT_A_TIME).await;
    let (running, waiting) = {
        let ann = house.user("ann", &[]).await;
        let running = ann.start_now("gate", &[("gate", "a")]).await;
        let args = [("token", SECRET), ("word", "open")];
        (running.id, ann.start("keeper", &args).await.id)
    };
    house.crash();
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    let still = ann.read(waiting).await.expect("readable");
    assert_eq!(
        (still.state, still.queue_position),
        (State::Queued, Some(1))
    );
    house.open_gate("a");
    house.open_gate("go");
    assert_eq!(ann.end_of(running).await.outcome, Some(Outcome::Succeeded));
    let end = ann.end_of(waiting).await;
    assert_eq!(
        (end.outcome, end.epoch),
        (Some(Outcome::Succeeded), Epoch(1))
    );
    assert_eq!(house.on_stage("token"), SECRET);
    assert_eq!(house.on_stage("argv"), "1:open\n");
    assert_eq!(house.row(waiting).await.secrets, None);
    assert_eq!(house.on_stage("started"), "a\n");
    assert_eq!(ann.ids(10).await.len(), 2);
}

#[tokio::test]
async fn a_script_that_changes_while_no_server_is_there_is_refused_to_who_asked_before() {
    let mut house = House::with_limits(&[GATE], ONE_AT_A_TIME).await;
    let (running, waiting) = {
        let ann = house.user("ann", &[]).await;
        let running = ann.start_now("gate", &[("gate", "a")]).await;
        (running.id, ann.start("gate", &[("gate", "b")]).await.id)
    };
    house.crash();
    let (file, text) = GATE;
    house.write_script(file, &format!("{text}\n# changed\n"));
    house.serve().await;
    house.open_gate("a");
    house.open_gate("b");
    let ann = house.user("ann", &[]).await;
    assert_eq!(ann.end_of(running).await.outcome, Some(Outcome::Succeeded));
    let end = ann.end_of(waiting).await;
    assert_eq!(end.outcome, Some(Outcome::Refused));
    assert!(end.reason.is_some_and(|why| why.contains("changed")));
    assert_eq!(house.on_stage("started"), "a\n");
    let again = ann.start("gate", &[("gate", "b")]).await.id;
    assert_eq!(ann.end_of(again).await.outcome, Some(Outcome::Succeeded));
}

#[tokio::test]
async fn a_run_that_ended_while_no_server_was_there_gets_its_outcome() {
    let mut house = House::with(&[GATE]).await;
    let run = house
        .user("ann", &[])
        .await
        .start_now("gate", &[("gate", "a")])
        .await
        .id;
    house.await_on_stage("started", "a\n").await;
    house.crash();
    house.open_gate("a");
    house.await_on_stage("finished", "a\n").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(run).await;
    assert_eq!(
        (end.outcome, end.exit_code),
        (Some(Outcome::Succeeded), Some(0))
    );
    assert!(end.ended_at >= end.started_at);
    assert_eq!(ann.output(run).await, "before a\nafter a\n");
    // It is told so in a moment, together with others.
    tokio::time::sleep(Duration::from_secs(1)).await;
    house.crash();
    house.serve().await;
    assert_eq!(house.runners(), 2, "the runner was told to forget it");
    let ann = house.user("ann", &[]).await;
    assert_eq!(
        ann.read(run).await.expect("readable").ended_at,
        end.ended_at
    );
}

#[tokio::test]
async fn a_stop_that_the_earlier_server_recorded_but_did_not_pass_on_is_passed_on() {
    let mut house = House::with(&[GATE]).await;
    let run = house
        .user("ann", &[])
        .await
        .start_now("gate", &[("gate", "a")])
        .await
        .id;
    house
        .await_row(run, |row| row.state == State::Running)
        .await;
    house.crash();
    let store = Store::open(&house.state()).expect("a database");
    let update = RunUpdate {
        stop: Some(StopCause::Asked),
        ..RunUpdate::new(run, Epoch(1), State::Stopping)
    };
    assert!(store.update_run(update).await.expect("written"));
    drop(store);
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(run).await;
    assert_eq!(
        (end.outcome, end.stop),
        (Some(Outcome::Cancelled), Some(StopCause::Asked))
    );
}

/// Prints so many bytes, and may print 1024.
const MEASURED: (&str, &str) = (
    "measured",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n\
     # limits = { output = \"1KiB\" }\n# [[param]]\n# name = \"bytes\"\n# ///\n\
     head -c \"$1\" /dev/zero\nsleep 60\n",
);

#[tokio::test]
async fn why_a_run_was_stopped_is_seen_even_where_no_record_says_so() {
    for (bytes, outcome) in [("1024", Outcome::OverLimit), ("1023", Outcome::Cancelled)] {
        let mut house = House::with(&[MEASURED]).await;
        let ann = house.user("ann", &[]).await;
        let run = ann.start_now("measured", &[("bytes", bytes)]).await.id;
        let wanted = bytes.parse().expect("a number");
        while ann.output(run).await.len() < wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        house
            .await_row(run, |row| row.state == State::Running)
            .await;
        house.crash();
        house.stop_unrecorded(run).await;
        house.serve().await;
        let ann = house.user("ann", &[]).await;
        assert_eq!(ann.end_of(run).await.outcome, Some(outcome), "{bytes}");
    }
}

#[tokio::test]
async fn a_run_that_goes_on_can_be_stopped_through_the_next_server() {
    let mut house = House::with(&[GATE]).await;
    let run = house
        .user("ann", &[])
        .await
        .start_now("gate", &[("gate", "a")])
        .await
        .id;
    house.crash();
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    ann.stop(run).await.expect("may stop");
    assert_eq!(ann.end_of(run).await.outcome, Some(Outcome::Cancelled));
    assert_eq!(house.on_stage("finished"), "");
}
