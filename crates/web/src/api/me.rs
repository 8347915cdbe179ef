//! `GET /me` and `GET /csrf`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::guard::CSRF_HEADER;
use crate::problem::Problem;
use crate::session::Caller;
use crate::state::AppState;

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct MeJson {
    /// The name to sign in with.
    name: String,
    /// The groups; everybody is in `everyone` besides.
    groups: Vec<String>,
    /// May administer this server, as whoever sends the request.
    admin: bool,
    /// `session` or `token`.
    by: &'static str,
}

/// Who am I?
#[utoipa::path(get, path = "/api/v1/me", tag = "me", responses((status = 200, body = MeJson)))]
pub(super) async fn me(State(state): State<AppState>, caller: Caller) -> Json<MeJson> {
    Json(MeJson {
        name: caller.user.name.to_string(),
        groups: caller.user.groups.iter().map(ToString::to_string).collect(),
        admin: state.app.administers(&caller.user).is_ok(),
        by: if caller.session.is_some() {
            "session"
        } else {
            "token"
        },
    })
}

/// A one-time token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Csrf)]
pub(crate) struct CsrfJson {
    /// For the header `X-CSRF-Token` of one call that changes something; good for 300 s.
    token: String,
}

/// A token for the next call that changes something. Callers with a bearer token need none.
#[utoipa::path(get, path = "/api/v1/csrf", tag = "me", responses(
    (status = 200, body = CsrfJson),
    (status = 400, description = "The caller has no session."),
))]
pub(super) async fn csrf(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Response, Problem> {
    let session = caller.session.ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "A caller with a bearer token needs no CSRF token.",
        )
    })?;
    let token = state.app.csrf().mint(&session);
    let mut response = Json(CsrfJson {
        token: token.clone(),
    })
    .into_response();
    if let Ok(token) = HeaderValue::from_str(&token) {
        response.headers_mut().insert(CSRF_HEADER, token);
    }
    Ok(response)
}
