//! A record of an older attempt, or one after the first that ended the run, changes nothing. Nothing
//! else stands between a late report and the history: it is the WHERE of one statement.

use futures_util::future::join_all;
use stagedoor_domain::id::Epoch;
use stagedoor_domain::run::{Outcome, State, StopCause};
use stagedoor_store::{RunRecord, RunUpdate};

use crate::world::{World, at, world};

/// Every way to go on, bare and with all that it can say.
fn updates(run: &RunRecord, epoch: u32) -> Vec<RunUpdate> {
    let goes_on = State::ALL
        .iter()
        .filter(|(_, state)| *state != State::Ended)
        .map(|(_, state)| RunUpdate::new(run.id, Epoch(epoch), *state));
    let ends = Outcome::ALL
        .iter()
        .map(|(_, outcome)| RunUpdate::ended(run.id, Epoch(epoch), *outcome, at(90)));
    goes_on
        .chain(ends)
        .flat_map(|bare| [talkative(&bare), bare])
        .collect()
}

fn talkative(bare: &RunUpdate) -> RunUpdate {
    RunUpdate {
        stop: Some(StopCause::Output),
        reason: Some("late".into()),
        exit_code: Some(77),
        signal: Some(7),
        leftovers: Some(7),
        stdout_bytes: Some(777),
        stderr_bytes: Some(778),
        started_at: Some(at(79)),
        clear_secrets: true,
        ..bare.clone()
    }
}

/// A run that runs in its second attempt and has said everything.
async fn running(world: &World) -> RunRecord {
    let run = world.started(2).await;
    let update = RunUpdate {
        stop: Some(StopCause::Asked),
        reason: Some("asked by bob".into()),
        exit_code: Some(1),
        signal: Some(2),
        leftovers: Some(3),
        stdout_bytes: Some(4),
        stderr_bytes: Some(5),
        started_at: Some(at(6)),
        ..RunUpdate::new(run.id, Epoch(2), State::Stopping)
    };
    assert!(world.update(update).await);
    world.read(&run).await
}

#[tokio::test]
async fn no_record_of_an_older_attempt_changes_anything() {
    let world = world();
    let run = running(&world).await;
    for update in [0, 1].into_iter().flat_map(|epoch| updates(&run, epoch)) {
        assert!(!world.update(update.clone()).await, "{update:?}");
        assert_eq!(world.read(&run).await, run, "{update:?}");
    }
}

#[tokio::test]
async fn every_record_of_this_attempt_or_a_newer_one_changes_the_run() {
    let world = world();
    for epoch in [2, 3] {
        for nth in 0..updates(&running(&world).await, epoch).len() {
            let run = running(&world).await;
            let update = updates(&run, epoch).swap_remove(nth);
            assert!(world.update(update.clone()).await, "{update:?}");
            let after = world.read(&run).await;
            assert_eq!(
                (after.state, after.epoch, after.outcome, after.ended_at),
                (update.state, update.epoch, update.outcome, update.ended_at)
            );
        }
    }
}

#[tokio::test]
async fn no_record_changes_a_run_that_has_ended_of_whatever_attempt() {
    let world = world();
    let run = running(&world).await;
    let end = RunUpdate::ended(run.id, Epoch(2), Outcome::Succeeded, at(50));
    assert!(world.update(end).await);
    let ended = world.read(&run).await;
    assert_eq!(
        (ended.state, ended.outcome, ended.ended_at),
        (State::Ended, Some(Outcome::Succeeded), Some(at(50)))
    );
    for update in (1..4).flat_map(|epoch| updates(&run, epoch)) {
        assert!(!world.update(update.clone()).await, "{update:?}");
        assert_eq!(world.read(&run).await, ended, "{update:?}");
    }
}

#[tokio::test]
async fn of_many_ends_at_once_one_is_recorded() {
    let world = world();
    let run = world.started(1).await;
    let ends = (0..100).map(|n| {
        let end = RunUpdate::ended(run.id, Epoch(1), Outcome::Failed, at(n));
        world.store.update_run(RunUpdate {
            exit_code: Some(i32::try_from(n).expect("small")),
            ..end
        })
    });
    let applied: Vec<_> = join_all(ends)
        .await
        .into_iter()
        .map(|r| r.expect("answered"))
        .collect();
    assert_eq!(applied.iter().filter(|applied| **applied).count(), 1);
    let winner = applied
        .iter()
        .position(|applied| *applied)
        .and_then(|n| i32::try_from(n).ok());
    assert_eq!(world.read(&run).await.exit_code, winner);
}

/// As they arrive when a server is slow: in one transaction, in an order that nobody chose.
#[tokio::test]
async fn of_two_attempts_that_report_at_once_the_newer_one_counts() {
    let world = world();
    for reversed in [false, true] {
        let run = world.started(1).await;
        let mut reports = vec![
            RunUpdate::new(run.id, Epoch(2), State::Running),
            RunUpdate::ended(run.id, Epoch(1), Outcome::Failed, at(9)),
        ];
        if reversed {
            // An end that came first is one; nothing follows it.
            reports.reverse();
        }
        let applied = join_all(reports.into_iter().map(|report| world.update(report))).await;
        assert_eq!(applied, [true, false]);
        let state = world.read(&run).await.state;
        assert_eq!(state == State::Ended, reversed);
    }
}

#[tokio::test]
async fn a_new_attempt_forgets_when_the_older_was_started_and_what_it_wrote_and_nothing_else() {
    let world = world();
    let run = running(&world).await;
    assert!(
        world
            .update(RunUpdate::new(run.id, Epoch(3), State::Starting))
            .await
    );
    let expected = RunRecord {
        epoch: Epoch(3),
        state: State::Starting,
        started_at: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        ..run.clone()
    };
    assert_eq!(world.read(&run).await, expected);
}

#[tokio::test]
async fn an_update_of_the_same_attempt_leaves_what_it_does_not_name() {
    let world = world();
    let run = running(&world).await;
    let update = RunUpdate::new(run.id, Epoch(2), State::Running);
    assert!(world.update(update).await);
    let expected = RunRecord {
        state: State::Running,
        ..run.clone()
    };
    assert_eq!(world.read(&run).await, expected);
}
