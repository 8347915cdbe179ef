//! The path below which everything stands, for a proxy that shares one host among programs.
//!
//! Inside this crate addresses are written as if there were none. The reception takes it off each
//! request and puts it before each `Location`; templates write `{{ shell.base }}` before each address,
//! and page scripts find it in `<html data-base>`.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::LOCATION;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};

use crate::pages::paths;
use crate::problem::Problem;

/// Empty, or `/one/two` without a slash at the end. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct BasePath(Arc<str>);

impl BasePath {
    /// `path` was checked with the settings.
    pub fn new(path: &str) -> Self {
        Self(path.into())
    }

    /// As templates put it before an address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a cookie is sent to.
    pub fn of_cookies(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// Takes it off a request's path, or answers a request that is not below it.
    /// `/door` leads to `/door/`, the one spelling of the catalog.
    pub fn enter(&self, request: &mut Request) -> Option<Response> {
        if self.0.is_empty() {
            return None;
        }
        let within = match request.uri().path().strip_prefix(&*self.0) {
            Some("") => return Some(Redirect::permanent(paths::CATALOG).into_response()),
            Some(path) if path.starts_with('/') => with_path(request.uri(), path),
            _ => None,
        };
        match within {
            Some(uri) => {
                *request.uri_mut() = uri;
                None
            }
            None => Some(Problem::not_found().into_response()),
        }
    }

    /// Puts it before an answer's `Location`, which is one of our own paths.
    pub fn leave(&self, response: &mut Response) {
        if self.0.is_empty() {
            return;
        }
        if let Some(location) = response.headers_mut().get_mut(LOCATION)
            && location.as_bytes().starts_with(b"/")
            && let Ok(whole) =
                HeaderValue::from_bytes(&[self.0.as_bytes(), location.as_bytes()].concat())
        {
            *location = whole;
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The same address with another path and its own query.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn entered(base: &str, uri: &str) -> Result<String, u16> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().expect("an address");
        match BasePath::new(base).enter(&mut request) {
            None => Ok(request.uri().to_string()),
            Some(response) => Err(response.status().as_u16()),
        }
    }

    fn left(base: &str, location: &'static str) -> String {
        let mut response = Response::new(Body::empty());
        let value = HeaderValue::from_static(location);
        response.headers_mut().insert(LOCATION, value);
        BasePath::new(base).leave(&mut response);
        let location = response.headers().get(LOCATION).expect("it stays");
        location.to_str().expect("text").to_owned()
    }

    #[test]
    fn what_is_below_it_is_seen_without_it() {
        for (uri, within) in [
            ("/door/", "/"),
            ("/door/?q=%2F", "/?q=%2F"),
            ("/door/runs?a=b&c", "/runs?a=b&c"),
            ("/door/door/x", "/door/x"),
            ("/door//runs", "//runs"),
            ("http://a.example:8/door/runs", "http://a.example:8/runs"),
        ] {
            assert_eq!(entered("/door", uri).as_deref(), Ok(within), "{uri}");
        }
        assert_eq!(entered("/a/b", "/a/b/c").as_deref(), Ok("/c"));
    }

    #[test]
    fn what_is_not_below_it_does_not_exist() {
        for uri in [
            "/",
            "/runs",
            "/doors",
            "/doors/runs",
            "/Door/runs",
            "//door/runs",
            "/door.x",
            "/door%2Fruns",
            "/%64oor/runs",
            "*",
        ] {
            assert_eq!(entered("/door", uri), Err(404), "{uri}");
        }
        assert_eq!(entered("/door", "/door"), Err(308));
        assert_eq!(entered("/door", "/door?q=x"), Err(308));
    }

    #[test]
    fn it_stands_before_each_location_of_ours() {
        assert_eq!(left("/door", "/"), "/door/");
        assert_eq!(left("/door", "/runs?a=b"), "/door/runs?a=b");
        assert_eq!(left("/door", "https://a.example/"), "https://a.example/");
    }

    #[test]
    fn where_there_is_none_nothing_changes() {
        assert_eq!(entered("", "/runs?a").as_deref(), Ok("/runs?a"));
        assert_eq!(entered("", "/").as_deref(), Ok("/"));
        assert_eq!(left("", "/runs"), "/runs");
        assert_eq!(BasePath::new("").of_cookies(), "/");
        assert_eq!(BasePath::new("/door").of_cookies(), "/door");
    }
}
