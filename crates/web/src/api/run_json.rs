//! A run as the API shows it.

use serde::Serialize;
use stagedoor_app::view::RunView;
use stagedoor_domain::run::Outcome;
use stagedoor_domain::sandbox::{Enforced, Measure};
use stagedoor_domain::time::Timestamp;
use utoipa::ToSchema;

/// One run. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct RunJson {
    /// A UUID of version 7.
    #[schema(format = "uuid")]
    pub id: String,
    /// The script's name; it may be gone meanwhile.
    pub script: String,
    /// Who started it.
    pub user: String,
    /// The arguments; secret ones read `***`.
    #[schema(value_type = Object)]
    pub args: serde_json::Map<String, serde_json::Value>,
    /// `queued`, `starting`, `running`, `stopping` or `ended`.
    pub state: &'static str,
    /// Set when it has ended: `succeeded`, `failed`, `signalled`, `timed_out`, `cancelled`,
    /// `over_limit`, `refused` or `lost`.
    pub outcome: Option<&'static str>,
    /// For people, where the outcome alone does not say enough.
    pub reason: Option<String>,
    /// The exit code of its main process.
    pub exit_code: Option<i32>,
    /// The signal that ended its main process.
    pub signal: Option<i32>,
    /// The attempt that counts: 0 before the first start.
    pub epoch: u32,
    /// Its place among the waiting runs, from 1.
    pub queue_position: Option<usize>,
    /// Processes that were left when the main one ended, and were ended too.
    pub leftovers: u32,
    /// The account of the machine that its script runs or ran as, by its name if it has one; null before it
    /// was started.
    pub account: Option<String>,
    /// What its script is or was held by; null before it was started.
    pub sandbox: Option<SandboxJson>,
    /// When it was accepted.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When its process began.
    #[schema(format = "date-time")]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = "date-time")]
    pub ended_at: Option<String>,
}

impl From<&RunView> for RunJson {
    fn from(run: &RunView) -> Self {
        Self {
            id: run.id.to_string(),
            script: run.script.to_string(),
            user: run.user.to_string(),
            args: run.args.clone(),
            state: run.state.word(),
            outcome: run.outcome.map(Outcome::word),
            reason: run.reason.clone(),
            exit_code: run.exit_code,
            signal: run.signal,
            epoch: run.epoch.0,
            queue_position: run.queue_position,
            leftovers: run.leftovers,
            account: run.account().map(str::to_owned),
            sandbox: run.enforced.as_deref().map(SandboxJson::from),
            created_at: run.created_at.rfc3339(),
            started_at: run.started_at.map(Timestamp::rfc3339),
            ended_at: run.ended_at.map(Timestamp::rfc3339),
        }
    }
}

/// What a run's script is held by.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sandbox)]
pub(crate) struct SandboxJson {
    /// What was asked for: `none`, `standard` or `strict`.
    pub level: &'static str,
    /// What holds.
    #[schema(value_type = Vec<String>)]
    pub held: Vec<Measure>,
    /// What was asked for and could not be had on this machine.
    pub missing: Vec<MissingJson>,
}

/// What could not be had.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MissingMeasure)]
pub(crate) struct MissingJson {
    /// As in `held`.
    #[schema(value_type = String)]
    pub measure: Measure,
    /// Why, for people.
    pub reason: String,
}

impl From<&Enforced> for SandboxJson {
    fn from(enforced: &Enforced) -> Self {
        let missing = enforced.missing.iter();
        Self {
            level: enforced.level.word(),
            held: enforced.held.clone(),
            missing: missing
                .map(|(measure, reason)| MissingJson {
                    measure: *measure,
                    reason: reason.clone(),
                })
                .collect(),
        }
    }
}

/// A run that was told to end.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = StoppedRun)]
pub(crate) enum StoppedJson {
    /// For those who may read it.
    Run(Box<RunJson>),
    /// For those who may only stop it.
    Told(ToldJson),
}

/// As much of a run as those know who may stop it but not read it.
///
/// It has no other members, so an answer is one of the two and not both.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ToldRun)]
pub(crate) struct ToldJson {
    /// As in a run.
    #[schema(format = "uuid")]
    pub id: String,
    /// As in a run.
    pub state: &'static str,
}

/// A page of the history, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Runs)]
pub(crate) struct RunsJson {
    /// The runs that the caller may read; fewer than `limit`, or none, where what is asked for is rare.
    pub items: Vec<RunJson>,
    /// For `cursor`, to go on; null at the end, and only there.
    pub next: Option<String>,
}

/// Where a run lives.
pub(crate) fn location(run: &RunView) -> String {
    format!("/api/v1/runs/{}", run.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use stagedoor_domain::id::{Epoch, RunId, UserId};
    use stagedoor_domain::name::{ScriptName, UserName};
    use stagedoor_domain::run::State;
    use stagedoor_domain::sandbox::Level;
    use std::sync::Arc;

    fn ended() -> RunView {
        RunView {
            id: RunId::parse("01936f5e-7c00-7000-8000-000000000001").expect("an id"),
            script: ScriptName::parse("ops/backup").expect("a name"),
            title: "Back up".to_owned(),
            user: UserName::parse("ada").expect("a name"),
            user_id: UserId(7),
            args: json!({"database": "orders", "password": "***"})
                .as_object()
                .cloned()
                .expect("a map"),
            state: State::Ended,
            outcome: Some(Outcome::TimedOut),
            reason: Some("It ran longer than 1 h.".to_owned()),
            stop: None,
            exit_code: None,
            signal: Some(15),
            epoch: Epoch(1),
            queue_position: None,
            leftovers: 2,
            enforced: Some(Arc::new(Enforced {
                level: Level::Strict,
                held: vec![Measure::Privileges, Measure::NetworkOff],
                missing: vec![(Measure::Write, "no Landlock".to_owned())],
                account: Some("backup".to_owned()),
            })),
            created_at: Timestamp::from_millis(0),
            started_at: Some(Timestamp::from_millis(1)),
            ended_at: Some(Timestamp::from_millis(1_500)),
        }
    }

    #[test]
    fn a_run_has_the_fields_of_the_design_in_words_and_utc() {
        let shown = serde_json::to_value(RunJson::from(&ended())).expect("JSON");
        assert_eq!(
            shown,
            json!({
                "id": "01936f5e-7c00-7000-8000-000000000001", "script": "ops/backup", "user": "ada",
                "args": {"database": "orders", "password": "***"},
                "state": "ended", "outcome": "timed_out", "reason": "It ran longer than 1 h.",
                "exit_code": null, "signal": 15, "epoch": 1, "queue_position": null, "leftovers": 2,
                "account": "backup",
                "sandbox": {
                    "level": "strict", "held": ["privileges", "network_off"],
                    "missing": [{"measure": "write", "reason": "no Landlock"}],
                },
                "created_at": "1970-01-01T00:00:00.000Z",
                "started_at": "1970-01-01T00:00:00.001Z",
                "ended_at": "1970-01-01T00:00:01.500Z",
            })
        );
    }
}
