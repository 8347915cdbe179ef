//! The answer that a [`Problem`] becomes: problem details below `/api`, a page elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::response::{IntoResponse as _, Response};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use stagedoor_domain::time::Timestamp;

use super::{FieldError, Problem};
use crate::base_path::BasePath;
use crate::pages;

/// RFC 9457, section 3.
#[derive(Serialize)]
struct Details<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

/// The time, for the names of failed requests.
pub(crate) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Gives every refusal its body, the router's own 404 and 405 and the panics of handlers too.
/// `began` is when the request came.
pub(crate) fn render(
    response: Response,
    is_api: bool,
    base: &BasePath,
    began: Timestamp,
) -> Response {
    let Some(problem) = problem_of(&response) else {
        return response;
    };
    let id = problem
        .0
        .status
        .is_server_error()
        .then(|| request_id(began.millis()));
    if let Some(id) = &id {
        let cause = problem.reason();
        tracing::error!(
            request = id,
            status = problem.0.status.as_u16(),
            cause,
            "request failed"
        );
    }
    let mut answer = if is_api {
        details(&problem, id.as_deref())
    } else {
        pages::problem::page(base, &problem, id.as_deref())
    };
    // Allow, WWW-Authenticate, Retry-After and cookies stay; what describes the old body goes.
    for (name, value) in response.headers() {
        if !matches!(name.as_str(), "content-type" | "content-length") {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    answer
}

fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    let ours = response.headers().contains_key(CONTENT_TYPE)
        && response.extensions().get::<pages::Rendered>().is_some();
    let refused = status.is_client_error() || status.is_server_error();
    (refused && !ours && !has_problem_body(response))
        .then(|| Problem::new(status, say(status, response.headers())))
}

/// An API handler may have written its own problem details.
fn has_problem_body(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"))
}

fn say(status: StatusCode, headers: &HeaderMap) -> String {
    match status {
        StatusCode::NOT_FOUND => "There is nothing here, or not for you.".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => {
            match headers.get(ALLOW).and_then(|methods| methods.to_str().ok()) {
                Some(methods) => {
                    format!("This address does not take that method; it takes {methods}.")
                }
                None => "This address does not take that method.".to_owned(),
            }
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "The request's Content-Type is not one that this address takes.".to_owned()
        }
        _ => status
            .canonical_reason()
            .unwrap_or("The request was refused.")
            .to_owned(),
    }
}

fn details(problem: &Problem, id: Option<&str>) -> Response {
    let body = Details {
        r#type: "about:blank",
        title: problem.0.status.canonical_reason().unwrap_or("Refused"),
        status: problem.0.status.as_u16(),
        detail: &problem.0.detail,
        code: problem.0.code,
        errors: &problem.0.errors,
        request: id,
        cause: problem.shown_cause(),
    };
    let text = serde_json::to_string(&body).unwrap_or_default();
    let kind = HeaderValue::from_static("application/problem+json");
    (problem.0.status, [(CONTENT_TYPE, kind)], text).into_response()
}

/// Names one failed request in the log and on the page; unique while the server runs.
fn request_id(millis: i64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{millis:x}-{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
}
