//! The listeners of `tls.redirect_listen`: they speak plain HTTP, and say nothing but where HTTPS
//! is.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, LOCATION};
use http::{Method, Request, StatusCode};
use stagedoor_app::app::App;
use stagedoor_config::Hsts;

use super::exposed;
use crate::base_path::BasePath;
use crate::headers;
use crate::problem::{self, Problem};

/// What such a listener answers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Redirect(Arc<Inner>);

struct Inner {
    /// `https://host` or `https://host:port`: never what the client calls us.
    site: String,
    app: App,
    /// Below it stands the API.
    base: BasePath,
    headers: headers::Sets,
}

/// The configured host over HTTPS, without a slash at the end.
pub(super) fn site(host: &str, port: u16) -> String {
    match port {
        443 => format!("https://{host}"),
        other => format!("https://{host}:{other}"),
    }
}

impl Redirect {
    /// To this host; `port` is where HTTPS is.
    pub fn new(host: &str, port: u16, base_path: &str, app: App) -> Self {
        Self(Arc::new(Inner {
            site: site(host, port),
            app,
            base: BasePath::new(base_path),
            headers: headers::Sets::new(Hsts::Off, base_path),
        }))
    }

    /// Leads a browser to HTTPS and refuses a program, so that the mistake shows. The answer does
    /// not tell whether a token that came is good.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        self.flag(request.headers()).await;
        let began = self.0.app.clock().now();
        let answer = match self.target(&request) {
            Some(target) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, target)]).into_response(),
            None => Problem::forbidden(format!(
                "HTTPS is needed here: {}. What this request carried crossed the network in the \
                 clear; if a token was among it, revoke that token and make a new one.",
                self.0.site
            ))
            .with_code("https_needed")
            .into_response(),
        };
        let mut response = problem::render(answer, true, &self.0.base, began);
        self.0.headers.apply(&mut response, false);
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        response
    }

    /// The security headers as lines of text, for answers that are written below HTTP.
    pub fn header_lines(&self) -> String {
        self.0.headers.as_text(false)
    }

    /// Where this leads; none when it is not a page that a browser goes to.
    fn target(&self, request: &Request<Body>) -> Option<HeaderValue> {
        let uri = request.uri();
        let below = uri.path().strip_prefix(self.0.base.as_str());
        let is_api = below.unwrap_or(uri.path()).starts_with("/api/");
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let mode = request.headers().get("sec-fetch-mode");
        let is_page = mode.is_none_or(|mode| mode == "navigate");
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if is_api || !is_read || !is_page || !path.starts_with('/') {
            return None;
        }
        HeaderValue::from_str(&format!("{}{path}", self.0.site)).ok()
    }

    async fn flag(&self, headers: &HeaderMap) {
        for line in headers.get_all(AUTHORIZATION) {
            if let Some(token) = line.to_str().ok().and_then(exposed::token) {
                self.0.app.expose_token(token).await;
                return;
            }
        }
    }
}
