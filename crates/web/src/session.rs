//! Who sends the request. The extractors only hand out what `guard` found by the route's class;
//! on a route without that class they refuse, so a handler cannot skip the check.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use stagedoor_app::session_key::{RequestKey, SessionKey};
use stagedoor_app::sessions::SignedIn;
use stagedoor_domain::access::User;
use stagedoor_domain::audit::Origin;

use crate::problem::Problem;

/// How the request came; put into every request by the accept loop, and behind a proxy corrected
/// by what the proxy says (`front/client.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The client's address, IPv4 even when it came as mapped IPv6.
    pub peer: IpAddr,
    /// The port of our listener; part of the cookie's name.
    pub port: u16,
    /// The client spoke HTTPS, to us or to a trusted proxy.
    pub is_secure: bool,
}

impl Arrival {
    /// A fault of ours: every request comes through the accept loop.
    pub fn missing() -> Problem {
        Problem::internal("the request did not come through the accept loop")
    }
}

/// The signed-in user of a page (the classes of pages that are not public).
#[derive(Debug, Clone)]
pub(crate) struct Me(pub SignedIn);

/// The caller of the API (class `Bearer`): a session or a token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who.
    pub user: User,
    /// The session, when the caller is one of our own pages.
    pub session: Option<SessionKey>,
    /// The number of the token, when it is a program.
    pub token: Option<i64>,
    /// From where.
    pub address: IpAddr,
    /// Names this request when it spent a CSRF token, so that sending it twice starts one run.
    pub request: Option<RequestKey>,
}

impl Me {
    /// Who acts, for the audit log.
    pub fn origin(&self, arrival: Arrival) -> Origin {
        Origin::user(&self.0.user, arrival.peer)
    }
}

impl Caller {
    /// Who acts, for the audit log.
    pub fn origin(&self) -> Origin {
        match self.token {
            Some(token) => Origin::token(token, &self.user, self.address),
            None => Origin::user(&self.user, self.address),
        }
    }
}

macro_rules! found_by_the_guard {
    ($($type:ty),*) => { $(
        impl<S: Sync> FromRequestParts<S> for $type {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                parts.extensions.get::<Self>().cloned().ok_or_else(|| {
                    Problem::internal(concat!(
                        "the route's class does not provide ",
                        stringify!($type)
                    ))
                })
            }
        }
    )* };
}
found_by_the_guard!(Arrival, Me, Caller);
