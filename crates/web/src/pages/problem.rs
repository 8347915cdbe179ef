//! The page of a refusal or failure.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::shell::Shell;
use crate::base_path::BasePath;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "problem.html")]
pub(super) struct ProblemPage<'a> {
    pub shell: Shell,
    pub status: u16,
    pub title: &'a str,
    pub detail: &'a str,
    pub request: Option<&'a str>,
    pub cause: Option<&'a str>,
}

/// Says what is wrong, and for a failure of ours the id to look for in the log.
pub(crate) fn page(base: &BasePath, problem: &Problem, request: Option<&str>) -> Response {
    let status = problem.status();
    let template = ProblemPage {
        shell: Shell::outside(base, String::new()),
        status: status.as_u16(),
        title: title(status),
        detail: problem.detail(),
        request,
        cause: problem.shown_cause(),
    };
    super::plain_page(status, &template)
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "Nothing here",
        StatusCode::FORBIDDEN => "Refused",
        StatusCode::METHOD_NOT_ALLOWED => "Not that way",
        StatusCode::MISDIRECTED_REQUEST => "Wrong name",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::SERVICE_UNAVAILABLE => "Busy",
        StatusCode::INSUFFICIENT_STORAGE => "The disk is full",
        status if status.is_server_error() => "Something went wrong",
        _ => "That did not work",
    }
}
