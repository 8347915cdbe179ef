//! Ending one's own tokens.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use stagedoor_store::TokenId;

use super::Done;
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::Me;
use crate::state::AppState;

/// `POST /account/tokens/revoke`: the one that the form names. One that is gone already is fine.
pub(crate) async fn revoke(
    State(state): State<AppState>,
    Me(who): Me,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let id = form.value.text("token").parse();
    let id = id.map_err(|_| Problem::bad_request("The form names no token."))?;
    let (user, id) = (&who.user, TokenId(id));
    state.app.revoke_own_token(user, who.address, id).await?;
    Ok(Done::Token.page().into_response())
}
