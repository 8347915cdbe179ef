//! What is wrong right now, for admins: definitions that are broken, and how much runs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stagedoor_catalog::{Problem, harmless_text};
use stagedoor_domain::name::ScriptName;

use super::shell::{Here, Shell};
use crate::session::Me;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "health.html")]
pub(super) struct HealthPage {
    pub shell: Shell,
    /// Set when somebody asked for this one broken script.
    pub only: Option<String>,
    pub running: usize,
    pub waiting: usize,
    pub scripts: usize,
    /// Kinds of what browsers reported.
    pub reports: usize,
    /// Blocks of sign-ins that run.
    pub blocked: usize,
    pub broken: Vec<BrokenView>,
}

pub(super) struct BrokenView {
    pub title: String,
    pub problems: Vec<ProblemView>,
}

pub(super) struct ProblemView {
    pub place: String,
    pub message: String,
    /// The line and, below it, a caret where it is wrong.
    pub source: String,
    pub mend: Option<String>,
}

/// `GET /admin/health`
pub(crate) async fn show(State(state): State<AppState>, me: Me) -> Response {
    page(&state, &me, None).await
}

/// The page, for one broken script or for all.
pub(super) async fn page(state: &AppState, me: &Me, only: Option<&ScriptName>) -> Response {
    let catalog = state.app.catalog().await;
    let (running, waiting) = state.app.load();
    let broken = catalog
        .broken()
        .iter()
        .filter(|broken| only.is_none_or(|only| broken.name.as_deref() == Some(only.as_str())))
        .map(|broken| BrokenView {
            title: harmless_text(broken.name.as_ref().unwrap_or(&broken.file)),
            problems: broken.problems.iter().map(problem_view).collect(),
        })
        .collect();
    let page = HealthPage {
        shell: Shell::of(state, me, Here::Admin),
        only: only.map(ToString::to_string),
        running,
        waiting,
        scripts: catalog.scripts().count(),
        reports: state.policy_reports.count(),
        blocked: state.app.count_blocked().await,
        broken,
    };
    super::page(StatusCode::OK, &page)
}

fn problem_view(problem: &Problem) -> ProblemView {
    let (place, source) = match problem.line {
        // The file as a whole.
        0 => (harmless_text(&problem.file), String::new()),
        line => {
            let file = harmless_text(&problem.file);
            let place = format!("{file}:{line}:{}", problem.column);
            // As on a terminal: after a line that says what is wrong stand the source and a caret.
            let printed = problem.to_string();
            let shown: Vec<&str> = printed.lines().skip(1).take(2).collect();
            (place, shown.join("\n"))
        }
    };
    ProblemView {
        place,
        message: harmless_text(&problem.message),
        source,
        mend: problem
            .mend
            .as_deref()
            .map(|mend| super::setup::sentence(&harmless_text(mend))),
    }
}
