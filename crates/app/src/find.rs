//! Finds runs that somebody may read. What one may not read does not exist.

use std::collections::HashMap;
use std::time::Duration;

use stagedoor_catalog::Snapshot;
use stagedoor_domain::access::{
    Denied, MayRead, MayStop, RunFacts, User, may_read, may_read_all, may_read_all_own,
    may_read_own, may_stop,
};
use stagedoor_domain::id::{RunId, UserId};
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::script::Script;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{Cursor, RunFilter, RunRecord, StoreError, Visible};

use crate::app::App;
use crate::view::RunView;
use crate::withheld::with_notice;

/// Why there is no such run for this caller.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Unknown, or not theirs to see: the same answer.
    #[error("there is no such run")]
    Absent,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no page of runs.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// Not what the last page gave as `next`.
    #[error("this cursor is not known; begin at the first page")]
    BadCursor,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunsFilter {
    /// Of this script.
    pub script: Option<ScriptName>,
    /// Started by this user.
    pub user: Option<UserName>,
    /// In this state.
    pub state: Option<State>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Accepted at this time or later.
    pub from: Option<Timestamp>,
    /// Accepted before this time.
    pub to: Option<Timestamp>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// A page of history, newest first.
#[derive(Debug)]
pub struct RunsPage {
    /// The runs.
    pub items: Vec<RunView>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

/// The number of no account.
const NOBODY: UserId = UserId(0);

/// Most runs on one page.
pub const LARGEST_PAGE: usize = 200;

impl App {
    /// A run by its id, without asking who wants to know.
    pub(crate) async fn run(&self, id: RunId) -> Result<Option<RunView>, StoreError> {
        if let Some(live) = self.live_run(id) {
            return Ok(Some(self.placed(live.told())));
        }
        let record = self.inner.store.run(id).await?;
        let Some(record) = record else {
            return Ok(None);
        };
        Ok(Some(self.view_of(record, &*self.catalog().await)))
    }

    /// A run that this user may read, with the proof.
    pub async fn readable(&self, user: &User, id: RunId) -> Result<(MayRead, RunView), FindError> {
        self.permitted(id, |facts| may_read(user, facts, &self.grants()))
            .await
    }

    /// A run that this user may stop, with the proof. One who may only read it, or not even
    /// that, gets the same answer as for an unknown run.
    pub async fn stoppable<'a>(
        &self,
        user: &'a User,
        id: RunId,
    ) -> Result<(MayStop<'a>, RunView), FindError> {
        self.permitted(id, |facts| may_stop(user, facts, &self.grants()))
            .await
    }

    async fn permitted<P>(
        &self,
        id: RunId,
        permit: impl FnOnce(RunFacts<'_>) -> Result<P, Denied>,
    ) -> Result<(P, RunView), FindError> {
        let run = self.run(id).await?.ok_or(FindError::Absent)?;
        let scripts = self.catalog().await;
        let facts = RunFacts {
            started_by: run.user_id,
            script_name: &run.script,
            access: scripts.get(&run.script).map(|script| &script.access),
        };
        let proof = permit(facts).map_err(|_| FindError::Absent)?;
        Ok((proof, run))
    }

    /// Waits until the run has an outcome, but not longer than this. The proof says that the
    /// caller may know.
    pub async fn wait_for(
        &self,
        _permit: MayRead,
        id: RunId,
        at_most: Duration,
    ) -> Result<Option<RunView>, StoreError> {
        if let Some(live) = self.live_run(id) {
            let mut changes = live.changes.subscribe();
            let ended = changes.wait_for(|view| view.is_ended());
            if let Ok(Ok(view)) = tokio::time::timeout(at_most, ended).await {
                return Ok(Some(RunView::clone(&view)));
            }
        }
        self.run(id).await
    }

    /// A page of the runs that this user may read, newest first.
    pub async fn runs(&self, user: &User, filter: RunsFilter) -> Result<RunsPage, RunsError> {
        let cursor = match &filter.cursor {
            None => None,
            Some(text) => Some(Cursor::parse(text).ok_or(RunsError::BadCursor)?),
        };
        let started_by = match &filter.user {
            None => None,
            Some(name) => match self.inner.store.user_by_name(name).await? {
                Some(record) => Some(record.user.id),
                None => {
                    return Ok(RunsPage {
                        items: Vec::new(),
                        next: None,
                    });
                }
            },
        };
        let state = filter.state;
        let filter = RunFilter {
            script: filter.script,
            user: started_by,
            state,
            // That a run is running is written a little later.
            or_state: (state == Some(State::Running)).then_some(State::Starting),
            outcome: filter.outcome,
            from: filter.from,
            to: filter.to,
            visible: self.visible_to(user).await,
            cursor,
            limit: filter.limit.clamp(1, LARGEST_PAGE),
        };
        let page = self.inner.store.runs(&filter).await?;
        let scripts = self.catalog().await;
        let items = page
            .items
            .into_iter()
            .map(|record| self.view_of(record, &scripts))
            // What goes on is newer in memory than on disk.
            .filter(|run| state.is_none_or(|state| run.state == state))
            .collect();
        Ok(RunsPage {
            items,
            next: page.next.map(|cursor| cursor.to_string()),
        })
    }

    /// This user's own last run of each of these scripts.
    pub async fn last_runs(
        &self,
        user: &User,
        scripts: &[ScriptName],
    ) -> Result<HashMap<ScriptName, RunView>, StoreError> {
        let records = self.inner.store.last_runs(user.id, scripts).await?;
        let known = self.catalog().await;
        Ok(records
            .into_iter()
            .map(|(script, record)| (script, self.view_of(record, &known)))
            .collect())
    }

    /// Whose runs a user may read: everyone's who may read all; else their own, and those of
    /// scripts whose output they may see. A token sees of its owner's those of its scripts only.
    async fn visible_to(&self, user: &User) -> Option<Visible> {
        let grants = self.grants();
        if may_read_all(user, &grants) {
            return None;
        }
        let catalog = self.catalog().await;
        let of = |may: &dyn Fn(&Script) -> bool| -> Vec<ScriptName> {
            let scripts = catalog.scripts().filter(|script| may(script));
            scripts.map(|script| script.name.clone()).collect()
        };
        let reads = |script: &Script| {
            let facts = RunFacts {
                started_by: NOBODY,
                script_name: &script.name,
                access: Some(&script.access),
            };
            may_read(user, facts, &grants).is_ok()
        };
        let own = |script: &Script| may_read_own(user, &script.name);
        Some(Visible {
            own: user.id,
            own_of: (!may_read_all_own(user)).then(|| of(&own)),
            scripts: of(&reads),
        })
    }

    /// A row as it is shown. What goes on is newer in memory than on disk.
    pub(crate) fn view_of(&self, record: RunRecord, scripts: &Snapshot) -> RunView {
        if let Some(live) = self.live_run(record.id) {
            return self.placed(live.told());
        }
        let title = scripts
            .get(&record.script)
            .map(|script| script.title.clone());
        let reason = with_notice(record.reason.clone(), self.notice_of(record.id));
        RunView {
            reason,
            ..RunView::of_record(record, title)
        }
    }

    /// Adds a waiting run's place in the queue.
    pub(crate) fn placed(&self, view: RunView) -> RunView {
        let queue_position = match view.state {
            State::Queued => self.queue().position(view.id),
            _ => None,
        };
        RunView {
            queue_position,
            ..view
        }
    }
}
