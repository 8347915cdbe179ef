//! A script's form, and the start of a run by it.

pub(super) mod field;
mod given;
mod hint;
pub(super) mod view;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use stagedoor_app::find::RunsFilter;
use stagedoor_app::start_run::StartError;
use stagedoor_domain::access::{MayRun, MayView, may_run, may_view};
use stagedoor_domain::arguments::ArgError;
use stagedoor_domain::audit::Origin;
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;

use super::{paths, setup};
use crate::language::Languages;
use crate::problem::{Problem, SOON};
use crate::safe_form::{Fields, NotSafe, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;
use view::{Found, Said};

/// The field with which somebody confirms a run. No parameter can have a name with a dot.
pub(super) const CONFIRM_FIELD: &str = ".confirm";

/// Who looks at the page.
#[derive(Clone, Copy)]
struct Reader<'a> {
    state: &'a AppState,
    me: &'a Me,
    languages: &'a Languages,
}

/// `GET /scripts/{name}`; a query fills fields in, and never starts anything.
pub(crate) async fn form(
    State(state): State<AppState>,
    me: Me,
    languages: Languages,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let reader = Reader {
        state: &state,
        me: &me,
        languages: &languages,
    };
    let name = ScriptName::parse(&name).map_err(|_| Problem::not_found())?;
    let script = match reader.find(&name).await {
        Ok(script) => script,
        Err(problem) => return reader.broken(&name).await.ok_or(problem),
    };
    let pairs = query
        .and_then(|query| serde_urlencoded::from_str(&query).ok())
        .unwrap_or_default();
    let fields = Fields(pairs);
    let said = Said {
        fields: (!fields.0.is_empty()).then_some(&fields),
        ..Said::default()
    };
    reader.show(&script, StatusCode::OK, &said).await
}

/// `POST /scripts/{name}`
pub(crate) async fn send(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    languages: Languages,
    Path(name): Path<String>,
    form: Result<SafeForm<Fields>, NotSafe>,
) -> Result<Response, NotSafe> {
    let reader = Reader {
        state: &state,
        me: &me,
        languages: &languages,
    };
    let refused = NotSafe::Refused;
    let name = ScriptName::parse(&name).map_err(|_| refused(Problem::not_found()))?;
    let script = reader.find(&name).await.map_err(refused)?;
    let (outcome, fields) = match form {
        Ok(form) => (
            start(reader, &script, &form, me.origin(arrival)).await,
            form.value,
        ),
        Err(NotSafe::Stale(fields)) => (Err(Refusal::stale()), fields),
        Err(other) => return Err(other),
    };
    match outcome {
        Ok(response) => Ok(response),
        Err(Refusal::Failed(problem)) => Err(refused(problem)),
        Err(Refusal::Again(again)) => reader
            .show_again(&script, again, &fields)
            .await
            .map_err(refused),
    }
}

/// Why there is no run.
enum Refusal {
    /// The form is shown again.
    Again(Again),
    /// Another page.
    Failed(Problem),
}

/// A form that is shown again, with what was entered but its secrets.
struct Again {
    status: StatusCode,
    notice: String,
    errors: Vec<ArgError>,
    /// The question was not answered.
    ask: bool,
    /// When sending it again may help.
    retry: Option<HeaderValue>,
}

impl Again {
    fn new(status: StatusCode, notice: impl Into<String>) -> Self {
        Self {
            status,
            notice: notice.into(),
            errors: Vec::new(),
            ask: false,
            retry: None,
        }
    }
}

impl Refusal {
    fn stale() -> Self {
        let notice = "This page was open for too long, or was sent already, so nothing was \
            started. Your entries are still here: look at them and press Run again.";
        Self::Again(Again::new(StatusCode::FORBIDDEN, notice))
    }

    fn unfit(errors: Vec<ArgError>) -> Self {
        let again = Again::new(StatusCode::UNPROCESSABLE_ENTITY, notice(&errors));
        Self::Again(Again { errors, ..again })
    }

    fn unconfirmed() -> Self {
        let notice = "This script wants to be confirmed. Nothing was started yet.";
        Self::Again(Again {
            ask: true,
            ..Again::new(StatusCode::UNPROCESSABLE_ENTITY, notice)
        })
    }
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        let text = setup::sentence(&error.to_string());
        let (status, retry) = match error {
            StartError::Disabled(_) | StartError::OtherArguments => (StatusCode::CONFLICT, None),
            StartError::QueueFull(_) => (StatusCode::TOO_MANY_REQUESTS, Some(SOON)),
            StartError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, Some(SOON)),
            StartError::Store(error) => return Self::Failed(error.into()),
        };
        Self::Again(Again {
            retry,
            ..Again::new(status, text)
        })
    }
}

async fn start(
    reader: Reader<'_>,
    script: &Arc<Script>,
    form: &SafeForm<Fields>,
    by: Origin,
) -> Result<Response, Refusal> {
    let app = &reader.state.app;
    let permit = reader.may_run(script)?;
    let given = given::given(script, &form.value);
    let checked = app.check_args(script, given).await;
    let args = checked.map_err(Refusal::unfit)?;
    if script.confirm.is_some() && form.value.text(CONFIRM_FIELD) != "yes" {
        return Err(Refusal::unconfirmed());
    }
    let accepted = app.start_run(permit, args, Some(form.key), by).await?;
    app.csrf()
        .started(&form.session, &form.key, accepted.run.id);
    Ok(Redirect::to(&paths::run(accepted.run.id)).into_response())
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

impl<'a> Reader<'a> {
    /// A script that this user may see; another one does not exist.
    async fn find(self, name: &ScriptName) -> Result<Arc<Script>, Problem> {
        let catalog = self.state.app.catalog().await;
        let script = catalog.get(name).cloned().ok_or_else(Problem::not_found)?;
        self.may_view(&script)?;
        Ok(script)
    }

    fn may_view(self, script: &'a Script) -> Result<MayView<'a>, Problem> {
        may_view(&self.me.0.user, script, &self.state.app.grants())
            .map_err(|_| Problem::not_found())
    }

    fn may_run(self, script: &'a Arc<Script>) -> Result<MayRun<'a>, Refusal> {
        may_run(&self.me.0.user, script, &self.state.app.grants()).map_err(|_| {
            Refusal::Failed(Problem::forbidden(
                "You may see this script, but not run it.",
            ))
        })
    }

    /// To admins, a script whose definition is broken says why.
    async fn broken(self, name: &ScriptName) -> Option<Response> {
        let is_admin = self.state.app.administers(&self.me.0.user).is_ok();
        let catalog = self.state.app.catalog().await;
        let is_broken = catalog
            .broken()
            .iter()
            .any(|broken| broken.name.as_deref() == Some(name.as_str()));
        if !is_admin || !is_broken {
            return None;
        }
        Some(super::health::page(self.state, self.me, Some(name)).await)
    }

    async fn show(
        self,
        script: &Arc<Script>,
        status: StatusCode,
        said: &Said<'_>,
    ) -> Result<Response, Problem> {
        let app = &self.state.app;
        let filter = RunsFilter {
            script: Some(script.name.clone()),
            user: Some(self.me.0.user.name.clone()),
            limit: 5,
            ..RunsFilter::default()
        };
        let permit = self.may_view(script)?;
        let found = Found {
            paths: view::paths(script).await,
            docs: app.docs(permit).await,
            last: app.runs(&self.me.0.user, filter).await?.items,
        };
        let page = view::page(self, script, said, &found);
        Ok(super::page_in_language(status, &page))
    }

    async fn show_again(
        self,
        script: &Arc<Script>,
        again: Again,
        fields: &Fields,
    ) -> Result<Response, Problem> {
        let said = Said {
            fields: Some(fields),
            sent: true,
            notice: Some(again.notice),
            errors: again.errors,
            ask_again: again.ask,
        };
        let mut response = self.show(script, again.status, &said).await?;
        if let Some(after) = again.retry {
            response.headers_mut().insert(RETRY_AFTER, after);
        }
        Ok(response)
    }
}
