//! Every route in one table: what does not stand here does not exist (rows P11, P19).
//! A route states its class of access and of protection against
//! cross-site requests, and `guard` keeps both: one that does not state them cannot be written
//! (rows W77, B27).

use std::collections::BTreeMap;

use axum::Router;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode, Uri};
use serde::Serialize;

use crate::guard::Guarded;
use crate::problem::Problem;
use crate::state::AppState;
use crate::{api, assets, pages, policy_reports};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Anyone.
    Public,
    /// Anyone; its form is bound to a session of somebody who is not signed in yet.
    PreSession,
    /// A signed-in user; others are led to the log-in page.
    SignedIn,
    /// The API: a session or a bearer token; others get 401.
    Bearer,
    /// The API as `Bearer`, for who may administer: a token needs `admin` in its scope. To others
    /// it does not exist.
    BearerAdmin,
    /// As `SignedIn`; a change asks for the password first, unless it was given not long ago.
    Confirmed,
    /// Somebody signed in who may administer; to others it does not exist.
    Admin,
    /// As `Admin`; a change asks for the password first, unless it was given not long ago.
    AdminConfirmed,
}

impl Access {
    /// Does it exist for admins alone?
    pub(crate) fn is_for_admins(self) -> bool {
        matches!(self, Self::Admin | Self::AdminConfirmed)
    }

    /// Does a change need a password that was given not long ago?
    pub(crate) fn asks_password(self) -> bool {
        matches!(self, Self::Confirmed | Self::AdminConfirmed)
    }
}

/// How a route is protected against cross-site requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CsrfClass {
    /// It changes nothing (GET and HEAD).
    Safe,
    /// A form with a one-time token, read through `SafeForm`.
    Form,
    /// By session: the header `X-CSRF-Token` with a one-time token. By bearer token: nothing, for
    /// a browser cannot be made to send one.
    Header,
    /// What a browser tells of a page of ours by itself. It reads no cookie and changes nothing
    /// of any user, so a request that was forged is worth no more than one that was made up.
    Report,
}

impl CsrfClass {
    /// Must a browser say that a page of ours sent the request? Not a report: browsers differ in
    /// what they say of it, and the page that it is about stands in it.
    pub(crate) fn checks_origin(self) -> bool {
        matches!(self, Self::Form | Self::Header)
    }
}

/// One route, as `stagedoor routes --json` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RouteSpec {
    /// `GET` (which takes HEAD too) or `POST`.
    pub method: &'static str,
    /// With `{name}` for a part and `{*name}` for the rest.
    pub path: &'static str,
    /// Who.
    pub access: Access,
    /// How protected.
    pub csrf: CsrfClass,
}

/// A route and what answers it, behind the guard of its classes.
pub(crate) struct Route {
    spec: RouteSpec,
    handler: MethodRouter<AppState>,
}

impl Route {
    /// A route that changes nothing.
    pub fn get<H, T>(path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let spec = RouteSpec {
            method: "GET",
            path,
            access,
            csrf: CsrfClass::Safe,
        };
        Self {
            spec,
            handler: routing::get(Guarded { spec, handler }),
        }
    }

    /// A route that changes something.
    pub fn post<H, T>(path: &'static str, access: Access, csrf: CsrfClass, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let spec = RouteSpec {
            method: "POST",
            path,
            access,
            csrf,
        };
        Self {
            spec,
            handler: routing::post(Guarded { spec, handler }),
        }
    }
}

/// Pages, API and static files.
fn all() -> Vec<Route> {
    let mut routes = pages::routes();
    routes.extend(api::routes());
    routes.extend(assets::routes());
    routes.push(policy_reports::route());
    routes
}

/// The table for `stagedoor routes --json`.
pub fn table() -> Vec<RouteSpec> {
    all().into_iter().map(|route| route.spec).collect()
}

/// The router of all of them. An address that takes one method answers every other one itself, so
/// that nothing falls through to something else.
pub(crate) fn router(state: &AppState) -> Router {
    let mut router = Router::new();
    for (path, (handler, allow)) in addresses() {
        let allow = HeaderValue::from_static(allow);
        let refusal = allow.clone();
        let handler = handler
            .options(|| async move { options(allow) })
            .fallback(|| async move { method_not_allowed(refusal) });
        router = router.route(path, handler);
    }
    router.fallback(nowhere).with_state(state.clone())
}

/// What answers an address, and the methods that it takes.
type Address = (MethodRouter<AppState>, &'static str);

fn addresses() -> BTreeMap<&'static str, Address> {
    let mut addresses: BTreeMap<&'static str, Address> = BTreeMap::new();
    for Route { spec, handler } in all() {
        let (before, methods) = addresses.remove(spec.path).unwrap_or_default();
        let methods = match (spec.method, methods) {
            ("GET", "") => "GET, HEAD, OPTIONS",
            ("POST", "") => "POST, OPTIONS",
            _ => "GET, HEAD, POST, OPTIONS",
        };
        addresses.insert(spec.path, (before.merge(handler), methods));
    }
    addresses
}

/// What this address takes (RFC 9110, 9.3.7). No header of CORS, ever: no other site may read.
fn options(allow: HeaderValue) -> Response {
    (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response()
}

/// 405, for methods that nobody knows too: the answer says which ones there are.
fn method_not_allowed(allow: HeaderValue) -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allow)]).into_response()
}

/// `OPTIONS *` asks about the server as a whole; there is nothing else beside the table.
async fn nowhere(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS && uri.path() == "*" {
        return options(HeaderValue::from_static("GET, HEAD, POST, OPTIONS"));
    }
    Problem::not_found().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn w77_a_route_is_safe_exactly_when_it_is_read() {
        let table = table();
        assert!(table.len() > 20, "{}", table.len());
        for route in table {
            let reads = route.method == "GET";
            assert_eq!(reads, route.csrf == CsrfClass::Safe, "{route:?}");
        }
    }

    #[test]
    fn w77_only_what_browsers_report_may_come_from_anywhere() {
        let reports: Vec<_> = table()
            .into_iter()
            .filter(|route| route.csrf == CsrfClass::Report)
            .map(|route| (route.method, route.path, route.access))
            .collect();
        assert_eq!(reports, [("POST", "/csp-report", Access::Public)]);
    }

    #[test]
    fn w75_every_administrative_act_asks_for_the_password() {
        for route in table() {
            if route.method == "POST" && route.path.starts_with("/admin") {
                assert_eq!(route.access, Access::AdminConfirmed, "{route:?}");
            }
            assert_eq!(
                route.access.is_for_admins(),
                route.path.starts_with("/admin"),
                "{route:?}"
            );
        }
    }

    #[test]
    fn the_api_takes_tokens_and_the_pages_take_forms() {
        for route in table() {
            if route.path.starts_with("/api/") {
                assert!(
                    matches!(
                        route.access,
                        Access::Bearer | Access::BearerAdmin | Access::Public
                    ),
                    "{route:?}"
                );
                assert_ne!(route.csrf, CsrfClass::Form, "{route:?}");
            } else {
                assert_ne!(route.access, Access::Bearer, "{route:?}");
                assert_ne!(route.access, Access::BearerAdmin, "{route:?}");
                assert_ne!(route.csrf, CsrfClass::Header, "{route:?}");
            }
        }
    }

    #[test]
    fn no_two_routes_are_the_same_and_each_has_one_spelling() {
        let table = table();
        let distinct: BTreeSet<(&str, &str)> = table.iter().map(|r| (r.method, r.path)).collect();
        assert_eq!(distinct.len(), table.len());
        for route in table {
            assert!(route.path == "/" || !route.path.ends_with('/'), "{route:?}");
        }
    }
}
