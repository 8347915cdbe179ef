//! All tokens of everybody, and their end.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use stagedoor_store::TokenId;

use super::super::paths;
use super::super::shell::{Here, Shell};
use super::super::tokens::TokenRow;
use super::admin;
use crate::problem::Problem;
use crate::safe_form::SafeForm;
use crate::session::{Arrival, Me};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "admin_tokens.html")]
pub(in crate::pages) struct AllTokensPage {
    pub shell: Shell,
    pub rows: Vec<TokenRow>,
}

/// `GET /admin/tokens`
pub(crate) async fn list(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
) -> Result<Response, Problem> {
    let (by, now) = (admin(&state, &me, arrival)?, state.app.clock().now());
    let users = state.app.accounts(by).await?;
    let tokens = state.app.tokens(by, None).await?.into_iter();
    let rows = tokens.map(|token| {
        let owner = users.iter().find(|record| record.user.id == token.user);
        let owner = owner.map_or_else(String::new, |record| record.user.name.to_string());
        TokenRow::new(token, owner, now)
    });
    let page = AllTokensPage {
        shell: Shell::of(&state, &me, Here::Admin),
        rows: rows.collect(),
    };
    Ok(super::super::page(StatusCode::OK, &page))
}

/// `POST /admin/tokens/{id}/revoke`
pub(crate) async fn revoke(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(id): Path<i64>,
    _form: SafeForm<()>,
) -> Result<Response, Problem> {
    let by = admin(&state, &me, arrival)?;
    if state.app.revoke_any_token(by, TokenId(id)).await? {
        Ok(Redirect::to(paths::ALL_TOKENS).into_response())
    } else {
        Err(Problem::not_found())
    }
}
