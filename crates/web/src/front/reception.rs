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
use tower::ServiceExt as _;

use super::LARGEST_BODY;
use super::gate::{self, Hosts};
use crate::base_path::BasePath;
use crate::headers;
use crate::problem::{self, Now};

/// The router and what stands around it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reception {
    router: Router,
    base: BasePath,
    hosts: Arc<Hosts>,
    now: Now,
}

impl Reception {
    /// `now` names failed requests.
    pub fn new(router: Router, base: BasePath, hosts: Hosts, now: Now) -> Self {
        Self {
            router: router.layer(DefaultBodyLimit::max(LARGEST_BODY)),
            base,
            hosts: Arc::new(hosts),
            now,
        }
    }

    /// The gate, the router, and for whatever they gave: a body of ours for refusals and
    /// failures, and the security headers.
    pub async fn answer(&self, mut request: Request<Body>) -> Response {
        let began = (self.now)();
        let outside = self.base.enter(&mut request);
        let is_api = request.uri().path().starts_with("/api/");
        let response = match gate::check(&self.hosts, request.uri(), request.headers()) {
            Ok(()) => match outside {
                None => self.route(request).await,
                Some(response) => response,
            },
            Err(problem) => problem.into_response(),
        };
        let mut response = problem::render(response, is_api, &self.base, began);
        self.base.leave(&mut response);
        headers::apply(&mut response);
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
