use rusqlite::Connection;

use super::super::{LAST_RUN, UNFINISHED};
use super::{UNFINISHED_IDS, first_id};
use crate::connection::{open_writer, prepare_file};
use crate::schema::{MIGRATIONS, migrate};
use stagedoor_domain::time::Timestamp;

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
