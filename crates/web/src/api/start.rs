//! `POST /runs`: starts a run.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use stagedoor_app::session_key::RequestKey;
use stagedoor_app::start_run::StartError;
use stagedoor_app::view::RunView;
use stagedoor_domain::access::{User, may_run};
use stagedoor_domain::arguments::ArgError;
use stagedoor_domain::queue::QueueFull;
use utoipa::{IntoParams, ToSchema};

use crate::api::given::RawArgs;
use crate::api::query::{StrictQuery, bad_key, read};
use crate::api::run_json::{RunJson, location};
use crate::api::scripts::visible;
use crate::api::strict_json::StrictJson;
use crate::problem::{FieldError, Problem, SOON};
use crate::session::Caller;
use crate::state::AppState;

/// The longest time, in seconds, that an answer may wait for the run's end.
const LONGEST_WAIT: u64 = 300;
/// The longest `Idempotency-Key`, in bytes.
const LONGEST_KEY: usize = 255;

/// What to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StartRun)]
pub(crate) struct StartJson {
    /// The script's name.
    #[schema(min_length = 1)]
    script: String,
    /// Parameter → value: a text, a number, true, false, null for no value, or a list.
    #[serde(default)]
    #[schema(value_type = Object)]
    args: RawArgs,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StartQuery {
    /// Answer when the run has ended, or after so many seconds; at most 300.
    #[param(value_type = Option<u64>, maximum = 300)]
    wait: Option<String>,
}

/// Starts a run. The answer comes when the run is on disk: from then on it will have an outcome.
///
/// With `Idempotency-Key` the same request, sent again, gets the run of the first time.
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs",
    params(StartQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
        ("X-CSRF-Token" = Option<String>, Header, description = "with a session cookie only")),
    request_body = StartJson,
    responses(
        (status = 201, body = RunJson, headers(("Location" = String, description = "the run"))),
        (status = 400, description = "The body is not JSON of this form; the answer says where."),
        (status = 403, description = "The caller may see the script, but not run it."),
        (status = 404, description = "No such script, or not for this caller: the same answer."),
        (status = 409, description = "The script is disabled, or the key was used for another request."),
        (status = 415, description = "The body is not sent as application/json."),
        (status = 422, description = "Arguments do not fit; `errors` says which and why."),
        (status = 429, description = "As many runs wait as may."),
    ))]
pub(super) async fn start(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    StrictQuery(query): StrictQuery<StartQuery>,
    StrictJson(body): StrictJson<StartJson>,
) -> Result<Response, Problem> {
    let wait = wait(&query)?;
    let key = idempotency_key(&headers, &caller.user)?.or(caller.request);
    let script = visible(&state, &caller.user, &body.script).await?;
    let permit = may_run(&caller.user, &script, &state.app.grants())
        .inspect_err(|_| {
            let what = format!("run {}", script.name);
            state.app.note_denial(&caller.origin(), what);
        })
        .map_err(|_| Problem::forbidden("You may see this script, but not run it."))?;
    let given = body.args.given(&script).map_err(refused_arguments)?;
    let args = state
        .app
        .check_args(&script, given)
        .await
        .map_err(|errors| refused_arguments(errors.into_iter().map(field_error).collect()))?;
    let accepted = state
        .app
        .start_run(permit, args, key, caller.origin())
        .await?;
    if let (Some(session), Some(key)) = (&caller.session, &caller.request) {
        state.app.csrf().started(session, key, accepted.run.id);
    }
    let run = match wait {
        Some(at_most) => ended(&state, &caller.user, accepted.run, at_most).await?,
        None => accepted.run,
    };
    Ok(created(&run))
}

/// The run once it has ended, or as it is when time is up or the server stops.
async fn ended(
    state: &AppState,
    user: &User,
    run: RunView,
    at_most: Duration,
) -> Result<RunView, Problem> {
    let (permit, _) = state.app.readable(user, run.id).await?;
    tokio::select! {
        ended = state.app.wait_for(permit, run.id, at_most) => Ok(ended?.unwrap_or(run)),
        () = state.shutdown.cancelled() => Ok(run),
    }
}

fn created(run: &RunView) -> Response {
    let body = Json(RunJson::from(run));
    match HeaderValue::from_str(&location(run)) {
        Ok(location) => (StatusCode::CREATED, [(LOCATION, location)], body).into_response(),
        Err(_) => (StatusCode::CREATED, body).into_response(),
    }
}

fn wait(query: &StartQuery) -> Result<Option<Duration>, Problem> {
    let parse = |text: &str| text.parse().ok().filter(|s| *s <= LONGEST_WAIT);
    let wanted = format!("a number of seconds, at most {LONGEST_WAIT}");
    let seconds = read("wait", query.wait.as_deref(), parse, &wanted)?;
    Ok(seconds.filter(|s| *s > 0).map(Duration::from_secs))
}

/// A key of its own namespace per user, so that nobody gets the run of another one.
fn idempotency_key(headers: &HeaderMap, user: &User) -> Result<Option<RequestKey>, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    let text = key.to_str().ok().filter(|text| {
        (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    });
    match (text, keys.next()) {
        (Some(text), None) => Ok(Some(RequestKey::of_header(user.id, text))),
        _ => Err(bad_key(
            "Idempotency-Key",
            "send one, of 1 to 255 visible ASCII characters",
        )),
    }
}

fn field_error(error: ArgError) -> FieldError {
    FieldError {
        param: Some(error.given_name),
        message: error.message,
    }
}

fn refused_arguments(errors: Vec<FieldError>) -> Problem {
    let detail = match errors.as_slice() {
        [
            FieldError {
                param: Some(param),
                message,
            },
        ] => format!("`{param}`: {message}"),
        many => format!(
            "{} arguments do not fit; `errors` says which and why.",
            many.len()
        ),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(errors)
}

/// Why no run was accepted, for API and pages.
impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let say = error.to_string();
        match error {
            StartError::Disabled(_) => {
                Problem::new(StatusCode::CONFLICT, sentence(&say)).with_code("disabled")
            }
            StartError::OtherArguments => {
                Problem::new(StatusCode::CONFLICT, sentence(&say)).with_code("other_arguments")
            }
            StartError::QueueFull(full) => {
                let code = match full {
                    QueueFull::All(_) => "queue_full",
                    QueueFull::User(_) => "queue_full_user",
                    QueueFull::Script(_) => "queue_full_script",
                };
                Problem::new(StatusCode::TOO_MANY_REQUESTS, sentence(&say))
                    .with_code(code)
                    .with_header(RETRY_AFTER, SOON)
            }
            StartError::Stopping => Problem::unavailable(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is stopping. Nothing was started; try again in a moment.",
                say,
            )
            .with_header(RETRY_AFTER, SOON),
            StartError::Store(error) => error.into(),
        }
    }
}

/// An error's text begins small, to fit behind a colon.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}
