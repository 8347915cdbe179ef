//! The newest ids of several ranges of the history, merged.
//!
//! Runs that succeeded are the only ones without an index of their own, because most do: they are
//! looked for among all. Where they are rare, a page ends before it is full, and the next one
//! goes on from there.

use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use rusqlite::types::ToSql;
use rusqlite::{Connection, params_from_iter};
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::run::{Outcome, State};

use super::{Id, LONGEST_PAGE, RunFilter, bounds, count};

/// Runs that a page may look at without wanting them.
pub(super) const MOST_IN_VAIN: usize = 10_000;

/// SQL for the ids of one source, and whether each is wanted. The numbers of the values are the same
/// in all. The index is named because the planner, which keeps no statistics here, may prefer one
/// that reads more.
macro_rules! ids {
    ($index:literal $($condition:literal)*) => { ids!(if "TRUE", $index $($condition)*) };
    (if $wanted:literal, $index:literal $($condition:literal)*) => {
        concat!(
            "SELECT id, ", $wanted, " FROM runs ",
            $index,
            " WHERE id < ?1 AND id >= ?2",
            $(" AND ", $condition,)*
            " ORDER BY id DESC LIMIT ?3"
        )
    };
}

/// The same for runs that did not succeed, of one outcome. The planner takes these indexes only
/// where it reads their own condition.
macro_rules! failed_ids {
    ($index:literal $($condition:literal)*) => {
        ids!($index $($condition)* "outcome = ?6" "outcome <> 'succeeded'")
    };
}

/// The same for runs that succeeded: the others are looked at, too.
macro_rules! succeeded_ids {
    ($index:literal $($condition:literal)*) => {
        ids!(if "outcome IS 'succeeded'", $index $($condition)*)
    };
}

/// Which runs of a source are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Ended,
    Succeeded,
    /// Of one other outcome.
    Failed,
}

impl Wanted {
    fn by(filter: &RunFilter) -> Self {
        match (filter.outcome, filter.state) {
            (Some(Outcome::Succeeded), _) => Self::Succeeded,
            (Some(_), _) => Self::Failed,
            (None, Some(State::Ended)) => Self::Ended,
            (None, _) => Self::All,
        }
    }
}

/// The text for a source of one script or all, of one user or all.
fn source_sql(script: bool, user: bool, wanted: Wanted) -> &'static str {
    match (wanted, script, user) {
        (Wanted::All, false, false) => ids!(""),
        (Wanted::All, true, false) => ids!("INDEXED BY runs_by_script" "script = ?4"),
        (Wanted::All, false, true) => ids!("INDEXED BY runs_by_user" "user_id = ?5"),
        (Wanted::All, true, true) => {
            ids!("INDEXED BY runs_by_user_script" "script = ?4" "user_id = ?5")
        }
        (Wanted::Ended, false, false) => ids!("" "ended_at IS NOT NULL"),
        (Wanted::Ended, true, false) => {
            ids!("INDEXED BY runs_by_script" "script = ?4" "ended_at IS NOT NULL")
        }
        (Wanted::Ended, false, true) => {
            ids!("INDEXED BY runs_by_user" "user_id = ?5" "ended_at IS NOT NULL")
        }
        (Wanted::Ended, true, true) => {
            ids!("INDEXED BY runs_by_user_script" "script = ?4" "user_id = ?5" "ended_at IS NOT NULL")
        }
        (Wanted::Succeeded, false, false) => succeeded_ids!(""),
        (Wanted::Succeeded, true, false) => {
            succeeded_ids!("INDEXED BY runs_by_script" "script = ?4")
        }
        (Wanted::Succeeded, false, true) => {
            succeeded_ids!("INDEXED BY runs_by_user" "user_id = ?5")
        }
        (Wanted::Succeeded, true, true) => {
            succeeded_ids!("INDEXED BY runs_by_user_script" "script = ?4" "user_id = ?5")
        }
        (Wanted::Failed, false, false) => failed_ids!("INDEXED BY runs_by_outcome"),
        (Wanted::Failed, true, false) => {
            failed_ids!("INDEXED BY runs_by_script_outcome" "script = ?4")
        }
        (Wanted::Failed, false, true) => {
            failed_ids!("INDEXED BY runs_by_user_outcome" "user_id = ?5")
        }
        (Wanted::Failed, true, true) => {
            failed_ids!("INDEXED BY runs_by_user_script_outcome" "script = ?4" "user_id = ?5")
        }
    }
}

/// One range of the history, newest first.
struct Source<'a> {
    script: Option<&'a ScriptName>,
    user: Option<UserId>,
    /// Everything from here on was looked at.
    before: Id,
    ready: VecDeque<Id>,
    /// 0: there is nothing older.
    next_chunk: usize,
}

/// The ranges whose union the reader may see and has asked for.
fn sources(filter: &RunFilter) -> Vec<Source<'_>> {
    let (before, _) = bounds(filter);
    let source = |script, user| Source {
        script,
        user,
        before,
        ready: VecDeque::new(),
        next_chunk: 1,
    };
    let Some(visible) = &filter.visible else {
        return vec![source(filter.script.as_ref(), filter.user)];
    };
    let wanted = |name: &&ScriptName| filter.script.as_ref().is_none_or(|only| *name == only);
    let distinct =
        |scripts| -> BTreeSet<&ScriptName> { Iterator::filter(scripts, wanted).collect() };
    let all_of = distinct(visible.scripts.iter());
    let mut sources = Vec::new();
    if filter.user.is_none_or(|user| user == visible.own) {
        let own = Some(visible.own);
        match &visible.own_of {
            None => sources.push(source(filter.script.as_ref(), own)),
            Some(scripts) => {
                let of = distinct(scripts.iter());
                sources.extend(of.into_iter().map(|name| source(Some(name), own)));
            }
        }
    }
    // Of their own runs, all that they may see stand in the sources above, unless those are bounded.
    if filter.user != Some(visible.own) || visible.own_of.is_some() {
        let of = all_of.into_iter();
        sources.extend(of.map(|name| source(Some(name), filter.user)));
    }
    sources
}

/// What stands at the front of a source. The newest is the greatest.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    id: Id,
    /// Else it is where the source was left, with what is older not looked at.
    is_wanted: bool,
}

impl Source<'_> {
    /// Takes the newest id that was looked at, or says where the source was left.
    fn take(&mut self) -> Option<Head> {
        let wanted = |id| Head {
            id,
            is_wanted: true,
        };
        let left = (self.next_chunk > 0).then_some(Head {
            id: self.before,
            is_wanted: false,
        });
        self.ready.pop_front().map(wanted).or(left)
    }

    /// Looks at the next runs; how many of them are not wanted.
    fn fill(&mut self, db: &Connection, filter: &RunFilter) -> rusqlite::Result<usize> {
        let looked_at = self.ask(db, filter)?;
        // Fewer than asked for: there are no more, and nothing is asked again.
        let exhausted = looked_at.len() < self.next_chunk;
        self.next_chunk = if exhausted {
            0
        } else {
            (self.next_chunk * 2).min(LONGEST_PAGE)
        };
        self.before = looked_at.last().map_or(self.before, |(id, _)| *id);
        let seen = looked_at.len();
        let wanted = looked_at.into_iter().filter(|(_, is_wanted)| *is_wanted);
        self.ready = wanted.map(|(id, _)| id).collect();
        Ok(seen - self.ready.len())
    }

    /// The next ids, and whether each is wanted.
    fn ask(&self, db: &Connection, filter: &RunFilter) -> rusqlite::Result<Vec<(Id, bool)>> {
        let (_, from) = bounds(filter);
        let values: [&dyn ToSql; 6] = [
            &self.before,
            &from,
            &count(self.next_chunk),
            &self.script.map(ScriptName::as_str),
            &self.user.map(|user| user.0),
            &filter.outcome.map(Outcome::word),
        ];
        let wanted = Wanted::by(filter);
        let sql = source_sql(self.script.is_some(), self.user.is_some(), wanted);
        let mut ask = db.prepare_cached(sql)?;
        let known = ask.parameter_count();
        let values = params_from_iter(values.into_iter().take(known));
        let rows = ask.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

/// What was found for a page.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Newest first.
    pub ids: Vec<Id>,
    /// Older ones than this were not looked at, though there is room.
    pub left_at: Option<Id>,
}

/// The newest ids of all sources; one that stands in two of them appears once.
pub(super) fn merged_ids(
    db: &Connection,
    filter: &RunFilter,
    limit: usize,
    mut in_vain: usize,
) -> rusqlite::Result<Merged> {
    let mut sources = sources(filter);
    if let [only] = sources.as_mut_slice() {
        only.next_chunk = limit;
    }
    let mut heads = BinaryHeap::with_capacity(sources.len());
    for (at, source) in sources.iter_mut().enumerate() {
        // Each, whatever it costs: so each page comes further than the one before.
        source.fill(db, filter)?;
        heads.extend(source.take().map(|head| (head, at)));
    }
    let mut ids: Vec<Id> = Vec::with_capacity(limit);
    while ids.len() < limit
        && let Some((Head { id, is_wanted }, at)) = heads.pop()
    {
        let Some(source) = sources.get_mut(at) else {
            break;
        };
        if is_wanted {
            if ids.last() != Some(&id) {
                ids.push(id);
            }
        } else if in_vain == 0 {
            let left_at = Some(id);
            return Ok(Merged { ids, left_at });
        } else {
            // Of all sources it was left at the newest run: so all come equally far.
            in_vain = in_vain.saturating_sub(source.fill(db, filter)?);
        }
        heads.extend(source.take().map(|head| (head, at)));
    }
    Ok(Merged { ids, left_at: None })
}

#[cfg(test)]
mod tests;
