//! Waiting for the end of a run.

#![expect(
    clippy::disallowed_methods,
    reason = "how long it really took is what is tested"
)]

use std::time::{Duration, Instant};

use stagedoor_domain::run::{Outcome, State};

use crate::house::House;
use crate::scripts::GATE;

#[tokio::test]
async fn who_waits_for_a_run_is_answered_when_it_ends() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start_now("gate", &[("gate", "a")]).await;
    let begin = Instant::now();
    let open = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        house.open_gate("a");
    };
    let (end, ()) = tokio::join!(ann.wait_for(run.id, Duration::from_secs(25)), open);
    assert_eq!(
        (end.state, end.outcome),
        (State::Ended, Some(Outcome::Succeeded))
    );
    assert!(
        begin.elapsed() >= Duration::from_millis(200),
        "not before it ended"
    );
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "not when the time is up"
    );
}

#[tokio::test]
async fn who_waits_for_a_run_is_answered_when_the_time_is_up() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start_now("gate", &[("gate", "a")]).await;
    let begin = Instant::now();
    let still = ann.wait_for(run.id, Duration::from_millis(300)).await;
    assert_eq!((still.state, still.outcome), (State::Running, None));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(begin.elapsed() < Duration::from_secs(10));
    house.open_gate("a");
    ann.end_of(run.id).await;
}

#[tokio::test]
async fn who_waits_for_a_run_that_has_ended_is_answered_at_once() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    house.open_gate("a");
    let run = ann.start("gate", &[("gate", "a")]).await;
    ann.end_of(run.id).await;
    let begin = Instant::now();
    let end = ann.wait_for(run.id, Duration::from_secs(25)).await;
    assert_eq!(end.outcome, Some(Outcome::Succeeded));
    assert!(begin.elapsed() < Duration::from_secs(10));
}
