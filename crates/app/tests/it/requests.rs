//! A request that arrives twice makes one run.

use std::collections::BTreeSet;

use stagedoor_app::session_key::RequestKey;
use stagedoor_app::start_run::StartError;
use stagedoor_domain::id::RunId;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State};

use crate::character::{given, name, request};
use crate::house::{House, ROOMY};
use crate::scripts::{GATE, QUICK};
use crate::secrets::KEEPER;

const KEY: Option<RequestKey> = Some(RequestKey([1; 32]));
const OTHER_KEY: Option<RequestKey> = Some(RequestKey([2; 32]));

#[tokio::test]
async fn the_same_request_twice_gives_one_run() {
    let house = House::with(&[QUICK]).await;
    let ann = house.user("ann", &[]).await;
    let first = ann.request("quick", &[], KEY).await.expect("accepted");
    let at_once = ann.request("quick", &[], KEY).await.expect("accepted");
    ann.end_of(first.run.id).await;
    let afterwards = ann.request("quick", &[], KEY).await.expect("accepted");
    assert_eq!(
        (first.new, at_once.new, afterwards.new),
        (true, false, false)
    );
    assert_eq!(
        (at_once.run.id, afterwards.run.id),
        (first.run.id, first.run.id)
    );
    assert_eq!(afterwards.run.outcome, Some(Outcome::Succeeded));
    assert_eq!(ann.ids(10).await, [first.run.id]);
    assert_eq!(house.on_stage("ran"), "quick\n");
}

#[tokio::test]
async fn two_requests_give_two_runs() {
    let house = House::with(&[QUICK]).await;
    let ann = house.user("ann", &[]).await;
    let mut runs = BTreeSet::new();
    for key in [KEY, OTHER_KEY, None, None] {
        let accepted = ann.request("quick", &[], key).await.expect("accepted");
        assert!(accepted.new);
        ann.end_of(accepted.run.id).await;
        runs.insert(accepted.run.id);
    }
    assert_eq!(runs.len(), 4);
    assert_eq!(house.on_stage("ran"), "quick\n".repeat(4));
}

#[tokio::test]
async fn the_same_request_with_other_arguments_is_refused() {
    let house = House::with(&[QUICK, GATE]).await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    let first = ann
        .request("quick", &[("word", "one")], KEY)
        .await
        .expect("accepted");
    ann.end_of(first.run.id).await;
    for refused in [
        ann.request("quick", &[("word", "two")], KEY).await,
        ann.request("gate", &[("gate", "one")], KEY).await,
        bob.request("quick", &[("word", "one")], KEY).await,
    ] {
        assert!(
            matches!(refused, Err(StartError::OtherArguments)),
            "{refused:?}"
        );
    }
    let same = ann
        .request("quick", &[("word", "one")], KEY)
        .await
        .expect("accepted");
    assert_eq!(same.run.id, first.run.id);
    assert_eq!(house.on_stage("ran"), "one\n");
    assert_eq!(
        house.inside(|app| async move { app.load() }).await,
        (0, 0),
        "no slot is kept"
    );
}

/// Fifty at once; the runs that they were answered with, and how many said that it is new.
async fn fifty(house: &House, word: &'static str, key: RequestKey) -> (BTreeSet<String>, usize) {
    let ann = house.user("ann", &[]).await.user;
    house
        .inside(move |app| async move {
            let one = || {
                let (app, ann) = (app.clone(), ann.clone());
                tokio::spawn(async move {
                    let args = given(&[("word", word)]);
                    request(&app, &ann, &name("quick"), args, Some(key)).await
                })
            };
            let all: Vec<_> = (0..50).map(|_| one()).collect();
            let (mut runs, mut new) = (BTreeSet::new(), 0);
            for answer in all {
                let accepted = answer.await.expect("not panicked").expect("accepted");
                runs.insert(accepted.run.id.to_string());
                new += usize::from(accepted.new);
            }
            (runs, new)
        })
        .await
}

async fn fifty_times_give_one_run(capacity: Capacity) {
    let house = House::with_limits(&[QUICK], capacity).await;
    let ann = house.user("ann", &[]).await;
    let mut words = String::new();
    for (round, word) in ["one", "two", "three", "four", "five"]
        .into_iter()
        .enumerate()
    {
        let key = RequestKey([u8::try_from(round).expect("small"); 32]);
        let (runs, new) = fifty(&house, word, key).await;
        assert_eq!((runs.len(), new), (1, 1), "{runs:?}");
        words.push_str(word);
        words.push('\n');
        house.await_on_stage("ran", &words).await;
        for id in ann.ids(10).await {
            assert_eq!(ann.end_of(id).await.outcome, Some(Outcome::Succeeded));
        }
    }
    assert_eq!(ann.ids(10).await.len(), 5);
    // Nothing comes after.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(house.on_stage("ran"), words);
    assert_eq!(house.inside(|app| async move { app.load() }).await, (0, 0));
}

#[tokio::test]
async fn the_same_request_fifty_times_at_once_gives_one_run() {
    fifty_times_give_one_run(ROOMY).await;
}

#[tokio::test]
async fn a_copy_of_a_request_that_waits_for_a_slot_is_never_started() {
    fifty_times_give_one_run(Capacity {
        running: 1,
        ..ROOMY
    })
    .await;
}

#[tokio::test]
async fn copies_of_a_request_are_not_counted_as_waiting_runs() {
    fifty_times_give_one_run(Capacity {
        running: 1,
        starting: 64,
        queued: 2,
        queued_per_user: 2,
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_repeated_while_the_queue_is_full_gets_its_run() {
    let capacity = Capacity {
        running: 1,
        starting: 64,
        queued: 1,
        queued_per_user: 1,
    };
    let house = House::with_limits(&[GATE], capacity).await;
    let ann = house.user("ann", &[]).await;
    ann.start_now("gate", &[("gate", "a")]).await;
    let waiting = ann
        .request("gate", &[("gate", "b")], KEY)
        .await
        .expect("accepted");
    assert_eq!(waiting.run.state, State::Queued);
    let again = ann
        .request("gate", &[("gate", "b")], KEY)
        .await
        .expect("its run");
    assert_eq!((again.run.id, again.new), (waiting.run.id, false));
    let other = ann.request("gate", &[("gate", "c")], KEY).await;
    assert!(
        matches!(other, Err(StartError::OtherArguments)),
        "{other:?}"
    );
    let full = ann.request("gate", &[("gate", "b")], OTHER_KEY).await;
    assert!(matches!(full, Err(StartError::QueueFull(_))), "{full:?}");
    house.open_gate("a");
    house.open_gate("b");
    ann.end_of(waiting.run.id).await;
}

/// The same words but for the secret: refused each time; and the very same: its run.
async fn compares_secrets(house: &House, first: RunId) {
    let ann = house.user("ann", &[]).await;
    let again = ann
        .request("keeper", &[("token", "one"), ("word", "a")], KEY)
        .await
        .expect("its run");
    assert_eq!((again.run.id, again.new), (first, false));
    for other in [
        &[("token", "two"), ("word", "a")][..],
        &[("word", "a")],
        &[("token", "one"), ("word", "b")],
    ] {
        let refused = ann.request("keeper", other, KEY).await;
        assert!(
            matches!(refused, Err(StartError::OtherArguments)),
            "{other:?}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn the_same_request_with_another_secret_is_refused_at_any_time() {
    let capacity = Capacity {
        running: 1,
        queued: 1,
        ..ROOMY
    };
    let mut house = House::with_limits(&[KEEPER, GATE], capacity).await;
    let ann = house.user("ann", &[]).await;
    let asked = [("token", "one"), ("word", "a")];
    let first = ann.request("keeper", &asked, KEY).await.expect("accepted");
    let first = first.run.id;
    ann.until(first, State::Running).await;
    compares_secrets(&house, first).await;

    house
        .user("bob", &[])
        .await
        .start("gate", &[("gate", "b")])
        .await;
    compares_secrets(&house, first).await;

    house.crash();
    house.serve().await;
    compares_secrets(&house, first).await;

    house.open_gate("go");
    house.open_gate("b");
    house.user("ann", &[]).await.end_of(first).await;
    compares_secrets(&house, first).await;
    house.crash();
    house.serve().await;
    compares_secrets(&house, first).await;
}

#[tokio::test]
async fn another_secret_is_refused_also_while_the_first_request_is_being_inserted() {
    let house = House::with(&[KEEPER]).await;
    house.open_gate("go");
    let ann = house.user("ann", &[]).await.user;
    for round in 10..20 {
        let (ann, key) = (ann.clone(), Some(RequestKey([round; 32])));
        let (new, runs, refused) = house
            .inside(move |app| async move {
                let one = |token| {
                    let (app, ann) = (app.clone(), ann.clone());
                    let args = given(&[("token", token), ("word", "a")]);
                    tokio::spawn(
                        async move { request(&app, &ann, &name("keeper"), args, key).await },
                    )
                };
                let tokens = ["one", "two"].into_iter().cycle().take(8);
                let all: Vec<_> = tokens.map(|token| (token, one(token))).collect();
                let (mut new, mut runs, mut refused) = (None, BTreeSet::new(), Vec::new());
                for (token, answer) in all {
                    match answer.await.expect("not panicked") {
                        Ok(accepted) => {
                            runs.insert(accepted.run.id);
                            new = new.or(accepted.new.then_some(token));
                        }
                        Err(StartError::OtherArguments) => refused.push(token),
                        Err(error) => panic!("{error}"),
                    }
                }
                (new.expect("one is new"), runs, refused)
            })
            .await;
        assert_eq!(runs.len(), 1);
        assert_eq!(refused.len(), 4);
        assert!(refused.iter().all(|token| *token != new), "{refused:?}");
    }
}
