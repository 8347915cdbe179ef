//! Who answers the requests of a listener.

use axum::body::Body;
use axum::response::Response;
use http::Request;

use super::reception::Reception;
use super::redirect::Redirect;

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
