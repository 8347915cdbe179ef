//! Ending one's own sessions.

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::Done;
use crate::pages::login;
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

/// `POST /account/sessions/end`: the one that the form names. One that has ended already is fine.
pub(crate) async fn end(
    State(state): State<AppState>,
    arrival: Arrival,
    Me(who): Me,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let id = form.value.text("session");
    state.app.end_own_session(&who, id).await?;
    let left = state.app.own_sessions(&who).await?;
    if !left.iter().any(|session| session.is_this) {
        return Ok(login::signed_out(&state, arrival));
    }
    Ok(Done::Session.page().into_response())
}

/// `POST /account/sessions/end-others`
pub(crate) async fn end_others(
    State(state): State<AppState>,
    Me(who): Me,
    _: SafeForm<()>,
) -> Result<Response, Problem> {
    state.app.end_other_sessions(&who).await?;
    Ok(Done::Others.page().into_response())
}

/// `POST /account/sessions/end-all`: signs out here, too.
pub(crate) async fn end_all(
    State(state): State<AppState>,
    arrival: Arrival,
    Me(who): Me,
    _: SafeForm<()>,
) -> Result<Response, Problem> {
    state.app.sign_out_everywhere(&who).await?;
    Ok(login::signed_out(&state, arrival))
}
