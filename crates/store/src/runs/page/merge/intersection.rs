//! The runs of one user, one script and one outcome, which stand together in no index.
//!
//! Each pair of the three has an index in the order of ids. They are asked in turn for the newest
//! id that is no newer than the last answer, and an id that all of them give is one: what is rare
//! in any of them is skipped to in one step, however long the others are.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension as _};

use super::Id;

/// What is asked for; the values of [`NEWEST`].
pub(super) struct Of<'a> {
    pub user: Option<i64>,
    pub script: Option<&'a str>,
    pub outcome: Option<&'static str>,
    /// The oldest id that counts.
    pub from: Id,
}

macro_rules! newest {
    ($index:literal $first:literal $second:literal) => {
        concat!(
            "SELECT id FROM runs INDEXED BY ",
            $index,
            " WHERE ",
            $first,
            " AND ",
            $second,
            " AND id <= ?4 AND id >= ?5 ORDER BY id DESC LIMIT 1"
        )
    };
}

pub(super) const NEWEST: [&str; 3] = [
    newest!("runs_by_user_outcome" "user_id = ?1" "outcome = ?3"),
    newest!("runs_by_script_outcome" "script = ?2" "outcome = ?3"),
    newest!("runs_by_user_script" "user_id = ?1" "script = ?2"),
];

/// At most `most` of them, newest first, all older than `before`.
pub(super) fn common_ids(
    db: &Connection,
    of: &Of<'_>,
    before: Id,
    most: usize,
) -> rusqlite::Result<VecDeque<Id>> {
    let mut found = VecDeque::new();
    let (mut at, mut agreed) = (older(before), 0);
    for sql in NEWEST.into_iter().cycle() {
        if found.len() >= most {
            break;
        }
        let Some(bound) = at else { break };
        let newest: Option<Id> = db
            .prepare_cached(sql)?
            .query_row((of.user, of.script, of.outcome, bound, of.from), |row| {
                row.get(0)
            })
            .optional()?;
        let Some(id) = newest else { break };
        agreed = if id == bound { agreed + 1 } else { 1 };
        at = Some(id);
        if agreed == NEWEST.len() {
            found.push_back(id);
            (at, agreed) = (older(id), 0);
        }
    }
    Ok(found)
}

/// The id before this one in order.
fn older(id: Id) -> Option<Id> {
    let number = u128::from_be_bytes(id).checked_sub(1)?;
    Some(number.to_be_bytes())
}
