//! A one-time link that an administrator gave somebody: they choose a password there.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderMap, SET_COOKIE};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use stagedoor_app::people::SetUpError;

use super::login::{enter, pre_session};
use super::setup::sentence;
use super::shell::Shell;
use crate::problem::Problem;
use crate::safe_form::{Fields, FromFields, NotSafe, SafeForm};
use crate::session::Arrival;
use crate::state::AppState;
use crate::user_agent::visitor;

#[derive(Template)]
#[template(path = "password_link.html")]
pub(super) struct PasswordPage<'a> {
    pub shell: Shell,
    pub key: &'a str,
    pub name: &'a str,
    /// Another password of theirs counted until now.
    pub is_external: bool,
    pub error: Option<&'a str>,
}

/// What the form sends.
pub(crate) struct Chosen {
    key: String,
    password: SecretString,
    again: SecretString,
}

impl FromFields for Chosen {
    fn from_fields(fields: Fields) -> Self {
        Self {
            key: fields.text("key").to_owned(),
            password: SecretString::from(fields.text("password")),
            again: SecretString::from(fields.text("again")),
        }
    }
}

/// The page's query.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    key: String,
}

/// `GET /password?key=…`
pub(crate) async fn form(
    State(state): State<AppState>,
    arrival: Arrival,
    query: Result<Query<Link>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = query.map(|Query(link)| link.key).unwrap_or_default();
    show(&state, arrival, &headers, &key, Ok(())).await
}

/// `POST /password`
pub(crate) async fn send(
    State(state): State<AppState>,
    arrival: Arrival,
    headers: HeaderMap,
    form: Result<SafeForm<Chosen>, NotSafe>,
) -> Result<Response, NotSafe> {
    let again = async |status, key: &str, error: &str| {
        let page = show(&state, arrival, &headers, key, Err((status, error))).await;
        page.map_err(NotSafe::Refused)
    };
    let chosen = match form {
        Ok(form) => form.value,
        Err(NotSafe::Stale(fields)) => {
            let error = "This page was open for too long. Enter the password once more.";
            return again(StatusCode::FORBIDDEN, fields.text("key"), error).await;
        }
        Err(other) => return Err(other),
    };
    let wrong = StatusCode::UNPROCESSABLE_ENTITY;
    if chosen.password.expose_secret() != chosen.again.expose_secret() {
        return again(wrong, &chosen.key, "The two passwords are not the same.").await;
    }
    let set = state
        .app
        .choose_password(&chosen.key, chosen.password, visitor(arrival, &headers));
    match set.await {
        Ok(session) => Ok(enter(&state, (arrival, &headers), &session, "/")),
        Err(SetUpError::Store(error)) => Err(NotSafe::Refused(error.into())),
        Err(SetUpError::UnknownLink) => Err(NotSafe::Refused(gone())),
        Err(error @ SetUpError::Busy(_)) => {
            let error = sentence(&error.to_string());
            again(StatusCode::SERVICE_UNAVAILABLE, &chosen.key, &error).await
        }
        Err(error) => again(wrong, &chosen.key, &sentence(&error.to_string())).await,
    }
}

/// Unknown, used, replaced and too old: nobody is told which.
fn gone() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "This link is not good any more. Ask an administrator for a new one.",
    )
}

async fn show(
    state: &AppState,
    arrival: Arrival,
    headers: &HeaderMap,
    key: &str,
    said: Result<(), (StatusCode, &str)>,
) -> Result<Response, Problem> {
    let owner = state.app.link_owner(key).await?.ok_or_else(gone)?;
    let (token, cookie) = pre_session(state, arrival, headers);
    let (status, error) = match said {
        Ok(()) => (StatusCode::OK, None),
        Err((status, error)) => (status, Some(error)),
    };
    let template = PasswordPage {
        shell: Shell::outside(&state.base, token),
        key,
        name: owner.user.name.as_str(),
        is_external: owner.is_external,
        error,
    };
    let cookie = AppendHeaders(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok((cookie, super::page(status, &template)).into_response())
}
