//! Administration: accounts, groups, grants, tokens and stored secrets, and what leads to them.

pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod may;
pub(crate) mod secrets;
pub(crate) mod tokens;
pub(crate) mod user;
pub(crate) mod users;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stagedoor_app::administer::Admin;
use stagedoor_domain::name::{BadName, GroupName};

use super::setup::sentence;
use super::shell::{Here, Shell};
use crate::problem::Problem;
use crate::session::{Arrival, Me};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "admin.html")]
pub(super) struct AdminPage {
    pub shell: Shell,
}

/// `GET /admin`
pub(crate) async fn show(State(state): State<AppState>, me: Me) -> Response {
    let shell = Shell::of(&state, &me, Here::Admin);
    super::page(StatusCode::OK, &AdminPage { shell })
}

/// The proof, for the use cases of this signed-in person.
fn admin<'a>(state: &AppState, me: &'a Me, arrival: Arrival) -> Result<Admin<'a>, Problem> {
    let permit = state.app.administers(&me.0.user);
    let permit = permit.map_err(|_| Problem::not_found())?;
    Ok(Admin::new(permit, arrival.peer))
}

/// What a page says of what was just tried.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// It did not work.
    pub bad: Option<String>,
    /// It is done.
    pub good: Option<String>,
}

impl Said {
    fn bad(error: &impl ToString) -> Self {
        Self {
            bad: Some(sentence(&error.to_string())),
            good: None,
        }
    }

    fn good(text: impl Into<String>) -> Self {
        Self {
            bad: None,
            good: Some(text.into()),
        }
    }

    fn status(&self) -> StatusCode {
        match self.bad {
            Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::OK,
        }
    }
}

/// Names between commas or blanks.
fn groups_of(text: &str) -> Result<BTreeSet<GroupName>, BadName> {
    text.split([' ', ',', '\t', '\r', '\n'])
        .filter(|word| !word.is_empty())
        .map(GroupName::parse)
        .collect()
}
