//! A run: its output and a search in it, its outcome, and the button that stops it.

pub(super) mod html;
pub(super) mod output;
pub(super) mod search;

use std::io;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use stagedoor_app::find::FindError;
use stagedoor_app::stop_run::StopError;
use stagedoor_app::view::RunView;
use stagedoor_domain::id::RunId;
use stagedoor_domain::run::State as RunState;
use stagedoor_domain::sandbox::{Enforced, Level, Measure};
use stagedoor_domain::script::OutputFormat;
use stagedoor_output::View;

use super::said::{self, Chip, When};
use super::shell::{Here, Shell};
use super::{paths, runs};
use crate::assets;
use crate::headers::HasFrame;
use crate::language::{Languages, Text};
use crate::output::{format, look};
use crate::problem::Problem;
use crate::safe_form::SafeForm;
use crate::session::{Arrival, Me};
use crate::state::AppState;
use html::{Framed, Sizes};
use output::Row;
use search::{Find, Found};

#[derive(Template)]
#[template(path = "run.html")]
pub(super) struct RunPage {
    pub shell: Shell,
    pub run_script: assets::Script,
    pub id: String,
    pub title: Text,
    pub script: String,
    pub script_href: Option<String>,
    pub again: Option<String>,
    pub chip: Chip,
    pub sentence: String,
    pub reason: Option<String>,
    pub state: &'static str,
    pub live: bool,
    pub may_stop: bool,
    pub now_ms: i64,
    pub started_ms: Option<i64>,
    pub took: String,
    pub user: String,
    pub created: When,
    pub started: Option<When>,
    pub ended: Option<When>,
    pub arguments: Vec<(String, String)>,
    pub leftovers: u32,
    /// The account that its script ran as.
    pub account: Option<String>,
    pub sandbox: Option<HeldBy>,
    pub framed: Framed,
    pub rows: Vec<Row>,
    /// Lines above the first one that is shown.
    pub above: u64,
    pub output_error: bool,
    pub stdout: String,
    pub stderr: String,
    /// What is looked for in the output, and the lines that have it.
    pub query: String,
    pub found: Option<Found>,
}

/// What its script was held by, in sentences.
pub(super) struct HeldBy {
    pub level: &'static str,
    pub measures: Vec<&'static str>,
    /// Something that its level has could not be had.
    pub lacks_some: bool,
    /// What did not hold, and why.
    pub missing: Vec<(&'static str, String)>,
    /// Why it may be another file than the one that was checked, where it may.
    pub unpinned: Option<String>,
}

impl HeldBy {
    fn of(enforced: &Enforced) -> Self {
        let (unpinned, missing): (Vec<_>, Vec<_>) = enforced
            .missing
            .iter()
            .partition(|(measure, _)| *measure == Measure::Pinned);
        Self {
            level: enforced.level.word(),
            lacks_some: enforced.level > Level::None && !missing.is_empty(),
            unpinned: unpinned.first().map(|(_, why)| why.clone()),
            measures: enforced.held.iter().map(|measure| measure.says()).collect(),
            missing: missing
                .into_iter()
                .map(|(measure, why)| (measure.says(), why.clone()))
                .collect(),
        }
    }
}

/// What was found out for the page.
struct About<'a> {
    run: &'a RunView,
    title: Text,
    query: String,
    /// None when it could not be read.
    output: Option<Output>,
    may_stop: bool,
    /// There is a script of that name still.
    exists: bool,
    format: OutputFormat,
}

/// What was read of the output.
#[derive(Default)]
struct Output {
    shown: output::Shown,
    found: Option<Found>,
    sizes: Sizes,
}

/// An id in a path; anything else is 404.
fn parse(id: &str) -> Result<RunId, Problem> {
    RunId::parse(id).ok_or_else(Problem::not_found)
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Absent => Self::not_found(),
            FindError::Store(error) => error.into(),
        }
    }
}

/// `GET /runs/{id}`
pub(crate) async fn show(
    State(state): State<AppState>,
    me: Me,
    languages: Languages,
    Path(id): Path<String>,
    find: Result<Query<Find>, QueryRejection>,
) -> Result<Response, Problem> {
    let id = parse(&id)?;
    let user = &me.0.user;
    let find = find.map(|Query(find)| find).unwrap_or_default();
    let query = find.q.clone();
    let looked = look(&state.app, user, id, move |view| read(&view, id, &find));
    let (run, read) = looked.await?;
    if let Err(error) = &read {
        tracing::warn!(run = %id, %error, "could not read the output");
    }
    let scripts = state.app.catalog().await;
    let about = About {
        run: &run,
        title: runs::title(&run, &languages, &scripts),
        exists: scripts.get(&run.script).is_some(),
        format: format(&scripts, &run),
        query,
        output: read.ok(),
        may_stop: state.app.stoppable(user, id).await.is_ok(),
    };
    let page = page(&state, &me, about);
    let mut response = super::page_in_language(StatusCode::OK, &page);
    if page.framed.now().is_some() {
        response.extensions_mut().insert(HasFrame);
    }
    Ok(response)
}

/// May block on the disk.
fn read(view: &View, id: RunId, find: &Find) -> io::Result<Output> {
    Ok(Output {
        shown: output::last_lines(view)?,
        found: find.look(view, id)?,
        sizes: Sizes::of(view),
    })
}

/// `POST /runs/{id}/stop`; stopping what has ended, or twice, changes nothing.
pub(crate) async fn stop(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(id): Path<String>,
    form: SafeForm<()>,
) -> Result<Response, Problem> {
    let SafeForm { value: (), .. } = form;
    let id = parse(&id)?;
    let user = &me.0.user;
    let (permit, _) = state.app.stoppable(user, id).await?;
    match state.app.stop_run(permit, id, &me.origin(arrival)).await {
        // The page says what became of it. What was not written yet was told all the same.
        Ok(()) | Err(StopError::Ended | StopError::NotOnDisk) => {}
    }
    // Who may stop another's run need not be allowed to read it: for them its page is not there.
    let page = match state.app.readable(user, id).await {
        Ok(_) => paths::run(id),
        Err(_) => paths::RUNS.to_owned(),
    };
    Ok(Redirect::to(&page).into_response())
}

fn page(state: &AppState, me: &Me, about: About<'_>) -> RunPage {
    let About {
        run,
        output,
        exists,
        format,
        ..
    } = about;
    let now = state.app.clock().now();
    let live = !run.is_ended();
    let output_error = output.is_none();
    let Output {
        shown,
        found,
        sizes,
    } = output.unwrap_or_default();
    RunPage {
        shell: Shell::of(state, me, Here::Runs),
        run_script: assets::script("run.js"),
        id: run.id.to_string(),
        title: about.title,
        script: run.script.to_string(),
        script_href: exists.then(|| paths::script(&run.script)),
        again: exists.then(|| again(run)),
        chip: Chip::of(run),
        sentence: said::sentence(run),
        reason: run.reason.clone(),
        state: run.state.word(),
        live,
        may_stop: about.may_stop && live && run.state != RunState::Stopping,
        now_ms: now.millis(),
        started_ms: run
            .started_at
            .map(stagedoor_domain::time::Timestamp::millis),
        took: said::took(run, now),
        user: run.user.to_string(),
        created: When::new(run.created_at, now),
        started: run.started_at.map(|at| When::new(at, now)),
        ended: run.ended_at.map(|at| When::new(at, now)),
        arguments: said::arguments(run),
        leftovers: run.leftovers,
        account: run.account().map(str::to_owned),
        sandbox: run.enforced.as_deref().map(HeldBy::of),
        framed: Framed::of(run, format, sizes, found.is_some()),
        rows: shown.rows,
        above: shown.above,
        output_error,
        stdout: paths::output(run.id, "stdout"),
        stderr: paths::output(run.id, "stderr"),
        query: about.query,
        found,
    }
}

/// The form with these arguments filled in. Secrets are not in history, so they are not there.
fn again(run: &RunView) -> String {
    let mut pairs = Vec::new();
    for (name, value) in &run.args {
        match value {
            serde_json::Value::Array(items) => {
                pairs.extend(
                    items
                        .iter()
                        .filter_map(|i| i.as_str())
                        .map(|i| (name.as_str(), i.to_owned())),
                );
            }
            serde_json::Value::String(text) => pairs.push((name, text.clone())),
            other => pairs.push((name, other.to_string())),
        }
    }
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let address = paths::query(&paths::script(&run.script), &pairs);
    // A longer address would not pass the gate.
    if address.len() > 4096 {
        paths::script(&run.script)
    } else {
        address
    }
}
