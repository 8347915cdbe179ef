use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::time::Timestamp;

use super::super::{LAST_RUN, UNFINISHED, UNMASKED, insert};
use super::{Cursor, RunFilter, RunRecord, UNFINISHED_IDS, Visible, first_id, page};
use crate::connection::{open_writer, prepare_file};
use crate::schema::{MIGRATIONS, migrate};

pub(super) fn database() -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = prepare_file(dir.path()).expect("a file");
    let mut db = open_writer(&path).expect("opens");
    migrate(&mut db, &path, MIGRATIONS).expect("migrated");
    (dir, db)
}

pub(super) fn plan(db: &Connection, sql: &str) -> String {
    let mut explain = db
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .expect("prepared");
    let nulls = vec![None::<i64>; explain.parameter_count()];
    let steps = explain
        .query_map(rusqlite::params_from_iter(nulls), |row| {
            row.get::<_, String>(3)
        })
        .expect("explained");
    steps
        .map(|step| step.expect("a step"))
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn what_is_unfinished_and_what_was_last_is_found_without_the_history() {
    let (_dir, db) = database();
    let unfinished = plan(&db, UNFINISHED_IDS);
    assert!(
        unfinished.starts_with("SEARCH runs USING INDEX runs_unfinished (id>? AND id<?)"),
        "{unfinished}"
    );
    assert!(
        !unfinished.contains("TEMP B-TREE FOR ORDER BY"),
        "{unfinished}"
    );
    assert_eq!(
        plan(&db, UNFINISHED),
        "SCAN runs USING INDEX runs_unfinished"
    );
    let unmasked = plan(&db, UNMASKED);
    assert!(!unmasked.contains("SCAN runs"), "{unmasked}");
    assert_eq!(
        plan(&db, LAST_RUN),
        "SEARCH runs USING INDEX runs_by_user_script (user_id=? AND script=?)"
    );
}

#[test]
fn a_time_becomes_the_first_id_of_its_millisecond() {
    let id = first_id(Timestamp::from_millis(0x0102_0304_0506));
    assert_eq!(id, [1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(first_id(Timestamp::from_millis(-1)), [0; 16]);
    assert_eq!(first_id(Timestamp::from_millis(i64::MAX)), [0xff; 16]);
}

fn script(number: usize) -> ScriptName {
    let name = ["a", "b", "ops/c"][number % 3];
    ScriptName::parse(name).expect("a name")
}

fn outcome(number: usize) -> Outcome {
    [Outcome::Succeeded, Outcome::Failed, Outcome::Lost][number % 3]
}

/// The `n`th run; one of four goes on.
fn run(n: usize, (user, of_script, ended): (i64, usize, usize)) -> RunRecord {
    let outcome = (ended < 3).then(|| outcome(ended));
    let created_at = Timestamp::from_millis(1_000);
    RunRecord {
        id: RunId::from_bytes(u128::try_from(n + 1).expect("few").to_be_bytes()),
        script: script(of_script),
        user: UserId(user),
        user_name: UserName::parse("ann").expect("a name"),
        args: serde_json::Map::new(),
        secrets: None,
        state: outcome.map_or(State::Running, |_| State::Ended),
        epoch: Epoch(1),
        stop: None,
        outcome,
        reason: None,
        exit_code: None,
        signal: None,
        leftovers: 0,
        enforced: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        created_at,
        started_at: None,
        ended_at: outcome.map(|_| created_at),
        request_key: None,
        request_digest: None,
        fingerprint: None,
    }
}

fn filters() -> impl Strategy<Value = RunFilter> {
    let some = || prop::collection::vec(0..3_usize, 0..4);
    let visible =
        (0..3_i64, prop::option::of(some()), some()).prop_map(|(own, own_of, scripts)| {
            let names = |numbers: Vec<usize>| numbers.into_iter().map(script).collect();
            Visible {
                own: UserId(own),
                own_of: own_of.map(names),
                scripts: names(scripts),
            }
        });
    (
        prop::option::of((0..3_usize).prop_map(script)),
        prop::option::of((0..3_i64).prop_map(UserId)),
        prop::option::of((0..3_usize).prop_map(outcome)),
        prop::option::of(Just(State::Ended)),
        prop::option::of(visible),
        1..6_usize,
    )
        .prop_map(|(script, user, outcome, state, visible, limit)| RunFilter {
            script,
            user,
            state,
            outcome,
            visible,
            limit,
            ..RunFilter::default()
        })
}

fn matches(filter: &RunFilter, run: &RunRecord) -> bool {
    let visible = |visible: &Visible| {
        let own_of = visible.own_of.as_ref();
        (run.user == visible.own && own_of.is_none_or(|of| of.contains(&run.script)))
            || visible.scripts.contains(&run.script)
    };
    filter
        .script
        .as_ref()
        .is_none_or(|script| run.script == *script)
        && filter.user.is_none_or(|user| run.user == user)
        && filter.state.is_none_or(|state| run.state == state)
        && filter
            .outcome
            .is_none_or(|outcome| run.outcome == Some(outcome))
        && filter.visible.as_ref().is_none_or(visible)
}

proptest! {
    #[test]
    fn however_little_a_page_may_look_at_the_pages_hold_each_run_that_matches_once(
        facts in prop::collection::vec((0..3_i64, 0..3_usize, 0..4_usize), 0..60),
        filter in filters(),
        in_vain in 0..9_usize,
    ) {
        let runs: Vec<_> = facts.into_iter().enumerate().map(|(n, of)| run(n, of)).collect();
        let mut db = Connection::open_in_memory().expect("opens");
        migrate(&mut db, Path::new(":memory:"), MIGRATIONS).expect("migrated");
        for run in &runs {
            insert(&db, run, "{}").expect("inserted");
        }
        let newest_first = runs.iter().rev().filter(|run| matches(&filter, run));
        let expected: Vec<RunId> = newest_first.map(|run| run.id).collect();

        let (mut found, mut filter) = (Vec::new(), filter);
        loop {
            let page = page(&db, &filter, in_vain).expect("a page");
            prop_assert!(page.items.len() <= filter.limit);
            found.extend(page.items.iter().map(|run| run.id));
            let Some(Cursor(next)) = page.next else { break };
            let before = filter.cursor.map(|Cursor(id)| id);
            prop_assert!(before.is_none_or(|before| next < before), "it comes further");
            filter.cursor = page.next;
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_page_on_which_nothing_is_found_ends_all_the_same_and_says_where_to_go_on() {
    let (_dir, db) = database();
    for n in 0..100 {
        insert(&db, &run(n, (1, 0, usize::from(n > 0))), "{}").expect("inserted");
    }
    let mut filter = RunFilter {
        outcome: Some(Outcome::Succeeded),
        script: Some(script(0)),
        limit: 5,
        ..RunFilter::default()
    };
    let first = page(&db, &filter, 20).expect("a page");
    assert!(first.items.is_empty());
    filter.cursor = first.next;
    assert!(filter.cursor.is_some());
    let rest = page(&db, &filter, 1000).expect("a page");
    assert_eq!((rest.items.len(), rest.next), (1, None));
    filter.outcome = Some(Outcome::Failed);
    filter.cursor = None;
    let full = page(&db, &filter, 20).expect("a page");
    assert_eq!(full.items.len(), 5, "what has an index is never looked for");
}

#[test]
fn a_page_comes_far_though_several_ranges_hold_nothing_that_is_wanted() {
    let (_dir, db) = database();
    for n in 0..400 {
        insert(&db, &run(n, (i64::from(n % 2 == 0), n, 1)), "{}").expect("inserted");
    }
    let mut filter = RunFilter {
        outcome: Some(Outcome::Succeeded),
        visible: Some(Visible {
            own: UserId(1),
            own_of: None,
            scripts: (0..3).map(script).collect(),
        }),
        ..RunFilter::default()
    };
    let mut pages = 0;
    loop {
        let page = page(&db, &filter, 100).expect("a page");
        pages += 1;
        assert!(page.items.is_empty() && pages < 30, "page {pages}");
        let Some(next) = page.next else { break };
        filter.cursor = Some(next);
    }
    assert!(pages > 4, "600 ids stand in these ranges: {pages}");
}
