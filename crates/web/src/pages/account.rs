//! One's own account: who one is, where one is signed in, and the password.

pub(crate) mod password;
pub(crate) mod sessions;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use stagedoor_app::account::OwnSession;
use stagedoor_domain::time::Timestamp;

use super::paths;
use super::said::When;
use super::shell::{Here, Shell};
use crate::problem::Problem;
use crate::session::Me;
use crate::state::AppState;
use password::Wrong;

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    pub shell: Shell,
    pub name: String,
    pub groups: Vec<String>,
    /// The password is not kept here, so it is not changed here.
    pub is_external: bool,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What is wrong with the form of the password.
    pub wrong: Wrong,
    pub sessions: Vec<SessionRow>,
}

/// One session.
pub(super) struct SessionRow {
    pub id: String,
    pub browser: String,
    pub address: String,
    pub began: When,
    pub seen: When,
    pub is_this: bool,
}

/// What was just done, in the address that it led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Done {
    Password,
    Session,
    Others,
}

impl Done {
    fn sentence(self) -> &'static str {
        match self {
            Self::Password => "Your password is changed, and your other sessions are ended.",
            Self::Session => "That session is ended.",
            Self::Others => "Your other sessions are ended.",
        }
    }

    /// Leads back to the page.
    fn page(self) -> Redirect {
        let word = match self {
            Self::Password => "password",
            Self::Session => "session",
            Self::Others => "others",
        };
        Redirect::to(&paths::query(paths::ACCOUNT, &[("done", word)]))
    }
}

/// The page's query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    done: Option<Done>,
}

/// `GET /account`
pub(crate) async fn show(
    State(state): State<AppState>,
    me: Me,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let done = asked.map(|Query(asked)| asked.done).unwrap_or_default();
    page(&state, &me, StatusCode::OK, done, Wrong::default()).await
}

async fn page(
    state: &AppState,
    me: &Me,
    status: StatusCode,
    done: Option<Done>,
    wrong: Wrong,
) -> Result<Response, Problem> {
    let (Me(who), now) = (me, state.app.clock().now());
    let sessions = state.app.own_sessions(who).await?;
    let page = AccountPage {
        shell: Shell::of(state, me, Here::Account),
        name: who.user.name.to_string(),
        groups: who.user.groups.iter().map(ToString::to_string).collect(),
        is_external: state.app.is_external(who).await?,
        done: done.map(Done::sentence),
        wrong,
        sessions: sessions.into_iter().map(|s| session_row(s, now)).collect(),
    };
    Ok(super::page(status, &page))
}

fn session_row(session: OwnSession, now: Timestamp) -> SessionRow {
    SessionRow {
        id: session.id,
        browser: session.browser,
        address: session.address,
        began: When::new(session.created_at, now),
        seen: When::new(session.last_seen, now),
        is_this: session.is_this,
    }
}
