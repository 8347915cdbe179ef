use futures_util::future::join_all;
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::run::{Outcome, State, StopCause};
use stagedoor_store::{Inserted, RunRecord, RunUpdate, UNMASKED_AT_ONCE};

use crate::world::{World, at, queued, script, world};

const ANN: UserId = UserId(1);
const BOB: UserId = UserId(2);

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
    assert_eq!(world.read(&run).await, run);

    let ended = RunRecord {
        state: State::Ended,
        outcome: Some(Outcome::Lost),
        ended_at: Some(at(9)),
        secrets: None,
        ..queued("a", ANN, at(5))
    };
    world.store.insert_run(&ended).await.expect("inserted");
    assert_eq!(world.read(&ended).await, ended);
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
        let run = world.started(1).await;
        let update = RunUpdate::ended(run.id, Epoch(1), *outcome, at(9));
        assert!(world.store.update_run(update).await.expect("updated"));
        assert_eq!(world.read(&run).await.outcome, Some(*outcome));
    }
    for (_, state) in State::ALL
        .iter()
        .filter(|(_, state)| *state != State::Ended)
    {
        for (_, cause) in StopCause::ALL {
            let run = world.started(1).await;
            let update = RunUpdate {
                stop: Some(*cause),
                ..RunUpdate::new(run.id, Epoch(1), *state)
            };
            assert!(world.store.update_run(update).await.expect("updated"));
            let run = world.read(&run).await;
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
async fn an_unknown_run_cannot_be_updated() {
    let world = world();
    let run = queued("backup", ANN, at(0));
    let update = RunUpdate::new(run.id, Epoch(1), State::Running);
    assert!(!world.store.update_run(update).await.expect("answered"));
}

#[tokio::test]
async fn an_end_without_its_time_or_outcome_is_refused() {
    let world = world();
    let run = world.started(1).await;
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
    assert_eq!(world.read(&run).await, run);
}

#[tokio::test]
async fn secrets_are_replaced_while_a_run_goes_on_and_not_after_its_end() {
    let world = world();
    let run = world.started(1).await;
    let keep = |sealed: &[u8]| {
        let update = RunUpdate {
            secrets: Some(sealed.to_vec()),
            ..RunUpdate::new(run.id, Epoch(1), State::Running)
        };
        world.store.update_run(update)
    };
    assert!(keep(b"other").await.expect("kept"));
    assert_eq!(world.read(&run).await.secrets, Some(b"other".to_vec()));
    let update = RunUpdate::ended(run.id, Epoch(1), Outcome::Failed, at(1));
    assert!(world.store.update_run(update).await.expect("updated"));
    assert!(!keep(b"late").await.expect("nothing to keep"));
    assert_eq!(world.read(&run).await.secrets, None);
}

#[tokio::test]
async fn secrets_go_when_they_are_no_longer_needed_and_at_the_end_in_any_case() {
    let world = world();
    let cleared = world.started(1).await;
    let update = RunUpdate {
        clear_secrets: true,
        ..RunUpdate::new(cleared.id, Epoch(1), State::Running)
    };
    assert!(world.store.update_run(update).await.expect("updated"));
    assert_eq!(world.read(&cleared).await.secrets, None);

    let ended = world.started(1).await;
    let update = RunUpdate {
        clear_secrets: false,
        ..RunUpdate::ended(ended.id, Epoch(1), Outcome::Failed, at(1))
    };
    assert!(world.store.update_run(update).await.expect("updated"));
    assert_eq!(world.read(&ended).await.secrets, None);
    assert!(unmasked(&world).await.is_empty());
}

async fn unmasked(world: &World) -> Vec<RunId> {
    let runs = world.store.unmasked_runs(None).await.expect("read");
    assert!(runs.iter().all(|run| run.secrets.is_some()));
    runs.iter().map(|run| run.id).collect()
}

#[tokio::test]
async fn a_run_that_ends_before_its_output_is_masked_keeps_its_secrets_until_they_are_dropped() {
    let world = world();
    let run = world.started(1).await;
    assert!(unmasked(&world).await.is_empty(), "it goes on");
    let update = RunUpdate {
        is_unmasked: true,
        ..RunUpdate::ended(run.id, Epoch(1), Outcome::Failed, at(1))
    };
    assert!(world.store.update_run(update).await.expect("updated"));
    assert_eq!(unmasked(&world).await, [run.id]);
    let drop_them = |reason| world.store.forget_unmasked(run.id, reason);
    drop_them(Some("masked".to_owned())).await.expect("dropped");
    assert!(unmasked(&world).await.is_empty());
    let read = world.read(&run).await;
    assert_eq!(
        (read.secrets, read.reason.as_deref()),
        (None, Some("masked"))
    );
    drop_them(None).await.expect("nothing to drop");
    assert_eq!(world.read(&run).await.reason.as_deref(), Some("masked"));
}

#[tokio::test]
async fn what_is_not_masked_comes_oldest_first_and_a_few_at_a_time() {
    let world = world();
    let mut made = Vec::new();
    for _ in 0..20 {
        let run = world.started(1).await;
        let update = RunUpdate {
            is_unmasked: true,
            ..RunUpdate::ended(run.id, Epoch(1), Outcome::Failed, at(1))
        };
        assert!(world.store.update_run(update).await.expect("updated"));
        made.push(run.id);
    }
    made.sort();
    let mut seen = unmasked(&world).await;
    assert_eq!(
        seen,
        made.iter()
            .copied()
            .take(UNMASKED_AT_ONCE.into())
            .collect::<Vec<_>>()
    );
    let rest = world.store.unmasked_runs(seen.last().copied()).await;
    seen.extend(rest.expect("read").iter().map(|run| run.id));
    assert_eq!(seen, made);
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
