use stagedoor_domain::run::Outcome;

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
            Wanted::Succeeded,
            "PRIMARY KEY (id>? AND id<?)",
        ),
        (
            true,
            false,
            Wanted::Succeeded,
            "INDEX runs_by_script (script=? AND id>? AND id<?)",
        ),
        (
            false,
            true,
            Wanted::Succeeded,
            "INDEX runs_by_user (user_id=? AND id>? AND id<?)",
        ),
        (
            true,
            true,
            Wanted::Succeeded,
            "INDEX runs_by_user_script (user_id=? AND script=? AND id>? AND id<?)",
        ),
        (
            false,
            false,
            Wanted::Failed,
            "COVERING INDEX runs_by_outcome (outcome=? AND id>? AND id<?)",
        ),
        (
            true,
            false,
            Wanted::Failed,
            "COVERING INDEX runs_by_script_outcome (script=? AND outcome=? AND id>? AND id<?)",
        ),
        (
            false,
            true,
            Wanted::Failed,
            "COVERING INDEX runs_by_user_outcome (user_id=? AND outcome=? AND id>? AND id<?)",
        ),
        (
            true,
            true,
            Wanted::Failed,
            "COVERING INDEX runs_by_user_script_outcome (user_id=? AND script=? AND outcome=? AND id>? AND id<?)",
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

#[test]
fn the_outcome_without_an_index_has_the_word_of_the_domain() {
    let sql = source_sql(false, false, Wanted::Succeeded);
    assert!(sql.contains(&format!("'{}'", Outcome::Succeeded.word())));
}
