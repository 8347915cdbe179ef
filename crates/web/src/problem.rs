//! The one boundary from what went wrong to an HTTP answer.
//!
//! A handler returns a [`Problem`]; [`render`] turns it into problem details (RFC 9457) below
//! `/api` and into a page elsewhere, and logs the cause of a 5xx once, with the id that is shown.

mod answer;
mod causes;

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

pub(crate) use answer::{Now, render};

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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.headers_mut().extend(self.0.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}
