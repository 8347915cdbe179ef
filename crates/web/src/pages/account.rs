//! One's own account.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::shell::{Here, Shell};
use crate::session::Me;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    pub shell: Shell,
    pub name: String,
    pub groups: Vec<String>,
}

/// `GET /account`
pub(crate) async fn show(State(state): State<AppState>, me: Me) -> Response {
    let user = &me.0.user;
    let page = AccountPage {
        shell: Shell::of(&state, &me, Here::Account),
        name: user.name.to_string(),
        groups: user.groups.iter().map(ToString::to_string).collect(),
    };
    super::page(StatusCode::OK, &page)
}
