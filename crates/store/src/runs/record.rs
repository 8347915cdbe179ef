//! A run as the store's callers see it, and how it goes on.

use std::sync::Arc;

use serde_json::{Map, Value};
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State, StopCause};
use stagedoor_domain::sandbox::Enforced;
use stagedoor_domain::script::Fingerprint;
use stagedoor_domain::time::Timestamp;

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Made at `created_at`: pages sort and cut by the time in it.
    pub id: RunId,
    /// Of which script.
    pub script: ScriptName,
    /// Who started it.
    pub user: UserId,
    /// The name of who started it, as it was then.
    pub user_name: UserName,
    /// The arguments as history shows them, secrets as `***`.
    pub args: Map<String, Value>,
    /// The secret arguments, encrypted. None in lists, and once the run has ended.
    pub secrets: Option<Vec<u8>>,
    /// Where it stands.
    pub state: State,
    /// The attempt that counts.
    pub epoch: Epoch,
    /// Why it was told to end.
    pub stop: Option<StopCause>,
    /// Set when, and only when, it has ended.
    pub outcome: Option<Outcome>,
    /// For people, where the outcome alone does not say enough.
    pub reason: Option<String>,
    /// Of the main process.
    pub exit_code: Option<i32>,
    /// That ended the main process.
    pub signal: Option<i32>,
    /// Processes that outlived the main one and had to be ended.
    pub leftovers: u32,
    /// What its script was held by; none before it was started.
    pub enforced: Option<Arc<Enforced>>,
    /// Size of standard output, in bytes.
    pub stdout_bytes: u64,
    /// Size of standard error, in bytes.
    pub stderr_bytes: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its last attempt was started.
    pub started_at: Option<Timestamp>,
    /// Set when, and only when, it has ended.
    pub ended_at: Option<Timestamp>,
    /// Hash that makes the request unique: a form's token, an `Idempotency-Key`. It must cover the
    /// user, so that two users never meet here.
    pub request_key: Option<[u8; 32]>,
    /// With a request key: a digest of script and arguments, secrets included. Keyed, so that
    /// it says nothing to who has the database only.
    pub request_digest: Option<[u8; 32]>,
    /// The file that was checked when the run was asked for.
    pub fingerprint: Option<Fingerprint>,
}

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The run is on the disk.
    New,
    /// The same request made a run before; nothing was inserted.
    SameRequest {
        /// That run.
        run: RunId,
        /// Was it asked for with the same script and arguments? Secrets, all `***`, are compared by
        /// the digest, where that run has one.
        same_args: bool,
    },
}

/// How a run goes on. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUpdate {
    /// Of which run.
    pub id: RunId,
    /// Of which attempt. An older one than the record's changes nothing; a newer one forgets when
    /// the older was started and what it wrote.
    pub epoch: Epoch,
    /// Where it stands now; [`RunUpdate::ended`] for the end.
    pub state: State,
    /// With [`State::Ended`] only.
    pub outcome: Option<Outcome>,
    /// Why it was told to end.
    pub stop: Option<StopCause>,
    /// For people.
    pub reason: Option<String>,
    /// Of the main process.
    pub exit_code: Option<i32>,
    /// That ended the main process.
    pub signal: Option<i32>,
    /// Processes that had to be ended after the main one.
    pub leftovers: Option<u32>,
    /// Size of standard output, in bytes.
    pub stdout_bytes: Option<u64>,
    /// Size of standard error, in bytes.
    pub stderr_bytes: Option<u64>,
    /// What this attempt is held by.
    pub enforced: Option<Arc<Enforced>>,
    /// When this attempt was started.
    pub started_at: Option<Timestamp>,
    /// With [`State::Ended`] only.
    pub ended_at: Option<Timestamp>,
    /// Takes the place of what is sealed in the row.
    pub secrets: Option<Vec<u8>>,
    /// The secret arguments are no longer needed. The end of a run clears them in any case.
    pub clear_secrets: bool,
    /// Its output is not masked at its end: what is sealed goes to [`crate::Store::unmasked_runs`].
    pub is_unmasked: bool,
}

impl RunUpdate {
    /// This attempt has reached this state; for [`State::Ended`] see [`RunUpdate::ended`].
    pub fn new(id: RunId, epoch: Epoch, state: State) -> Self {
        Self {
            id,
            epoch,
            state,
            outcome: None,
            stop: None,
            reason: None,
            exit_code: None,
            signal: None,
            leftovers: None,
            stdout_bytes: None,
            stderr_bytes: None,
            enforced: None,
            started_at: None,
            ended_at: None,
            secrets: None,
            clear_secrets: false,
            is_unmasked: false,
        }
    }

    /// This attempt has ended like this.
    pub fn ended(id: RunId, epoch: Epoch, outcome: Outcome, at: Timestamp) -> Self {
        Self {
            outcome: Some(outcome),
            ended_at: Some(at),
            clear_secrets: true,
            ..Self::new(id, epoch, State::Ended)
        }
    }
}
