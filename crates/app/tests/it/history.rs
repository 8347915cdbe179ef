//! Pages of runs.

use std::time::Duration;

use stagedoor_app::find::{RunsError, RunsFilter};
use stagedoor_domain::run::{Outcome, State};

use crate::character::name;
use crate::house::House;
use crate::scripts::{EXIT, GATE};

#[tokio::test]
async fn pages_follow_each_other_without_gaps_and_without_repeats() {
    let house = House::with(&[EXIT]).await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    let mut own = Vec::new();
    for number in 0..13 {
        // Several in the same millisecond, others between them.
        house.clock.pass(Duration::from_millis(number % 3));
        let run = ann.start("exit", &[("code", "0")]).await;
        own.push(run.id);
        bob.start("exit", &[("code", "0")]).await;
        ann.end_of(run.id).await;
    }
    own.sort();
    own.reverse();
    for limit in [1, 2, 5, 13, 14] {
        assert_eq!(ann.ids(limit).await, own, "pages of {limit}");
    }
    let root = house.user("root", &["admins"]).await;
    assert_eq!(root.ids(4).await.len(), 26);
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_is_refused() {
    let house = House::with(&[EXIT]).await;
    let ann = house.user("ann", &[]).await;
    let bad = RunsFilter {
        cursor: Some("garbage".to_owned()),
        limit: 5,
        ..RunsFilter::default()
    };
    let good = RunsFilter {
        cursor: None,
        ..bad.clone()
    };
    let user = ann.user.clone();
    let answers = house
        .inside(|app| async move { (app.runs(&user, bad).await, app.runs(&user, good).await) })
        .await;
    assert!(matches!(answers, (Err(RunsError::BadCursor), Ok(_))));
}

#[tokio::test]
async fn a_run_that_is_accepted_while_one_turns_pages_moves_nothing() {
    let house = House::with(&[EXIT]).await;
    let ann = house.user("ann", &[]).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        house.clock.pass(Duration::from_secs(1));
        runs.push(ann.start("exit", &[("code", "0")]).await.id);
    }
    let first = ann
        .runs(RunsFilter {
            limit: 2,
            ..RunsFilter::default()
        })
        .await;
    house.clock.pass(Duration::from_secs(1));
    let newest = ann.start("exit", &[("code", "0")]).await;
    let filter = RunsFilter {
        limit: 2,
        cursor: first.next,
        ..RunsFilter::default()
    };
    let second = ann.runs(filter).await;
    let seen: Vec<_> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|run| run.id)
        .collect();
    assert_eq!(seen, [runs[3], runs[2], runs[1], runs[0]]);
    assert_eq!(ann.ids(2).await.first(), Some(&newest.id));
}

#[tokio::test]
async fn a_filter_keeps_what_fits_and_nothing_else() {
    let house = House::with(&[EXIT, GATE]).await;
    let ann = house.user("ann", &[]).await;
    let good = ann.start("exit", &[("code", "0")]).await;
    ann.end_of(good.id).await;
    house.clock.pass(Duration::from_mins(1));
    let noon = house.now();
    let bad = ann.start("exit", &[("code", "1")]).await;
    ann.end_of(bad.id).await;
    house.clock.pass(Duration::from_mins(1));
    let going = ann.start_now("gate", &[("gate", "a")]).await;
    house
        .await_row(going.id, |row| row.state == State::Running)
        .await;
    let all = || RunsFilter {
        limit: 10,
        ..RunsFilter::default()
    };
    for (filter, found) in [
        (all(), vec![going.id, bad.id, good.id]),
        (
            RunsFilter {
                script: Some(name("exit")),
                ..all()
            },
            vec![bad.id, good.id],
        ),
        (
            RunsFilter {
                outcome: Some(Outcome::Failed),
                ..all()
            },
            vec![bad.id],
        ),
        (
            RunsFilter {
                state: Some(State::Running),
                ..all()
            },
            vec![going.id],
        ),
        (
            RunsFilter {
                from: Some(noon),
                ..all()
            },
            vec![going.id, bad.id],
        ),
        (
            RunsFilter {
                to: Some(noon),
                ..all()
            },
            vec![good.id],
        ),
    ] {
        let what = format!("{filter:?}");
        let ids: Vec<_> = ann
            .runs(filter)
            .await
            .items
            .iter()
            .map(|run| run.id)
            .collect();
        assert_eq!(ids, found, "{what}");
    }
    house.open_gate("a");
    ann.end_of(going.id).await;
}

#[tokio::test]
async fn the_last_run_of_each_script_is_ones_own() {
    let house = House::with(&[EXIT, GATE]).await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    ann.start("exit", &[("code", "0")]).await;
    house.clock.pass(Duration::from_secs(1));
    let last = ann.start("exit", &[("code", "1")]).await;
    ann.end_of(last.id).await;
    house.clock.pass(Duration::from_secs(1));
    bob.start("exit", &[("code", "0")]).await;
    let user = ann.user.clone();
    let found = house
        .inside(move |app| async move {
            app.last_runs(&user, &[name("exit"), name("gate")])
                .await
                .expect("the store")
        })
        .await;
    assert_eq!(found.len(), 1);
    let found = &found[&name("exit")];
    assert_eq!((found.id, found.outcome), (last.id, Some(Outcome::Failed)));
}
