//! The one boundary from what went wrong to an HTTP answer.
//!
//! A handler returns a [`Problem`]; [`render`] turns it into problem details (RFC 9457) below
//! `/api` and into a page elsewhere, and logs the cause of a 5xx once, with the id that is shown.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use stagedoor_app::throttle::BearerError;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::StoreError;

use crate::base_path::BasePath;
use crate::pages;

/// When a full queue may have room again, or a new server answers, in seconds.
pub(crate) const SOON: HeaderValue = HeaderValue::from_static("5");
/// When a disk may have been looked after, in seconds.
pub(crate) const LATER: HeaderValue = HeaderValue::from_static("30");

/// What is wrong with one argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// Which, as the client named it.
    pub param: Option<String>,
    /// What, and how to mend it.
    pub message: String,
}

/// A refusal or failure on its way to the client. Small, for it stands in many results.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Said>);

#[derive(Debug, Clone)]
struct Said {
    status: StatusCode,
    code: Option<&'static str>,
    detail: String,
    errors: Vec<FieldError>,
    headers: HeaderMap,
    /// For the log.
    cause: Option<String>,
    /// Whoever asked may see the cause too.
    shows_cause: bool,
}

impl Problem {
    /// `detail` is shown: it says what is wrong and what to do.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Said {
            status,
            code: None,
            detail: detail.into(),
            errors: Vec::new(),
            headers: HeaderMap::new(),
            cause: None,
            shows_cause: false,
        }))
    }

    /// 404: there is no such thing, or not for this user.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is nothing here, or not for you.",
        )
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 401: the session ended while its request was under way.
    pub fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "You were signed out meanwhile. Nothing was changed; sign in again.",
        )
    }

    /// 413.
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request is too large; at most 1 MiB is taken.",
        )
    }

    /// 500; the cause goes to the log, not to the client.
    pub fn internal(cause: impl Display) -> Self {
        let detail = "Something went wrong on this server.";
        Self::unavailable(StatusCode::INTERNAL_SERVER_ERROR, detail, cause)
    }

    /// 503 or 507 with a text that is shown and a cause that is logged.
    pub fn unavailable(status: StatusCode, detail: impl Into<String>, cause: impl Display) -> Self {
        Self::new(status, detail).with_cause(cause)
    }

    /// A word that programs can tell this problem by.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    /// What is wrong with which argument.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// What the log says in place of what the client is told.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// A header of the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The word that programs can tell it by.
    pub fn code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// Why, for the log.
    pub fn reason(&self) -> &str {
        self.0.cause.as_deref().unwrap_or(&self.0.detail)
    }

    /// What is wrong and what to do.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What happened inside, for one who may see it.
    pub fn shown_cause(&self) -> Option<&str> {
        self.0.cause.as_deref().filter(|_| self.0.shows_cause)
    }
}

/// The cause of this failure, if it is one, is to be shown.
pub(crate) fn show_cause(response: &mut Response) {
    if let Some(problem) = response.extensions_mut().get_mut::<Problem>() {
        problem.0.shows_cause = true;
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::unavailable(
                StatusCode::INSUFFICIENT_STORAGE,
                "The disk of this server is full or read-only. Nothing was changed. Try again once \
                 whoever runs this server has made room on it.",
                error,
            )
            .with_header(RETRY_AFTER, LATER),
            StoreError::Busy => Self::unavailable(
                StatusCode::SERVICE_UNAVAILABLE,
                "This server is busy. Nothing was changed; try again in a moment.",
                error,
            )
            .with_header(RETRY_AFTER, SOON),
            failing @ StoreError::Failing(_) => Self::unavailable(
                StatusCode::SERVICE_UNAVAILABLE,
                "The disk or the memory of this server fails at the moment. Nothing was changed. Try \
                 again in a while; if it stays so, tell whoever runs this server.",
                with_causes(&failing),
            )
            .with_header(RETRY_AFTER, LATER),
            broken @ StoreError::Broken(_) => Self::internal(with_causes(&broken)),
        }
    }
}

impl From<BearerError> for Problem {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Blocked(blocked) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong tokens came from this address. Nothing was looked at; try again \
                 later with one that is good.",
            )
            .with_code("blocked")
            .with_header(RETRY_AFTER, HeaderValue::from(blocked.seconds())),
            BearerError::Store(error) => error.into(),
        }
    }
}

/// Output that cannot be read. What the system refuses (no descriptor or memory is left, the disk
/// fails) may work in a while; anything else is a fault of ours.
impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        if error.raw_os_error().is_none() {
            return Self::internal(error);
        }
        Self::unavailable(
            StatusCode::SERVICE_UNAVAILABLE,
            "This server cannot read its files at the moment. Try again in a while; if it stays so, \
             tell whoever runs this server.",
            error,
        )
        .with_header(RETRY_AFTER, SOON)
    }
}

/// The whole chain, for the log.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.headers_mut().extend(self.0.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(problem: impl Into<Problem>) -> (u16, Option<String>) {
        let said = problem.into().0;
        let retry = said.headers.get(RETRY_AFTER);
        let retry = retry.map(|value| value.to_str().expect("digits").to_owned());
        (said.status.as_u16(), retry)
    }

    #[test]
    fn what_may_work_later_says_when_and_what_is_broken_does_not() {
        let cause = || Arc::new(std::io::Error::from_raw_os_error(5));
        assert_eq!(refused(StoreError::Full), (507, Some("30".to_owned())));
        assert_eq!(refused(StoreError::Busy), (503, Some("5".to_owned())));
        let failing = StoreError::Failing(cause());
        assert_eq!(refused(failing), (503, Some("30".to_owned())));
        assert_eq!(refused(StoreError::Broken(cause())), (500, None));
        let system = std::io::Error::from_raw_os_error(24);
        assert_eq!(refused(system), (503, Some("5".to_owned())));
        let ours = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        assert_eq!(refused(ours), (500, None));
    }
}
