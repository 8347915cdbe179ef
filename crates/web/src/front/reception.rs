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
use stagedoor_domain::time::Timestamp;
use tower::ServiceExt as _;

use super::body;
use super::client::{self, Proxies, Spoofs};
use super::gate::{self, Hosts};
use super::stripped::Stripped;
use super::{LARGEST_BODY, WebOptions, log};
use crate::base_path::BasePath;
use crate::headers;
use crate::problem::{self, Now, Problem};
use crate::session::Arrival;

/// RFC 9110, section 8.6; the router adds one to the answer to HEAD.
fn has_no_length(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The router and what stands around it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reception {
    router: Router,
    rules: Arc<Rules>,
    now: Now,
}

/// What the operator has set.
struct Rules {
    base: BasePath,
    hosts: Hosts,
    proxies: Option<Proxies>,
    /// Requests that look as if there were one all the same.
    unset: Spoofs,
    stripped: Stripped,
    headers: headers::Sets,
}

impl Reception {
    /// `now` names failed requests.
    pub fn new(router: Router, options: &WebOptions, now: Now) -> Self {
        let base = BasePath::new(&options.base_path);
        let rules = Rules {
            stripped: Stripped::new(base.clone(), options.proxy.is_some()),
            base,
            hosts: Hosts::new(&options.public_hosts),
            proxies: Proxies::new(options.proxy.as_ref()),
            unset: Spoofs::default(),
            headers: headers::Sets::new(options.hsts, &options.base_path),
        };
        Self {
            router: router.layer(DefaultBodyLimit::max(LARGEST_BODY)),
            rules: Arc::new(rules),
            now,
        }
    }

    /// The gate, the router, and for whatever they gave: a body of ours for refusals and
    /// failures, and the security headers.
    pub async fn answer(&self, mut request: Request<Body>) -> Response {
        let began = (self.now)();
        let outside = self.rules.base.enter(&mut request);
        let is_api = request.uri().path().starts_with("/api/");
        let admitted = self.admit(&mut request, began);
        let arrival = request.extensions().get::<Arrival>().copied();
        let is_secure = is_secure(arrival);
        let response = match admitted {
            Ok(()) => match outside {
                None => self.route(request).await,
                Some(response) => self.outside(&request, response),
            },
            Err(problem) => refused(arrival, problem),
        };
        if let Some(reason) = body::fault(&response) {
            tell(arrival, response.status(), reason);
        }
        self.dress(response, is_api, is_secure, began)
    }

    /// It is not below the base path.
    fn outside(&self, request: &Request<Body>, response: Response) -> Response {
        if response.status() == StatusCode::NOT_FOUND {
            let path = request.uri().path();
            self.rules.stripped.note(path, request.headers());
        }
        response
    }

    /// Refuses a request that was not even looked at.
    pub fn refuse(&self, mut request: Request<Body>, problem: Problem) -> Response {
        let began = (self.now)();
        let _ = self.rules.base.enter(&mut request);
        let is_api = request.uri().path().starts_with("/api/");
        let arrival = request.extensions().get::<Arrival>().copied();
        let response = refused(arrival, problem);
        self.dress(response, is_api, is_secure(arrival), began)
    }

    fn dress(
        &self,
        response: Response,
        is_api: bool,
        is_secure: bool,
        began: Timestamp,
    ) -> Response {
        let mut response = problem::render(response, is_api, &self.rules.base, began);
        self.rules.base.leave(&mut response);
        self.rules.headers.apply(&mut response, is_secure);
        if has_no_length(response.status()) {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        response
    }

    /// The security headers as lines of text.
    pub fn header_lines(&self, is_secure: bool) -> String {
        self.rules.headers.as_text(is_secure)
    }

    /// Tells the handlers who the client is, and passes the gate. In this order, so that a refusal
    /// goes out with the headers of the scheme by which the request came.
    fn admit(&self, request: &mut Request<Body>, now: Timestamp) -> Result<(), Problem> {
        if let Some(proxies) = &self.rules.proxies {
            let came = request.extensions().get::<Arrival>().copied();
            let came = came.ok_or_else(Arrival::missing)?;
            let arrival = proxies.arrival(came, request.headers(), request.uri().path(), now)?;
            request.extensions_mut().insert(arrival);
        } else if client::is_forwarded(request.headers())
            && let Some(came) = request.extensions().get::<Arrival>()
        {
            self.rules.unset.note_unset(came.peer, now);
        }
        gate::check(&self.rules.hosts, request.uri(), request.headers())
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

fn is_secure(arrival: Option<Arrival>) -> bool {
    arrival.is_some_and(|arrival| arrival.is_secure)
}

/// With a line in the log.
fn refused(arrival: Option<Arrival>, problem: Problem) -> Response {
    tell(arrival, problem.status(), problem.reason());
    problem.into_response()
}

fn tell(arrival: Option<Arrival>, status: StatusCode, reason: &str) {
    if let Some(arrival) = arrival {
        log::refused(arrival.peer, status, reason);
    }
}
