//! What is accepted is on disk.

use stagedoor_app::start_run::StartError;
use stagedoor_domain::id::Epoch;
use stagedoor_domain::queue::{Capacity, QueueFull};
use stagedoor_domain::run::{State, StopCause};

use crate::house::House;
use crate::scripts::{GATE, QUICK};

const DISABLED: (&str, &str) = (
    "broken.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# disabled = \"under repair\"\n# ///\n",
);

const TIGHT: Capacity = Capacity {
    running: 1,
    starting: 64,
    queued: 1,
    queued_per_user: 1,
};

#[tokio::test]
async fn an_accepted_run_is_in_the_store_before_it_is_answered() {
    let house = House::with_limits(&[GATE], TIGHT).await;
    let ann = house.user("ann", &[]).await;
    for place in ["a slot", "the queue"] {
        let accepted = ann
            .try_start("gate", &[("gate", "a")])
            .await
            .expect("accepted");
        assert!(accepted.new);
        let row = house.store().run(accepted.run.id).await.expect("the store");
        let row = row.unwrap_or_else(|| panic!("no row of the run in {place}"));
        assert_eq!((row.user, row.created_at), (ann.user.id, house.now()));
        assert_eq!(
            serde_json::Value::Object(row.args),
            serde_json::json!({"gate": "a"})
        );
    }
    house.open_gate("a");
}

#[tokio::test]
async fn a_run_that_gets_a_slot_is_starting_on_disk_and_one_that_waits_is_queued() {
    let house = House::with_limits(&[GATE], TIGHT).await;
    let ann = house.user("ann", &[]).await;
    let first = ann.start("gate", &[("gate", "a")]).await;
    let row = house.row(first.id).await;
    assert!(
        matches!(row.state, State::Starting | State::Running),
        "{row:?}"
    );
    assert_eq!(row.epoch, Epoch(1));
    let second = ann.start("gate", &[("gate", "b")]).await;
    let row = house.row(second.id).await;
    assert_eq!((row.state, row.epoch), (State::Queued, Epoch(0)));
    assert_eq!(second.queue_position, Some(1));
    house.open_gate("a");
    house.open_gate("b");
}

#[tokio::test]
async fn a_run_that_is_not_accepted_leaves_nothing() {
    let house = House::with_limits(&[GATE, DISABLED, QUICK], TIGHT).await;
    let ann = house.user("ann", &[]).await;
    let disabled = ann.try_start("broken", &[]).await.expect_err("disabled");
    assert!(
        matches!(&disabled, StartError::Disabled(why) if why == "under repair"),
        "{disabled}"
    );
    assert!(ann.ids(10).await.is_empty());
    let first = ann.start("gate", &[("gate", "a")]).await;
    let second = ann.start("gate", &[("gate", "b")]).await;
    let full = ann.try_start("quick", &[]).await.expect_err("full");
    assert!(
        matches!(full, StartError::QueueFull(QueueFull::All(1))),
        "{full}"
    );
    assert_eq!(ann.ids(10).await.len(), 2);
    house.open_gate("a");
    house.open_gate("b");
    ann.end_of(first.id).await;
    ann.end_of(second.id).await;
    assert_eq!(house.on_stage("ran"), "");
}

#[tokio::test]
async fn a_run_that_goes_on_is_soon_running_on_disk_and_a_short_one_is_ended() {
    let house = House::with(&[GATE, QUICK]).await;
    let ann = house.user("ann", &[]).await;
    let long = ann.start_now("gate", &[("gate", "a")]).await;
    let row = house
        .await_row(long.id, |row| row.state != State::Starting)
        .await;
    assert_eq!(
        (row.state, row.started_at),
        (State::Running, long.started_at)
    );
    let short = ann.start("quick", &[]).await;
    let short = ann.end_of(short.id).await;
    let row = house.row(short.id).await;
    assert_eq!(
        (row.state, row.started_at),
        (State::Ended, short.started_at)
    );
    assert!(row.started_at.is_some());
    house.open_gate("a");
    ann.end_of(long.id).await;
}

#[tokio::test]
async fn a_stop_is_on_disk_when_it_is_answered_however_young_the_run_is() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    for _ in 0..5 {
        let run = ann.start("gate", &[("gate", "never")]).await;
        ann.stop(run.id).await.expect("may stop");
        let row = house.row(run.id).await;
        assert_eq!(row.stop, Some(StopCause::Asked), "{row:?}");
    }
}
