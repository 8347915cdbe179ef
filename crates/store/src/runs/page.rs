//! Pages of the history, newest first, at a cost that does not grow with it.
//!
//! Who may see everything reads one index from the cursor on. Who may see their own runs and those
//! of some scripts reads several, one for each, merged by id: each is asked for one id at first
//! and for more only while it leads. What does not appear on the page is hardly touched, and where
//! it must be, a page ends early rather than look at the whole history.

mod merge;

use std::fmt;

use rusqlite::Connection;
use stagedoor_domain::id::{RunId, UserId};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::time::Timestamp;

use super::RunRecord;
use super::row::{read_run, run_columns};
use crate::error::StoreError;
use crate::store::Store;
use merge::{MOST_IN_VAIN, Merged, merged_ids};

/// Most runs on one page.
pub const LONGEST_PAGE: usize = 500;

/// Where a page ended. Opaque to clients; says nothing but the id of a run that they may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(RunId);

impl Cursor {
    /// From the text that a client got; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        RunId::parse(text).map(Self)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a user may see, unless it is everything.
#[derive(Debug, Clone)]
pub struct Visible {
    /// The user's own runs.
    pub own: UserId,
    /// Of these scripts only; none: of whatever script.
    pub own_of: Option<Vec<ScriptName>>,
    /// All runs of these scripts.
    pub scripts: Vec<ScriptName>,
}

/// Which runs are wanted. What is `None` does not restrict.
#[derive(Debug, Clone)]
pub struct RunFilter {
    /// Of this script.
    pub script: Option<ScriptName>,
    /// Started by this user.
    pub user: Option<UserId>,
    /// In this state.
    pub state: Option<State>,
    /// Or in this one. Both are of runs that go on.
    pub or_state: Option<State>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Made at this time or later.
    pub from: Option<Timestamp>,
    /// Made before this time.
    pub to: Option<Timestamp>,
    /// None: the reader may see all.
    pub visible: Option<Visible>,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
    /// At most so many; between 1 and [`LONGEST_PAGE`], whatever is given.
    pub limit: usize,
}

impl Default for RunFilter {
    fn default() -> Self {
        Self {
            script: None,
            user: None,
            state: None,
            or_state: None,
            outcome: None,
            from: None,
            to: None,
            visible: None,
            cursor: None,
            limit: 50,
        }
    }
}

/// A page of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first; without their secrets.
    pub items: Vec<RunRecord>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl Store {
    /// A page of the history, newest first. Where what is wanted is rare, it may hold fewer runs than
    /// there is room for, or none, and still have a next one.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Page, StoreError> {
        let filter = filter.clone();
        self.read(move |db| {
            // One snapshot for the ids and their rows.
            let tx = db.unchecked_transaction()?;
            let page = page(&tx, &filter, MOST_IN_VAIN)?;
            tx.commit()?;
            Ok(page)
        })
        .await
    }
}

type Id = [u8; 16];

/// A page; it looks at most at about so many runs that are not on it.
fn page(db: &Connection, filter: &RunFilter, in_vain: usize) -> rusqlite::Result<Page> {
    const ROW: &str = concat!("SELECT ", run_columns!("NULL"), " FROM runs WHERE id = ?1");
    let limit = filter.limit.clamp(1, LONGEST_PAGE);
    let Merged { mut ids, left_at } = match filter.state {
        _ if contradicts_itself(filter) => Merged::default(),
        Some(state) if state != State::Ended => Merged {
            ids: unfinished_ids(db, filter, state, limit + 1)?,
            left_at: None,
        },
        _ => merged_ids(db, filter, limit + 1, in_vain)?,
    };
    let has_more = ids.len() > limit;
    ids.truncate(limit);
    let last = ids.last().copied().filter(|_| has_more);
    let next = last.or(left_at).map(|id| Cursor(RunId::from_bytes(id)));
    let mut row = db.prepare_cached(ROW)?;
    let items = ids
        .iter()
        .map(|id| row.query_row([id], read_run))
        .collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

fn contradicts_itself(filter: &RunFilter) -> bool {
    filter.outcome.is_some() && filter.state.is_some_and(|state| state != State::Ended)
}

/// The first id of this time: version-7 ids begin with 48 bits of milliseconds.
fn first_id(time: Timestamp) -> Id {
    let millis = u128::try_from(time.millis().max(0)).unwrap_or(0);
    millis.saturating_mul(1 << 80).to_be_bytes()
}

/// Ids are wanted from the second (inclusive) up to the first (exclusive).
fn bounds(filter: &RunFilter) -> (Id, Id) {
    let cursor = filter.cursor.map(|Cursor(id)| *id.as_bytes());
    let to = filter.to.map(first_id);
    let before = cursor.into_iter().chain(to).min().unwrap_or([0xff; 16]);
    (before, filter.from.map_or([0; 16], first_id))
}

/// Few runs are unfinished at any time, so all of them are looked at.
pub(super) const UNFINISHED_IDS: &str = "SELECT id FROM runs INDEXED BY runs_unfinished \
     WHERE ended_at IS NULL AND (state = ?1 OR state = ?9) AND id < ?2 AND id >= ?3 \
     AND (?4 IS NULL OR script = ?4) AND (?5 IS NULL OR user_id = ?5) \
     AND (?6 IS NULL OR script IN (SELECT value FROM json_each(?7)) OR (user_id = ?6 \
          AND (?10 IS NULL OR script IN (SELECT value FROM json_each(?10))))) \
     ORDER BY id DESC LIMIT ?8";

fn unfinished_ids(
    db: &Connection,
    filter: &RunFilter,
    state: State,
    limit: usize,
) -> rusqlite::Result<Vec<Id>> {
    let (before, from) = bounds(filter);
    let visible = filter.visible.as_ref();
    let scripts = visible.map_or(&[][..], |visible| &visible.scripts);
    let own_of = visible.and_then(|visible| visible.own_of.as_deref());
    let values = (
        state.word(),
        before,
        from,
        filter.script.as_ref().map(ScriptName::as_str),
        filter.user.map(|user| user.0),
        visible.map(|visible| visible.own.0),
        json_list(scripts),
        count(limit),
        filter.or_state.map(State::word),
        own_of.map(json_list),
    );
    db.prepare_cached(UNFINISHED_IDS)?
        .query_map(values, |row| row.get(0))?
        .collect()
}

fn json_list(scripts: &[ScriptName]) -> String {
    let names: Vec<&str> = scripts.iter().map(ScriptName::as_str).collect();
    serde_json::Value::from(names).to_string()
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
