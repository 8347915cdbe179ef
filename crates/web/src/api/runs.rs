//! `GET /runs`, `GET /runs/{id}` and `POST /runs/{id}/stop`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use stagedoor_app::find::{LARGEST_PAGE, RunsError, RunsFilter};
use stagedoor_app::stop_run::StopError;
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State as RunState};
use stagedoor_domain::time::Timestamp;
use utoipa::IntoParams;

use crate::api::query::{PathRun, StrictQuery, bad_key, number, read};
use crate::api::run_json::{RunJson, RunsJson, StoppedJson, ToldJson};
use crate::problem::{LATER, Problem};
use crate::session::Caller;
use crate::state::AppState;

/// Runs on a page when the client does not say.
const USUAL_PAGE: usize = 50;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunsQuery {
    /// Of this script.
    #[param(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,16}$")]
    script: Option<String>,
    /// Started by this user.
    #[param(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    user: Option<String>,
    /// `queued`, `starting`, `running`, `stopping` or `ended`.
    #[param(pattern = "^(queued|starting|running|stopping|ended)$")]
    state: Option<String>,
    /// `succeeded`, `failed`, `signalled`, `timed_out`, `cancelled`, `over_limit`, `refused` or `lost`.
    #[param(
        pattern = "^(succeeded|failed|signalled|timed_out|cancelled|over_limit|refused|lost)$"
    )]
    outcome: Option<String>,
    /// Accepted at this time or later; RFC 3339.
    #[param(format = "date-time")]
    from: Option<String>,
    /// Accepted before this time; RFC 3339.
    #[param(format = "date-time")]
    to: Option<String>,
    /// `next` of the page before.
    #[param(format = "uuid")]
    cursor: Option<String>,
    /// At most so many, 1 to 200; 50 when not given.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

impl RunsQuery {
    fn filter(self) -> Result<RunsFilter, Problem> {
        let limit = number("limit", self.limit.as_deref(), 1..=LARGEST_PAGE)?;
        let states = RunState::ALL.map_words();
        let outcomes = Outcome::ALL.map_words();
        let script = |text: &str| ScriptName::parse(text).ok();
        let user = |text: &str| UserName::parse(text).ok();
        let time = "a time like 2026-11-21T20:15:00Z";
        Ok(RunsFilter {
            script: read("script", self.script.as_deref(), script, "a script's name")?,
            user: read("user", self.user.as_deref(), user, "a user's name")?,
            state: read("state", self.state.as_deref(), RunState::parse, &states)?,
            outcome: read(
                "outcome",
                self.outcome.as_deref(),
                Outcome::parse,
                &outcomes,
            )?,
            from: read("from", self.from.as_deref(), timestamp, time)?,
            to: read("to", self.to.as_deref(), timestamp, time)?,
            cursor: self.cursor,
            limit: limit.unwrap_or(USUAL_PAGE),
        })
    }
}

impl From<RunsError> for Problem {
    fn from(error: RunsError) -> Self {
        match error {
            RunsError::BadCursor => bad_key(
                "cursor",
                "write `next` of the page before, or leave it out for the first page",
            ),
            RunsError::Store(error) => error.into(),
        }
    }
}

trait MapWords {
    fn map_words(&self) -> String;
}

impl<T> MapWords for [(&'static str, T)] {
    fn map_words(&self) -> String {
        let words: Vec<&str> = self.iter().map(|(word, _)| *word).collect();
        format!("one of {}", words.join(", "))
    }
}

/// A time in RFC 3339.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

/// The history that the caller may read, newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(RunsQuery), responses(
    (status = 200, body = RunsJson),
    (status = 400, description = "A filter or the cursor is not understood."),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    StrictQuery(query): StrictQuery<RunsQuery>,
) -> Result<Json<RunsJson>, Problem> {
    let page = state.app.runs(&caller.user, query.filter()?).await?;
    let items = page.items.iter().map(RunJson::from).collect();
    Ok(Json(RunsJson {
        items,
        next: page.next,
    }))
}

/// One run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, body = RunJson),
        (status = 404, description = "Unknown, or not for this caller: the same answer."),
    ))]
pub(super) async fn one(
    State(state): State<AppState>,
    caller: Caller,
    PathRun(id): PathRun,
) -> Result<Json<RunJson>, Problem> {
    let (_, run) = state.app.readable(&caller.user, id).await?;
    Ok(Json(RunJson::from(&run)))
}

/// Tells the run to end: TERM, and KILL after the script's grace. Telling it twice is fine.
#[utoipa::path(post, path = "/api/v1/runs/{id}/stop", tag = "runs",
    params(("id" = String, Path, description = "the run's id"),
        ("X-CSRF-Token" = Option<String>, Header, description = "with a session cookie only")),
    responses(
        (status = 202, body = StoppedJson, description = "It was told; the outcome comes when it has \
            ended. Who may stop the run but not read it gets its `id` and `state` only."),
        (status = 404, description = "Unknown, or not for this caller: the same answer."),
        (status = 409, description = "It has ended already."),
        (status = 503, description = "It was told, but that cannot be written at the moment."),
    ))]
pub(super) async fn stop(
    State(state): State<AppState>,
    caller: Caller,
    PathRun(id): PathRun,
) -> Result<Response, Problem> {
    let (permit, run) = state.app.stoppable(&caller.user, id).await?;
    let told = state.app.stop_run(permit, id, &caller.origin()).await;
    told.map_err(not_stopped)?;
    let answer = if let Ok((_, now)) = state.app.readable(&caller.user, id).await {
        StoppedJson::Run(Box::new(RunJson::from(&now)))
    } else {
        // It was told, so this is no failure; and it may be somebody else's to read.
        let now = state.app.stoppable(&caller.user, id).await;
        StoppedJson::Told(ToldJson {
            id: id.to_string(),
            state: now.map_or(run.state, |(_, now)| now.state).word(),
        })
    };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

fn not_stopped(error: StopError) -> Problem {
    match error {
        StopError::Ended => {
            Problem::new(StatusCode::CONFLICT, "This run has ended already.").with_code("ended")
        }
        StopError::NotOnDisk => Problem::unavailable(
            StatusCode::SERVICE_UNAVAILABLE,
            "The run was told to end, but this cannot be written to the disk of this server at the \
             moment. Look at the run in a while, and stop it again if it still goes on.",
            error,
        )
        .with_header(RETRY_AFTER, LATER),
    }
}
