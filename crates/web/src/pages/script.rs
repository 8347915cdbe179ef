//! A script's form, and the start of a run by it.

pub(super) mod field;
mod given;
mod hint;
pub(super) mod view;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use stagedoor_app::find::RunsFilter;
use stagedoor_app::start_run::StartError;
use stagedoor_domain::access::{MayRun, may_run, may_view};
use stagedoor_domain::arguments::ArgError;
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;

use super::{paths, setup};
use crate::checked;
use crate::problem::Problem;
use crate::safe_form::{Fields, NotSafe, SafeForm};
use crate::session::Me;
use crate::state::AppState;
use view::Said;

/// The field with which somebody confirms a run. No parameter can have a name with a dot.
pub(super) const CONFIRM_FIELD: &str = ".confirm";

/// `GET /scripts/{name}`; a query fills fields in, and never starts anything.
pub(crate) async fn form(
    State(state): State<AppState>,
    me: Me,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let name = ScriptName::parse(&name).map_err(|_| Problem::not_found())?;
    let script = match find(&state, &me, &name) {
        Ok(script) => script,
        Err(problem) => return broken(&state, &me, &name).ok_or(problem),
    };
    let pairs = query
        .and_then(|query| serde_urlencoded::from_str(&query).ok())
        .unwrap_or_default();
    let fields = Fields(pairs);
    let said = Said {
        fields: (!fields.0.is_empty()).then_some(&fields),
        ..Said::default()
    };
    show(&state, &me, &script, StatusCode::OK, &said).await
}

/// `POST /scripts/{name}`
pub(crate) async fn send(
    State(state): State<AppState>,
    me: Me,
    Path(name): Path<String>,
    form: Result<SafeForm<Fields>, NotSafe>,
) -> Result<Response, NotSafe> {
    let refused = NotSafe::Refused;
    let name = ScriptName::parse(&name).map_err(|_| refused(Problem::not_found()))?;
    let script = find(&state, &me, &name).map_err(refused)?;
    let (form, fields) = match form {
        Ok(form) => {
            let fields = form.value.clone();
            (Ok(form), fields)
        }
        Err(NotSafe::Stale(fields)) => (Err(()), fields),
        Err(other) => return Err(other),
    };
    let outcome = match form {
        Ok(form) => start(&state, &me, &script, &form).await,
        Err(()) => Err(Refusal::stale()),
    };
    match outcome {
        Ok(response) => Ok(response),
        Err(Refusal::Failed(problem)) => Err(refused(problem)),
        Err(Refusal::Again {
            status,
            notice,
            errors,
            confirm,
        }) => {
            let said = Said {
                fields: Some(&fields),
                sent: true,
                notice: Some(notice),
                errors,
                ask_again: confirm,
            };
            show(&state, &me, &script, status, &said)
                .await
                .map_err(refused)
        }
    }
}

/// Why there is no run.
enum Refusal {
    /// The form is shown again.
    Again {
        status: StatusCode,
        notice: String,
        errors: Vec<ArgError>,
        confirm: bool,
    },
    /// Another page.
    Failed(Problem),
}

impl Refusal {
    fn again(status: StatusCode, notice: impl Into<String>) -> Self {
        Self::Again {
            status,
            notice: notice.into(),
            errors: Vec::new(),
            confirm: false,
        }
    }

    fn stale() -> Self {
        Self::again(
            StatusCode::FORBIDDEN,
            "This page was open for too long, or was sent already, so nothing was started. Your \
             entries are still here: look at them and press Run again.",
        )
    }
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        let text = setup::sentence(&error.to_string());
        match error {
            StartError::Disabled(_) | StartError::OtherArguments => {
                Self::again(StatusCode::CONFLICT, text)
            }
            StartError::QueueFull(_) | StartError::Stopping => {
                Self::again(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            StartError::Store(error) => Self::Failed(error.into()),
        }
    }
}

async fn start(
    state: &AppState,
    me: &Me,
    script: &Arc<Script>,
    form: &SafeForm<Fields>,
) -> Result<Response, Refusal> {
    let permit = permit(state, me, script)?;
    let given = given::given(script, &form.value);
    let args = checked::check(script, given)
        .await
        .map_err(|errors| Refusal::Again {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            notice: notice(&errors),
            errors,
            confirm: false,
        })?;
    if script.confirm.is_some() && form.value.text(CONFIRM_FIELD) != "yes" {
        return Err(Refusal::Again {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            notice: "This script wants to be confirmed. Nothing was started yet.".to_owned(),
            errors: Vec::new(),
            confirm: true,
        });
    }
    let accepted = state.app.start_run(permit, args, Some(form.key)).await?;
    state
        .app
        .csrf()
        .started(&form.session, &form.key, accepted.run.id);
    Ok(Redirect::to(&paths::run(accepted.run.id)).into_response())
}

fn permit<'a>(state: &AppState, me: &'a Me, script: &'a Script) -> Result<MayRun<'a>, Refusal> {
    may_run(&me.0.user, script, &state.app.grants()).map_err(|_| {
        Refusal::Failed(Problem::forbidden(
            "You may see this script, but not run it.",
        ))
    })
}

fn notice(errors: &[ArgError]) -> String {
    match errors.iter().filter(|error| error.param.is_some()).count() {
        0 => errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        1 => "One field needs a look. Nothing was started.".to_owned(),
        n => format!("{n} fields need a look. Nothing was started."),
    }
}

/// A script that this user may see; another one does not exist.
fn find(state: &AppState, me: &Me, name: &ScriptName) -> Result<Arc<Script>, Problem> {
    let script = state
        .app
        .catalog()
        .get(name)
        .cloned()
        .ok_or_else(Problem::not_found)?;
    may_view(&me.0.user, &script, &state.app.grants()).map_err(|_| Problem::not_found())?;
    Ok(script)
}

/// To admins, a script whose definition is broken says why.
fn broken(state: &AppState, me: &Me, name: &ScriptName) -> Option<Response> {
    let is_admin = me.0.user.is_admin();
    let is_broken = state
        .app
        .catalog()
        .broken()
        .iter()
        .any(|b| b.name.as_deref() == Some(name.as_str()));
    (is_admin && is_broken).then(|| super::health::page(state, me, Some(name)))
}

async fn show(
    state: &AppState,
    me: &Me,
    script: &Arc<Script>,
    status: StatusCode,
    said: &Said<'_>,
) -> Result<Response, Problem> {
    let filter = RunsFilter {
        script: Some(script.name.clone()),
        user: Some(me.0.user.name.clone()),
        limit: 5,
        ..RunsFilter::default()
    };
    let last = state.app.runs(&me.0.user, filter).await?;
    let paths = view::paths(script).await;
    Ok(super::page(
        status,
        &view::page(state, me, script, said, &paths, &last.items),
    ))
}
