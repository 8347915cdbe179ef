//! A proxy that takes the base path off before it hands a request on: everything is 404 then, and
//! nothing shows why. The log says once what to change.

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;

use super::client::is_forwarded;
use crate::base_path::BasePath;
use crate::pages::paths;

/// Notices it.
#[derive(Debug)]
pub(super) struct Stripped {
    base: BasePath,
    is_behind_proxy: bool,
    is_told: AtomicBool,
}

impl Stripped {
    /// For a server below this path.
    pub fn new(base: BasePath, is_behind_proxy: bool) -> Self {
        Self {
            base,
            is_behind_proxy,
            is_told: AtomicBool::new(false),
        }
    }

    /// A request came for an address that is not below the base path.
    pub fn note(&self, path: &str, headers: &HeaderMap) {
        let came_through_proxy = self.is_behind_proxy || is_forwarded(headers);
        if came_through_proxy && is_ours(path) && !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                base_path = self.base.as_str(),
                "a request for one of our pages came through a proxy without `base_path` and was answered with 404; \
                 if the proxy takes it off, let it hand addresses on as they are (nginx: `proxy_pass` without a path, \
                 not even a slash)"
            );
        }
    }
}

/// What a browser asks for first, and programs always. Strangers ask for many other things.
fn is_ours(path: &str) -> bool {
    path == paths::CATALOG
        || path == "/login"
        || path.starts_with("/static/")
        || path.starts_with("/api/v1/")
}
