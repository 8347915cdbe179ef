//! Who answers the requests of a listener.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{Request, Uri};
use stagedoor_domain::time::Timestamp;

use super::reception::Reception;
use super::redirect::Redirect;
use crate::headers;
use crate::problem::{self, Problem};

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
}

/// The answer to a request that none of them shall see; no failure, so its time does not matter.
pub(super) fn refuse(problem: Problem, uri: &Uri) -> Response {
    let is_api = uri.path().starts_with("/api/");
    let began = Timestamp::default();
    let mut response = problem::render(problem.into_response(), is_api, began);
    headers::apply(&mut response);
    response
}
