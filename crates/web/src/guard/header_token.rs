//! The one-time token of calls by session: in the header `X-CSRF-Token`, and the next one in the
//! answer.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use stagedoor_app::csrf::Spent;
use stagedoor_app::session_key::RequestKey;
use stagedoor_app::sessions::SignedIn;

use crate::problem::Problem;
use crate::state::AppState;

/// Where page scripts send their one-time token, and get the next one.
pub(crate) const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// The header's text; none when there is no such header. Two of them, or one that is no text, are
/// a token of nobody.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(CSRF_HEADER).iter();
    let first = lines.next()?;
    match lines.next() {
        None => Some(first.to_str().unwrap_or("")),
        Some(_) => Some(""),
    }
}

/// Uses the token up; the answer says why there is none that is good.
pub(super) fn spend(
    state: &AppState,
    who: &SignedIn,
    headers: &HeaderMap,
) -> Result<RequestKey, Box<Response>> {
    let token = token(headers).unwrap_or("");
    let refused = match state.app.csrf().spend(&who.session, token) {
        Spent::Fresh(key) => return Ok(key),
        Spent::Used(Some(run)) => Redirect::to(&format!("/api/v1/runs/{run}")).into_response(),
        Spent::Used(None) => stale("csrf_used").into_response(),
        Spent::Expired => stale("csrf_expired").into_response(),
        Spent::Unknown => {
            tell(who, token);
            stale("csrf_invalid").into_response()
        }
    };
    Err(Box::new(with_next(state, who, refused)))
}

/// For whoever reads the log: a mistake of a program, a page from before a restart, or an attempt.
pub(crate) fn tell(who: &SignedIn, token: &str) {
    tracing::warn!(
        user = who.user.name.as_str(),
        address = %who.address,
        token = if token.is_empty() { "none" } else { "not of this session" },
        "refused a change without its one-time token"
    );
}

fn with_next(state: &AppState, who: &SignedIn, mut response: Response) -> Response {
    if let Ok(token) = HeaderValue::from_str(&state.app.csrf().mint(&who.session)) {
        response.headers_mut().insert(CSRF_HEADER, token);
    }
    response
}

fn stale(code: &'static str) -> Problem {
    Problem::forbidden(
        "The request needs a fresh X-CSRF-Token; the answer's header of that name has one.",
    )
    .with_code(code)
}
