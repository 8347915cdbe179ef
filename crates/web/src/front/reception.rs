//! What happens to a request before the router sees it, and to its answer afterwards.
//!
//! One function, not a layer of the router for each step: around each route, layers are cloned and
//! boxed for every request, which together costs more than what they do.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use tower::ServiceExt as _;

use super::LARGEST_BODY;
use super::gate::{self, Hosts};
use crate::headers;
use crate::problem::{self, Now};

/// RFC 9110, section 8.6; the router adds one to the answer to HEAD.
fn has_no_length(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The router and what stands around it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reception {
    router: Router,
    hosts: Arc<Hosts>,
    now: Now,
}

impl Reception {
    /// `now` names failed requests.
    pub fn new(router: Router, hosts: Hosts, now: Now) -> Self {
        Self {
            router: router.layer(DefaultBodyLimit::max(LARGEST_BODY)),
            hosts: Arc::new(hosts),
            now,
        }
    }

    /// The gate, the router, and for whatever they gave: a body of ours for refusals and
    /// failures, and the security headers.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let began = (self.now)();
        let is_api = request.uri().path().starts_with("/api/");
        let response = match gate::check(&self.hosts, request.uri(), request.headers()) {
            Ok(()) => self.route(request).await,
            Err(problem) => problem.into_response(),
        };
        let mut response = problem::render(response, is_api, began);
        headers::apply(&mut response);
        if has_no_length(response.status()) {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        response
    }

    /// A handler that panics fails this one request.
    async fn route(&self, request: Request<Body>) -> Response {
        let routed = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        match routed.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(panic) => gate::panicked(panic),
        }
    }
}
