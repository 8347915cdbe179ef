use futures_util::future::join_all;
use stagedoor_domain::id::{Epoch, UserId};
use stagedoor_domain::run::{Outcome, State, StopCause};
use stagedoor_store::{Inserted, RunRecord, RunUpdate};

use crate::world::{World, at, queued, script, world};

const ANN: UserId = UserId(1);
const BOB: UserId = UserId(2);

async fn started(world: &World, epoch: u32) -> RunRecord {
    let mut run = queued("ops/backup", ANN, at(0));
    run.secrets = Some(vec![1, 2, 3]);
    run.state = State::Starting;
    run.epoch = Epoch(epoch);
    assert_eq!(
        world.store.insert_run(&run).await.expect("inserted"),
        Inserted::New
    );
    run
}

async fn read(world: &World, run: &RunRecord) -> RunRecord {
    world.store.run(run.id).await.expect("read").expect("found")
}

#[tokio::test]
async fn a_run_is_read_as_it_was_written() {
    let world = world();
    let mut run = queued("ops/db/backup", ANN, at(5));
    run.secrets = Some(vec![0, 255, 7]);
    run.epoch = Epoch(3);
    run.state = State::Stopping;
    run.stop = Some(StopCause::Output);
    run.reason = Some("because".into());
    run.exit_code = Some(-1);
    run.signal = Some(15);
    run.leftovers = 4;
    run.stdout_bytes = 1 << 40;
    run.stderr_bytes = 9;
    run.started_at = Some(at(6));
    run.request_key = Some([9; 32]);
    run.fingerprint = Some(stagedoor_domain::script::Fingerprint {
        dev: 1,
        ino: u64::MAX,
        size: 3,
        mtime_ns: 1_700_000_000_123_456_789,
        ctime_ns: -5,
    });
    run.args.insert(
        "list".into(),
        serde_json::json!(["b", "a", null, true, 1.5]),
    );
    world.store.insert_run(&run).await.expect("inserted");
    assert_eq!(read(&world, &run).await, run);

    let ended = RunRecord {
        state: State::Ended,
        outcome: Some(Outcome::Lost),
        ended_at: Some(at(9)),
        secrets: None,
        ..queued("a", ANN, at(5))
    };
    world.store.insert_run(&ended).await.expect("inserted");
    assert_eq!(read(&world, &ended).await, ended);
    assert_eq!(
        world
            .store
            .run(queued("a", ANN, at(0)).id)
            .await
            .expect("read"),
        None
    );
}

#[tokio::test]
async fn every_state_outcome_and_cause_of_the_domain_can_be_kept() {
    let world = world();
    for (_, outcome) in Outcome::ALL {
        let run = started(&world, 1).await;
        let update = RunUpdate::ended(run.id, Epoch(1), *outcome, at(9));
        assert!(world.store.update_run(update).await.expect("updated"));
        assert_eq!(read(&world, &run).await.outcome, Some(*outcome));
    }
    for (_, state) in State::ALL
        .iter()
        .filter(|(_, state)| *state != State::Ended)
    {
        for (_, cause) in StopCause::ALL {
            let run = started(&world, 1).await;
            let update = RunUpdate {
                stop: Some(*cause),
                ..RunUpdate::new(run.id, Epoch(1), *state)
            };
            assert!(world.store.update_run(update).await.expect("updated"));
            let run = read(&world, &run).await;
            assert_eq!((run.state, run.stop), (*state, Some(*cause)));
        }
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_gives_the_first_run() {
    let world = world();
    let first = RunRecord {
        request_key: Some([1; 32]),
        ..queued("backup", ANN, at(0))
    };
    assert_eq!(
        world.store.insert_run(&first).await.expect("inserted"),
        Inserted::New
    );

    let again = RunRecord {
        request_key: Some([1; 32]),
        ..queued("backup", ANN, at(10))
    };
    let same = Inserted::SameRequest {
        run: first.id,
        same_args: true,
    };
    assert_eq!(
        world.store.insert_run(&again).await.expect("answered"),
        same
    );
    assert_eq!(world.store.run(again.id).await.expect("read"), None);

    let mut other = RunRecord {
        request_key: Some([1; 32]),
        ..queued("backup", ANN, at(20))
    };
    other.args.insert("more".into(), true.into());
    let differs = Inserted::SameRequest {
        run: first.id,
        same_args: false,
    };
    assert_eq!(
        world.store.insert_run(&other).await.expect("answered"),
        differs
    );
    let other = RunRecord {
        request_key: Some([1; 32]),
        ..queued("restore", ANN, at(20))
    };
    assert_eq!(
        world.store.insert_run(&other).await.expect("answered"),
        differs
    );

    let new = RunRecord {
        request_key: Some([2; 32]),
        ..queued("backup", ANN, at(30))
    };
    assert_eq!(
        world.store.insert_run(&new).await.expect("inserted"),
        Inserted::New
    );
    for _ in 0..2 {
        let keyless = queued("backup", ANN, at(40));
        assert_eq!(
            world.store.insert_run(&keyless).await.expect("inserted"),
            Inserted::New
        );
    }
}

#[tokio::test]
async fn a_repeated_request_with_another_secret_is_another_request() {
    let world = world();
    let asked = |digest: Option<[u8; 32]>, millis| RunRecord {
        request_key: Some([1; 32]),
        request_digest: digest,
        ..queued("backup", ANN, at(millis))
    };
    let first = asked(Some([7; 32]), 0);
    let insert = async |run: &RunRecord| world.store.insert_run(run).await.expect("answered");
    assert_eq!(insert(&first).await, Inserted::New);
    for (digest, same_args) in [(Some([7; 32]), true), (Some([8; 32]), false), (None, false)] {
        let again = insert(&asked(digest, 10)).await;
        let run = first.id;
        assert_eq!(
            again,
            Inserted::SameRequest { run, same_args },
            "{digest:?}"
        );
    }
    let kept = world.store.run_of_request([1; 32]).await.expect("read");
    assert_eq!(kept.and_then(|run| run.request_digest), Some([7; 32]));
}

#[tokio::test]
async fn a_hundred_clicks_at_once_make_one_run() {
    let world = world();
    let clicks: Vec<_> = (0..100)
        .map(|n| RunRecord {
            request_key: Some([1; 32]),
            ..queued("backup", ANN, at(n))
        })
        .collect();
    let answers = join_all(clicks.iter().map(|run| world.store.insert_run(run))).await;
    let new: Vec<_> = clicks
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| matches!(answer, Ok(Inserted::New)))
        .map(|(run, _)| run.id)
        .collect();
    assert_eq!(new.len(), 1);
    let same = Inserted::SameRequest {
        run: new[0],
        same_args: true,
    };
    assert_eq!(
        answers
            .iter()
            .filter(|a| a.as_ref().ok() == Some(&same))
            .count(),
        99
    );
}

#[tokio::test]
async fn the_first_terminal_record_wins() {
    let world = world();
    let run = started(&world, 1).await;
    let first = RunUpdate {
        exit_code: Some(0),
        stdout_bytes: Some(12),
        ..RunUpdate::ended(run.id, Epoch(1), Outcome::Succeeded, at(50))
    };
    assert!(world.store.update_run(first).await.expect("updated"));
    let kept = read(&world, &run).await;
    assert_eq!(
        (kept.state, kept.outcome, kept.ended_at),
        (State::Ended, Some(Outcome::Succeeded), Some(at(50)))
    );
    assert_eq!((kept.exit_code, kept.stdout_bytes), (Some(0), 12));

    let later = [
        RunUpdate::ended(run.id, Epoch(1), Outcome::Failed, at(60)),
        RunUpdate::ended(run.id, Epoch(2), Outcome::Lost, at(60)),
        RunUpdate::new(run.id, Epoch(2), State::Running),
        RunUpdate {
            stop: Some(StopCause::Asked),
            ..RunUpdate::new(run.id, Epoch(1), State::Stopping)
        },
    ];
    for update in later {
        assert!(!world.store.update_run(update).await.expect("answered"));
    }
    assert_eq!(read(&world, &run).await, kept);
}

#[tokio::test]
async fn of_many_ends_at_once_one_is_recorded() {
    let world = world();
    let run = started(&world, 1).await;
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
    assert_eq!(read(&world, &run).await.exit_code, winner);
}

#[tokio::test]
async fn an_old_epoch_changes_nothing_and_a_new_one_begins_afresh() {
    let world = world();
    let run = started(&world, 2).await;
    let running = RunUpdate {
        started_at: Some(at(3)),
        stdout_bytes: Some(77),
        ..RunUpdate::new(run.id, Epoch(2), State::Running)
    };
    assert!(world.store.update_run(running).await.expect("updated"));
    let before = read(&world, &run).await;
    for update in [
        RunUpdate::ended(run.id, Epoch(1), Outcome::Failed, at(9)),
        RunUpdate::new(run.id, Epoch(0), State::Queued),
    ] {
        assert!(!world.store.update_run(update).await.expect("answered"));
    }
    assert_eq!(read(&world, &run).await, before);

    assert!(
        world
            .store
            .update_run(RunUpdate::new(run.id, Epoch(3), State::Starting))
            .await
            .expect("updated")
    );
    let after = read(&world, &run).await;
    assert_eq!((after.epoch, after.state), (Epoch(3), State::Starting));
    assert_eq!((after.started_at, after.stdout_bytes), (None, 0));
    assert_eq!(after.secrets, run.secrets);
}

#[tokio::test]
async fn an_update_leaves_what_it_does_not_name() {
    let world = world();
    let run = started(&world, 1).await;
    let stop = RunUpdate {
        stop: Some(StopCause::Asked),
        reason: Some("asked by bob".into()),
        started_at: Some(at(1)),
        ..RunUpdate::new(run.id, Epoch(1), State::Stopping)
    };
    assert!(world.store.update_run(stop).await.expect("updated"));
    let end = RunUpdate::ended(run.id, Epoch(1), Outcome::Cancelled, at(2));
    assert!(world.store.update_run(end).await.expect("updated"));
    let kept = read(&world, &run).await;
    assert_eq!(
        (kept.stop, kept.reason.as_deref()),
        (Some(StopCause::Asked), Some("asked by bob"))
    );
    assert_eq!(kept.started_at, Some(at(1)));
}

#[tokio::test]
async fn an_unknown_run_cannot_be_updated() {
    let world = world();
    let run = queued("backup", ANN, at(0));
    let update = RunUpdate::new(run.id, Epoch(1), State::Running);
    assert!(!world.store.update_run(update).await.expect("answered"));
}

#[tokio::test]
async fn an_end_without_its_time_or_outcome_is_refused() {
    let world = world();
    let run = started(&world, 1).await;
    world
        .store
        .update_run(RunUpdate::new(run.id, Epoch(1), State::Ended))
        .await
        .expect_err("no end");
    let half = RunUpdate {
        outcome: None,
        ..RunUpdate::ended(run.id, Epoch(1), Outcome::Lost, at(1))
    };
    world.store.update_run(half).await.expect_err("no outcome");
    assert_eq!(read(&world, &run).await, run);
}

#[tokio::test]
async fn secrets_go_when_they_are_no_longer_needed_and_at_the_end_in_any_case() {
    let world = world();
    let cleared = started(&world, 1).await;
    let update = RunUpdate {
        clear_secrets: true,
        ..RunUpdate::new(cleared.id, Epoch(1), State::Running)
    };
    assert!(world.store.update_run(update).await.expect("updated"));
    assert_eq!(read(&world, &cleared).await.secrets, None);

    let ended = started(&world, 1).await;
    let update = RunUpdate {
        clear_secrets: false,
        ..RunUpdate::ended(ended.id, Epoch(1), Outcome::Failed, at(1))
    };
    assert!(world.store.update_run(update).await.expect("updated"));
    assert_eq!(read(&world, &ended).await.secrets, None);
}

#[tokio::test]
async fn unfinished_runs_come_oldest_first_with_their_secrets() {
    let world = world();
    let mut runs = Vec::new();
    for n in [3, 1, 2] {
        let run = RunRecord {
            secrets: Some(vec![n]),
            ..queued("backup", ANN, at(n.into()))
        };
        world.store.insert_run(&run).await.expect("inserted");
        runs.push(run);
    }
    let end = RunUpdate::ended(runs[2].id, Epoch(0), Outcome::Cancelled, at(9));
    assert!(world.store.update_run(end).await.expect("updated"));
    let unfinished = world.store.unfinished_runs().await.expect("read");
    assert_eq!(unfinished, [runs[1].clone(), runs[0].clone()]);
}

#[tokio::test]
async fn the_last_run_of_each_script_is_the_users_own() {
    let world = world();
    for (name, user, time) in [
        ("a", ANN, 1),
        ("a", ANN, 2),
        ("a", BOB, 3),
        ("b", BOB, 4),
        ("c", ANN, 5),
    ] {
        world
            .store
            .insert_run(&queued(name, user, at(time)))
            .await
            .expect("inserted");
    }
    let wanted = [script("a"), script("b"), script("c"), script("d")];
    let last = world.store.last_runs(ANN, &wanted).await.expect("read");
    assert_eq!(last.len(), 2);
    assert_eq!(last[&script("a")].created_at, at(2));
    assert_eq!(last[&script("c")].created_at, at(5));
    assert!(
        world
            .store
            .last_runs(ANN, &[])
            .await
            .expect("read")
            .is_empty()
    );
}
