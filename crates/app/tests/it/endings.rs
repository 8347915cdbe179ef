//! How a run ends, and that everybody is told the same: who waits, who asks, and the record.

use stagedoor_app::view::RunView;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State, StopCause};

use crate::house::{House, ROOMY};
use crate::scripts::{EXIT, GATE, QUICK};

const ONE_AT_A_TIME: Capacity = Capacity {
    running: 1,
    ..ROOMY
};

/// The end of a run, which the record must tell in the same way.
async fn end_of(house: &House, run: &RunView) -> RunView {
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(run.id).await;
    let row = house.row(run.id).await;
    assert_eq!((row.state, row.outcome), (State::Ended, end.outcome));
    assert_eq!((row.exit_code, row.signal), (end.exit_code, end.signal));
    assert_eq!(
        (&row.reason, row.stop, row.epoch),
        (&end.reason, end.stop, end.epoch)
    );
    assert_eq!(
        (row.started_at, row.ended_at),
        (end.started_at, end.ended_at)
    );
    assert!(row.ended_at.is_some());
    let load = house.inside(|app| async move { app.load() }).await;
    assert_eq!(load, (0, 0), "its slot is free");
    end
}

async fn end_of_exit(code: &str) -> RunView {
    let house = House::with(&[EXIT]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("exit", &[("code", code)]).await;
    end_of(&house, &run).await
}

#[tokio::test]
async fn a_run_with_exit_code_zero_succeeded() {
    let end = end_of_exit("0").await;
    assert_eq!(
        (end.outcome, end.exit_code),
        (Some(Outcome::Succeeded), Some(0))
    );
    assert_eq!((end.signal, end.stop, end.reason), (None, None, None));
}

#[tokio::test]
async fn a_run_with_another_exit_code_failed_with_that_code() {
    let end = end_of_exit("4").await;
    assert_eq!(
        (end.outcome, end.exit_code),
        (Some(Outcome::Failed), Some(4))
    );
}

#[tokio::test]
async fn an_exit_code_that_the_author_calls_success_is_success() {
    let end = end_of_exit("3").await;
    assert_eq!(
        (end.outcome, end.exit_code),
        (Some(Outcome::Succeeded), Some(3))
    );
}

const SUICIDE: (&str, &str) = (
    "suicide.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\nkill -TERM $$\nsleep 60\n",
);

#[tokio::test]
async fn a_script_that_ends_by_a_signal_of_its_own_is_signalled_not_cancelled() {
    let house = House::with(&[SUICIDE]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("suicide", &[]).await;
    let end = end_of(&house, &run).await;
    assert_eq!(
        (end.outcome, end.signal),
        (Some(Outcome::Signalled), Some(15))
    );
    assert_eq!((end.exit_code, end.stop), (None, None));
}

#[tokio::test]
async fn a_run_that_is_stopped_is_cancelled() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start_now("gate", &[("gate", "a")]).await;
    house.await_on_stage("started", "a\n").await;
    ann.stop(run.id).await.expect("may stop");
    let end = end_of(&house, &run).await;
    assert_eq!(
        (end.outcome, end.stop),
        (Some(Outcome::Cancelled), Some(StopCause::Asked))
    );
    assert_eq!(house.on_stage("finished"), "");
    assert_eq!(ann.output(run.id).await, "before a\n");
}

#[tokio::test]
async fn a_run_that_nobody_stops_goes_to_its_end() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start_now("gate", &[("gate", "a")]).await;
    house.open_gate("a");
    let end = end_of(&house, &run).await;
    assert_eq!((end.outcome, end.stop), (Some(Outcome::Succeeded), None));
    assert_eq!(ann.output(run.id).await, "before a\nafter a\n");
}

#[tokio::test]
async fn a_run_that_is_stopped_as_soon_as_it_is_accepted_ends_cancelled() {
    let house = House::with(&[GATE]).await;
    let ann = house.user("ann", &[]).await;
    for number in 0..10 {
        let run = ann
            .start("gate", &[("gate", &format!("never{number}"))])
            .await;
        ann.stop(run.id).await.expect("may stop");
        ann.stop_again(run.id).await;
        let end = end_of(&house, &run).await;
        assert_eq!(end.outcome, Some(Outcome::Cancelled));
    }
    assert_eq!(house.on_stage("finished"), "");
}

const SLEEP: (&str, &str) = (
    "sleep.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# timeout = \"700ms\"\n# [[param]]\n# name = \"seconds\"\n# ///\nexec sleep \"$1\"\n",
);

#[tokio::test]
async fn a_run_that_takes_too_long_is_timed_out() {
    let house = House::with(&[SLEEP]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("sleep", &[("seconds", "60")]).await;
    let end = end_of(&house, &run).await;
    assert_eq!(
        (end.outcome, end.signal),
        (Some(Outcome::TimedOut), Some(15))
    );
    assert_eq!(end.stop, None, "nobody stopped it");
}

#[tokio::test]
async fn a_run_that_ends_in_time_is_not_timed_out() {
    let house = House::with(&[SLEEP]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("sleep", &[("seconds", "0.01")]).await;
    assert_eq!(end_of(&house, &run).await.outcome, Some(Outcome::Succeeded));
}

const TALK: (&str, &str) = (
    "talk.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# limits = { output = \"1KiB\" }\n# [[param]]\n# name = \"bytes\"\n# ///\nhead -c \"$1\" /dev/zero\nsleep 0.3\n",
);

#[tokio::test]
async fn a_run_that_writes_too_much_is_over_limit_and_keeps_what_may_be_kept() {
    let house = House::with(&[TALK]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("talk", &[("bytes", "100000")]).await;
    let end = end_of(&house, &run).await;
    assert_eq!(
        (end.outcome, end.stop),
        (Some(Outcome::OverLimit), Some(StopCause::Output))
    );
    assert_eq!(ann.output(run.id).await.len(), 1024);
    assert_eq!(house.row(run.id).await.stdout_bytes, 1024);
}

#[tokio::test]
async fn a_run_that_writes_as_much_as_it_may_succeeds() {
    let house = House::with(&[TALK]).await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("talk", &[("bytes", "1024")]).await;
    assert_eq!(end_of(&house, &run).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(house.row(run.id).await.stdout_bytes, 1024);
}

/// A run of `quick` that waits while this happens to its file.
async fn end_after(what_happens: impl FnOnce(&House)) -> (House, RunView) {
    let house = House::with_limits(&[GATE, QUICK], ONE_AT_A_TIME).await;
    let ann = house.user("ann", &[]).await;
    ann.start_now("gate", &[("gate", "a")]).await;
    let waiting = ann.start("quick", &[]).await;
    assert_eq!(waiting.state, State::Queued);
    what_happens(&house);
    house.open_gate("a");
    let end = end_of(&house, &waiting).await;
    (house, end)
}

#[tokio::test]
async fn a_script_that_changed_after_the_click_is_refused() {
    let changed = |house: &House| house.write_script("quick.sh", &QUICK.1.replace("ran", "other"));
    let (house, end) = end_after(changed).await;
    assert_eq!(end.outcome, Some(Outcome::Refused));
    let reason = end.reason.expect("a reason");
    assert!(reason.contains("changed"), "{reason}");
    assert_eq!(
        (house.on_stage("ran"), house.on_stage("other")),
        (String::new(), String::new())
    );
    // The next click means the new file.
    let ann = house.user("ann", &[]).await;
    let run = ann.start("quick", &[]).await;
    assert_eq!(ann.end_of(run.id).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(house.on_stage("other"), "quick\n");
}

#[tokio::test]
async fn a_script_that_vanished_after_the_click_is_refused() {
    let vanish =
        |house: &House| std::fs::remove_file(house.scripts().join("quick.sh")).expect("removed");
    let (house, end) = end_after(vanish).await;
    assert_eq!(end.outcome, Some(Outcome::Refused));
    let reason = end.reason.expect("a reason");
    assert!(reason.contains("gone"), "{reason}");
    assert_eq!(house.on_stage("ran"), "");
}

#[tokio::test]
async fn a_script_that_stayed_as_it_was_after_the_click_is_started() {
    let (house, end) = end_after(|_| {}).await;
    assert_eq!((end.outcome, end.reason), (Some(Outcome::Succeeded), None));
    assert_eq!(house.on_stage("ran"), "quick\n");
}
