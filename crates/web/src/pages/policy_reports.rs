//! What browsers reported of the policy that our pages come with, for admins.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stagedoor_domain::time::Timestamp;

use super::said::When;
use super::shell::{Here, Shell};
use crate::policy_reports::Group;
use crate::session::Me;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "policy_reports.html")]
pub(super) struct PolicyReportsPage {
    pub shell: Shell,
    pub rows: Vec<ReportRow>,
    /// Groups that had to make room for others.
    pub dropped: u64,
}

pub(super) struct ReportRow {
    /// What a page tried, in words.
    pub tried: &'static str,
    pub directive: String,
    pub blocked: String,
    pub page: String,
    pub source: String,
    pub count: u32,
    pub first: When,
    pub last: When,
}

/// `GET /admin/csp-reports`
pub(crate) async fn show(State(state): State<AppState>, me: Me) -> Response {
    let now = state.app.clock().now();
    let kept = state.policy_reports.kept();
    let page = PolicyReportsPage {
        shell: Shell::of(&state, &me, Here::Admin),
        rows: kept
            .groups
            .into_iter()
            .map(|group| row(group, now))
            .collect(),
        dropped: kept.dropped,
    };
    super::page(StatusCode::OK, &page)
}

fn row(group: Group, now: Timestamp) -> ReportRow {
    ReportRow {
        tried: tried(&group.violation.directive),
        directive: group.violation.directive,
        blocked: group.violation.blocked,
        page: group.violation.page,
        source: group.violation.source,
        count: group.count,
        first: When::new(group.first, now),
        last: When::new(group.last, now),
    }
}

/// The directive in words.
fn tried(directive: &str) -> &'static str {
    match directive {
        "script-src" | "script-src-elem" | "script-src-attr" | "worker-src" => "Run a script",
        "style-src" | "style-src-elem" | "style-src-attr" => "Use a style",
        "img-src" => "Show a picture",
        "font-src" => "Use a font",
        "connect-src" => "Talk to an address",
        "frame-src" | "child-src" => "Show another page inside",
        "frame-ancestors" => "Be shown inside another page",
        "form-action" => "Send a form",
        "base-uri" => "Change what addresses mean",
        "require-trusted-types-for" | "trusted-types" => "Add a script or markup",
        _ => "Something else",
    }
}
