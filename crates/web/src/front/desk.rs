//! Who answers the requests of a listener.

use axum::body::Body;
use axum::response::Response;
use http::Request;

use super::reception::Reception;
use super::redirect::Redirect;
use crate::problem::Problem;

/// Cheap to clone.
#[derive(Clone)]
pub(super) enum Desk {
    /// The whole of Stagedoor.
    Reception(Reception),
    /// Leads to HTTPS.
    Redirect(Redirect),
}

impl Desk {
    /// With the security headers, whatever the request.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        match self {
            Desk::Reception(reception) => reception.answer(request).await,
            Desk::Redirect(redirect) => redirect.answer(request).await,
        }
    }

    /// The security headers as lines of text, for answers that are written below HTTP.
    pub fn header_lines(&self, is_secure: bool) -> String {
        match self {
            Desk::Reception(reception) => reception.header_lines(is_secure),
            Desk::Redirect(redirect) => redirect.header_lines(),
        }
    }

    /// Refuses a request that was not even looked at, with the security headers too.
    pub async fn refuse(&self, request: Request<Body>, problem: Problem) -> Response {
        match self {
            Desk::Reception(reception) => reception.refuse(request, problem),
            // It refuses everything by itself.
            Desk::Redirect(redirect) => redirect.answer(request).await,
        }
    }
}
