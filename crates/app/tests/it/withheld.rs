//! A run whose sealed secrets do not open: nobody sees its output, which is masked when they do, or never
//! can.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State};
use stagedoor_store::RunUpdate;

use crate::house::{House, ROOMY};
use crate::scripts::GATE;
use crate::secrets::{KEEPER, SECRET};

/// Prints its secret between other lines, waits for the gate `go`, and prints one more.
pub const TELLER: (&str, &str) = (
    "teller.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# [[param]]
# name = "token"
# secret = true
# ///
printf 'before\n%s\n' "$(cat "$CREDENTIALS_DIRECTORY/token")"
echo there > @STAGE@/printed
i=0
while [ ! -e "@STAGE@/go" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
echo after
"#,
);

const STARS: &str = "**********************";

pub fn masked(end: &str) -> String {
    format!("before\n{STARS}\n{end}")
}

fn all_stars(end: &str) -> String {
    format!("******\n{STARS}\n{end}")
}

/// A run that has printed its secret and goes on.
async fn printed(house: &House) -> RunId {
    let ann = house.user("ann", &[]).await;
    let run = ann.start("teller", &[("token", SECRET)]).await.id;
    house.await_on_stage("printed", "there\n").await;
    ann.until(run, State::Running).await;
    for _ in 0..3000 {
        if ann.output(run).await == masked("") {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}

/// The same, whose server is dead.
async fn at_the_gate() -> (House, RunId) {
    let mut house = House::with(&[TELLER]).await;
    let run = printed(&house).await;
    house.crash();
    (house, run)
}

async fn read(house: &House, run: RunId) -> (String, String) {
    let ann = house.user("ann", &[]).await;
    let reason = ann.read(run).await.expect("readable").reason;
    (ann.output(run).await, reason.unwrap_or_default())
}

/// What the segment of standard output holds.
pub fn segment(house: &House, run: RunId) -> Option<String> {
    fs::read_to_string(segment_path(house, run)).ok()
}

fn segment_path(house: &House, run: RunId) -> PathBuf {
    let id = run.to_string();
    let shelf = house.state().join("output").join(&id[..6]);
    shelf.join(format!("{id}.1.out"))
}

async fn unmasked(house: &House) -> usize {
    let runs = house.store().unmasked_runs(None).await.expect("read");
    runs.len()
}

async fn end(house: &House, run: RunId) {
    house.open_gate("go");
    let ann = house.user("ann", &[]).await;
    assert_eq!(ann.end_of(run).await.outcome, Some(Outcome::Succeeded));
}

async fn all_is_masked(house: &House) {
    for _ in 0..3000 {
        if unmasked(house).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}

#[tokio::test]
async fn w24_with_another_key_nobody_sees_the_output_until_the_right_one_is_back() {
    let (mut house, run) = at_the_gate().await;
    house.vault_key = 8;
    house.serve().await;
    let (seen, reason) = read(&house, run).await;
    assert_eq!(seen, all_stars(""));
    assert!(reason.contains("`secret.key`"), "{reason}");
    end(&house, run).await;
    for _ in 0..2 {
        let (seen, reason) = read(&house, run).await;
        assert_eq!(seen, all_stars("*****\n"));
        assert!(reason.contains("`secret.key`"), "{reason}");
        let kept = format!("before\n{SECRET}\nafter\n");
        assert_eq!(segment(&house, run), Some(kept), "nothing is lost");
        assert_eq!(unmasked(&house).await, 1);
        house.crash();
        house.serve().await;
    }
    house.crash();
    house.vault_key = 7;
    house.serve().await;
    all_is_masked(&house).await;
    assert_eq!(
        read(&house, run).await,
        (masked("after\n"), String::new()),
        "as if the key had never been away"
    );
    assert_eq!(segment(&house, run), Some(masked("after\n")));
}

#[tokio::test]
async fn w24_a_key_that_does_not_come_back_in_thirty_days_is_not_waited_for() {
    let (mut house, run) = at_the_gate().await;
    house.vault_key = 8;
    house.serve().await;
    end(&house, run).await;
    let look = || house.inside(|app| async move { app.mask_what_is_left(true).await });
    // The runner has a clock of its own.
    let ended = house.row(run).await.ended_at.expect("it has ended");
    house.clock.pass(ended.since(house.now()));
    for (days, left) in [(0, 1), (29, 1), (2, 0)] {
        house.clock.pass(Duration::from_hours(24 * days));
        look().await.expect("looked");
        assert_eq!(unmasked(&house).await, left, "{days} days more");
    }
    assert_eq!(segment(&house, run), Some(all_stars("*****\n")));
    let (seen, reason) = read(&house, run).await;
    assert_eq!(seen, all_stars("*****\n"));
    assert!(reason.contains("for 30 days"), "{reason}");
}

#[tokio::test]
async fn w24_of_a_run_whose_sealed_secrets_are_damaged_all_output_is_masked_for_good() {
    let (mut house, run) = at_the_gate().await;
    house.serve().await;
    let mut sealed = house.row(run).await.secrets.expect("sealed");
    *sealed.last_mut().expect("a byte") ^= 1;
    let update = RunUpdate {
        secrets: Some(sealed),
        ..RunUpdate::new(run, Epoch(1), State::Running)
    };
    let kept = house.store().update_run(update).await;
    assert!(kept.expect("kept"));
    house.crash();
    house.serve().await;
    let (seen, reason) = read(&house, run).await;
    assert_eq!(seen, all_stars(""));
    assert!(reason.contains("is damaged"), "{reason}");
    end(&house, run).await;
    for _ in 0..2 {
        let (seen, reason) = read(&house, run).await;
        assert_eq!(seen, all_stars("*****\n"));
        assert!(reason.contains("is damaged"), "{reason}");
        assert_eq!(segment(&house, run), Some(all_stars("*****\n")));
        assert_eq!(unmasked(&house).await, 0);
        house.crash();
        house.serve().await;
    }
}

#[tokio::test]
async fn w24_a_run_whose_segment_cannot_be_masked_has_its_outcome_and_is_masked_later() {
    let house = House::with(&[TELLER]).await;
    let run = printed(&house).await;
    let path = segment_path(&house, run);
    let away = path.with_extension("away");
    fs::rename(&path, &away).expect("moved");
    fs::create_dir(&path).expect("in the way");
    end(&house, run).await;
    assert_eq!(unmasked(&house).await, 1);
    fs::remove_dir(&path).expect("out of the way");
    fs::rename(&away, &path).expect("moved back");
    let (seen, reason) = read(&house, run).await;
    assert_eq!((seen, reason), (masked("after\n"), String::new()));
    let kept = segment(&house, run).expect("a segment");
    assert!(kept.contains(SECRET), "it is not masked: {kept}");
    let looked = house.inside(|app| async move { app.mask_what_is_left(false).await });
    looked.await.expect("looked");
    assert_eq!(unmasked(&house).await, 0);
    assert_eq!(segment(&house, run), Some(masked("after\n")));
}

#[tokio::test]
async fn a_run_that_was_never_started_has_nothing_to_withhold() {
    let one = Capacity {
        running: 1,
        ..ROOMY
    };
    let mut house = House::with_limits(&[GATE, KEEPER], one).await;
    let waiting = {
        let ann = house.user("ann", &[]).await;
        ann.start_now("gate", &[("gate", "a")]).await;
        let args = [("token", SECRET), ("word", "open")];
        ann.start("keeper", &args).await.id
    };
    house.crash();
    house.vault_key = 8;
    house.serve().await;
    house.open_gate("a");
    let ann = house.user("ann", &[]).await;
    let end = ann.end_of(waiting).await;
    let reason = end.reason.expect("a reason");
    assert_eq!(end.outcome, Some(Outcome::Refused), "{reason}");
    assert!(!reason.contains("stars"), "{reason}");
    assert_eq!(unmasked(&house).await, 0);
}
