use super::intersection::{NEWEST, Of, common_ids};
use super::{Wanted, source_sql};
use crate::runs::page::tests::{database, plan};

#[test]
fn every_page_is_read_from_an_index_in_its_order() {
    let (_dir, db) = database();
    let cases = [
        (false, false, Wanted::All, "PRIMARY KEY (id>? AND id<?)"),
        (false, false, Wanted::Ended, "PRIMARY KEY (id>? AND id<?)"),
        (
            true,
            false,
            Wanted::All,
            "COVERING INDEX runs_by_script (script=? AND id>? AND id<?)",
        ),
        (
            true,
            false,
            Wanted::Ended,
            "INDEX runs_by_script (script=? AND id>? AND id<?)",
        ),
        (
            false,
            true,
            Wanted::All,
            "COVERING INDEX runs_by_user (user_id=? AND id>? AND id<?)",
        ),
        (
            false,
            true,
            Wanted::Ended,
            "INDEX runs_by_user (user_id=? AND id>? AND id<?)",
        ),
        (
            true,
            true,
            Wanted::All,
            "COVERING INDEX runs_by_user_script (user_id=? AND script=? AND id>? AND id<?)",
        ),
        (
            true,
            true,
            Wanted::Ended,
            "INDEX runs_by_user_script (user_id=? AND script=? AND id>? AND id<?)",
        ),
        (
            false,
            false,
            Wanted::Outcome,
            "COVERING INDEX runs_by_outcome (outcome=? AND id>? AND id<?)",
        ),
        (
            true,
            false,
            Wanted::Outcome,
            "COVERING INDEX runs_by_script_outcome (script=? AND outcome=? AND id>? AND id<?)",
        ),
        (
            false,
            true,
            Wanted::Outcome,
            "COVERING INDEX runs_by_user_outcome (user_id=? AND outcome=? AND id>? AND id<?)",
        ),
    ];
    for (script, user, wanted, expected) in cases {
        let sql = source_sql(script, user, wanted).expect("one index has it");
        assert_eq!(
            plan(&db, sql),
            format!("SEARCH runs USING {expected}"),
            "{sql}"
        );
    }
}

#[test]
fn what_no_index_has_is_found_by_the_indexes_of_its_pairs() {
    let (_dir, db) = database();
    assert!(source_sql(true, true, Wanted::Outcome).is_none());
    for (sql, expected) in NEWEST.into_iter().zip([
        "runs_by_user_outcome (user_id=? AND outcome=?",
        "runs_by_script_outcome (script=? AND outcome=?",
        "runs_by_user_script (user_id=? AND script=?",
    ]) {
        assert_eq!(
            plan(&db, sql),
            format!("SEARCH runs USING COVERING INDEX {expected} AND id>? AND id<?)"),
            "{sql}"
        );
    }
}

fn id(number: u8) -> [u8; 16] {
    let mut id = [0; 16];
    id[15] = number;
    id
}

#[test]
fn ids_that_all_pairs_have_come_newest_first_and_no_others() {
    const SQL: &str = "INSERT INTO runs (id, script, user_id, user_name, args, state, epoch, \
                       outcome, created_at, ended_at) \
                       VALUES (?1, ?2, ?3, 'ann', '{}', 'ended', 1, ?4, 0, 0)";
    let (_dir, db) = database();
    let is_one = |n: u8| n.is_multiple_of(30);
    for n in 0..=240_u8 {
        let script = if n.is_multiple_of(2) { "s" } else { "t" };
        let outcome = if n.is_multiple_of(5) {
            "lost"
        } else {
            "failed"
        };
        let values = (id(n), script, i64::from(n % 3), outcome);
        db.execute(SQL, values).expect("inserted");
    }
    let of = |from| Of {
        user: Some(0),
        script: Some("s"),
        outcome: Some("lost"),
        from: id(from),
    };
    let ask = |from, before, most| {
        let found = common_ids(&db, &of(from), id(before), most).expect("asked");
        found.into_iter().map(|id| id[15]).collect::<Vec<_>>()
    };
    let expected = |from, before| {
        let mut all: Vec<u8> = (from..before).filter(|n| is_one(*n)).collect();
        all.reverse();
        all
    };
    assert_eq!(ask(0, 241, 99), expected(0, 241));
    assert_eq!(ask(30, 210, 99), expected(30, 210), "bounds");
    assert_eq!(ask(0, 241, 3), expected(0, 241)[..3]);
    assert_eq!(ask(0, 0, 3), [0_u8; 0]);
    assert_eq!(expected(0, 241).len(), 9);
}
