//! The newest ids of several ranges of the history, merged.

mod intersection;

use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use rusqlite::types::ToSql;
use rusqlite::{Connection, params_from_iter};
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::run::{Outcome, State};

use intersection::{Of, common_ids};

use super::{Id, LONGEST_PAGE, RunFilter, bounds, count};

/// SQL for the ids of one source. The numbers of the values are the same in all. The index is named
/// because the planner, which keeps no statistics here, may prefer one that reads more.
macro_rules! ids {
    ($index:literal $($condition:literal)*) => {
        concat!(
            "SELECT id FROM runs ",
            $index,
            " WHERE id < ?1 AND id >= ?2",
            $(" AND ", $condition,)*
            " ORDER BY id DESC LIMIT ?3"
        )
    };
}

/// Which runs of a source are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Ended,
    /// Of one outcome, which implies the end.
    Outcome,
}

impl Wanted {
    fn by(filter: &RunFilter) -> Self {
        match (filter.outcome, filter.state) {
            (Some(_), _) => Self::Outcome,
            (None, Some(State::Ended)) => Self::Ended,
            (None, _) => Self::All,
        }
    }
}

/// The text for a source of one script or all, of one user or all. None where no index has it all.
fn source_sql(script: bool, user: bool, wanted: Wanted) -> Option<&'static str> {
    Some(match (wanted, script, user) {
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
        (Wanted::Outcome, false, false) => ids!("INDEXED BY runs_by_outcome" "outcome = ?6"),
        (Wanted::Outcome, true, false) => {
            ids!("INDEXED BY runs_by_script_outcome" "script = ?4" "outcome = ?6")
        }
        (Wanted::Outcome, false, true) => {
            ids!("INDEXED BY runs_by_user_outcome" "user_id = ?5" "outcome = ?6")
        }
        (Wanted::Outcome, true, true) => return None,
    })
}

/// One range of the history, newest first.
struct Source<'a> {
    script: Option<&'a ScriptName>,
    user: Option<UserId>,
    before: Id,
    ready: VecDeque<Id>,
    next_chunk: usize,
}

/// The ranges whose union the reader may see and has asked for.
fn sources(filter: &RunFilter, first_chunk: usize) -> Vec<Source<'_>> {
    let (before, _) = bounds(filter);
    let source = |script, user| Source {
        script,
        user,
        before,
        ready: VecDeque::new(),
        next_chunk: first_chunk,
    };
    let Some(visible) = &filter.visible else {
        return vec![source(filter.script.as_ref(), filter.user)];
    };
    let mut sources = Vec::new();
    if filter.user.is_none_or(|user| user == visible.own) {
        sources.push(source(filter.script.as_ref(), Some(visible.own)));
    }
    if filter.user != Some(visible.own) {
        let scripts: BTreeSet<&ScriptName> = visible.scripts.iter().collect();
        let wanted = |name: &&ScriptName| filter.script.as_ref().is_none_or(|only| *name == only);
        sources.extend(
            scripts
                .into_iter()
                .filter(wanted)
                .map(|name| source(Some(name), filter.user)),
        );
    }
    sources
}

impl Source<'_> {
    /// The newest id that was not taken yet.
    fn take(&mut self, db: &Connection, filter: &RunFilter) -> rusqlite::Result<Option<Id>> {
        if self.ready.is_empty() && self.next_chunk > 0 {
            self.fill(db, filter)?;
        }
        Ok(self.ready.pop_front())
    }

    fn fill(&mut self, db: &Connection, filter: &RunFilter) -> rusqlite::Result<()> {
        self.ready = match self.sql(filter) {
            Some(sql) => self.ask(db, sql, filter)?,
            None => self.common(db, filter)?,
        };
        // Fewer than asked for: there are no more, and nothing is asked again.
        let exhausted = self.ready.len() < self.next_chunk;
        self.next_chunk = if exhausted {
            0
        } else {
            (self.next_chunk * 2).min(LONGEST_PAGE)
        };
        self.before = self.ready.back().copied().unwrap_or(self.before);
        Ok(())
    }

    fn sql(&self, filter: &RunFilter) -> Option<&'static str> {
        let wanted = Wanted::by(filter);
        source_sql(self.script.is_some(), self.user.is_some(), wanted)
    }

    fn ask(
        &self,
        db: &Connection,
        sql: &'static str,
        filter: &RunFilter,
    ) -> rusqlite::Result<VecDeque<Id>> {
        let (_, from) = bounds(filter);
        let values: [&dyn ToSql; 6] = [
            &self.before,
            &from,
            &count(self.next_chunk),
            &self.script.map(ScriptName::as_str),
            &self.user.map(|user| user.0),
            &filter.outcome.map(Outcome::word),
        ];
        let mut ask = db.prepare_cached(sql)?;
        let known = ask.parameter_count();
        let rows = ask.query_map(params_from_iter(values.into_iter().take(known)), |row| {
            row.get(0)
        })?;
        rows.collect()
    }

    /// The ids that stand in all three indexes of pairs.
    fn common(&self, db: &Connection, filter: &RunFilter) -> rusqlite::Result<VecDeque<Id>> {
        let (_, from) = bounds(filter);
        let of = Of {
            user: self.user.map(|user| user.0),
            script: self.script.map(ScriptName::as_str),
            outcome: filter.outcome.map(Outcome::word),
            from,
        };
        common_ids(db, &of, self.before, self.next_chunk)
    }
}

/// The newest ids of all sources; one that stands in two of them appears once.
pub(super) fn merged_ids(
    db: &Connection,
    filter: &RunFilter,
    limit: usize,
) -> rusqlite::Result<Vec<Id>> {
    let mut sources = sources(filter, 1);
    if let [only] = sources.as_mut_slice() {
        only.next_chunk = limit;
        only.fill(db, filter)?;
        return Ok(only.ready.drain(..).collect());
    }
    let mut heads = BinaryHeap::new();
    for (at, source) in sources.iter_mut().enumerate() {
        heads.extend(source.take(db, filter)?.map(|id| (id, at)));
    }
    let mut ids: Vec<Id> = Vec::with_capacity(limit);
    while ids.len() < limit
        && let Some((id, at)) = heads.pop()
    {
        if ids.last() != Some(&id) {
            ids.push(id);
        }
        if let Some(source) = sources.get_mut(at) {
            heads.extend(source.take(db, filter)?.map(|id| (id, at)));
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;
