//! A run as pages and API show it.

use std::sync::Arc;

use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State, StopCause};
use stagedoor_domain::sandbox::Enforced;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::RunRecord;

/// A run, whether it goes on or ended long ago.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// Its script, which may be gone meanwhile.
    pub script: ScriptName,
    /// The script's title if it still exists, else its name.
    pub title: String,
    /// Who started it.
    pub user: UserName,
    /// Their id.
    pub user_id: UserId,
    /// The arguments as history keeps them: secrets are `***`.
    pub args: serde_json::Map<String, serde_json::Value>,
    /// Where it stands.
    pub state: State,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// For people, where the outcome alone does not say enough.
    pub reason: Option<String>,
    /// Set once it was told to end.
    pub stop: Option<StopCause>,
    /// The main process's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The attempt that counts.
    pub epoch: Epoch,
    /// Its place among the waiting ones, from 1.
    pub queue_position: Option<usize>,
    /// Processes that were left when the main one ended, and were ended too.
    pub leftovers: u32,
    /// What its script is or was held by; none before it was started.
    pub enforced: Option<Arc<Enforced>>,
    /// Accepted.
    pub created_at: Timestamp,
    /// Its process exists since then.
    pub started_at: Option<Timestamp>,
    /// It has its outcome since then.
    pub ended_at: Option<Timestamp>,
}

impl RunView {
    /// Has it an outcome?
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The account of the machine that its script ran as; none before it was started.
    pub fn account(&self) -> Option<&str> {
        self.enforced.as_deref()?.account.as_deref()
    }

    pub(crate) fn of_record(record: RunRecord, title: Option<String>) -> Self {
        Self {
            id: record.id,
            title: title.unwrap_or_else(|| record.script.to_string()),
            script: record.script,
            user: record.user_name,
            user_id: record.user,
            args: record.args,
            state: record.state,
            outcome: record.outcome,
            reason: record.reason,
            stop: record.stop,
            exit_code: record.exit_code,
            signal: record.signal,
            epoch: record.epoch,
            queue_position: None,
            leftovers: record.leftovers,
            enforced: record.enforced,
            created_at: record.created_at,
            started_at: record.started_at,
            ended_at: record.ended_at,
        }
    }
}
