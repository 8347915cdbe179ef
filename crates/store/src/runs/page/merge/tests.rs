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
        (
            true,
            true,
            Wanted::Outcome,
            "INDEX runs_by_user_script (user_id=? AND script=? AND id>? AND id<?)",
        ),
    ];
    for (script, user, wanted, expected) in cases {
        let sql = source_sql(script, user, wanted);
        assert_eq!(
            plan(&db, sql),
            format!("SEARCH runs USING {expected}"),
            "{sql}"
        );
    }
}
