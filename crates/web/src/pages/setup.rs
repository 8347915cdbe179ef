//! The first account, by the one-time link that was printed at the first start.

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
use super::shell::Shell;
use crate::problem::Problem;
use crate::safe_form::{Fields, FromFields, NotSafe, SafeForm};
use crate::session::Arrival;
use crate::state::AppState;
use crate::user_agent::visitor;

#[derive(Template)]
#[template(path = "setup.html")]
pub(super) struct SetupPage<'a> {
    pub shell: Shell,
    /// None shows how to find the link instead of the form.
    pub key: Option<&'a str>,
    pub name: &'a str,
    pub error: Option<&'a str>,
    pub name_error: Option<&'a str>,
    pub password_error: Option<&'a str>,
}

/// What the form sends.
pub(crate) struct Setup {
    key: String,
    name: String,
    password: SecretString,
    again: SecretString,
}

impl FromFields for Setup {
    fn from_fields(fields: Fields) -> Self {
        Self {
            key: fields.text("key").to_owned(),
            name: fields.text("name").trim().to_owned(),
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

/// What is wrong, and beside which field.
#[derive(Default)]
struct Wrong {
    whole: Option<String>,
    name: Option<String>,
    password: Option<String>,
}

/// `GET /setup?key=…`
pub(crate) async fn form(
    State(state): State<AppState>,
    arrival: Arrival,
    query: Result<Query<Link>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = query.map(|Query(link)| link.key).unwrap_or_default();
    if !state.app.setup_is_open().await? {
        return Err(Problem::new(
            StatusCode::GONE,
            "The setup is done, or its link has expired. Sign in, or start the server again to get \
             a new link.",
        ));
    }
    if key.is_empty() {
        return Ok(not_yet(&state));
    }
    Ok(show(
        &state,
        arrival,
        &headers,
        (StatusCode::OK, &key, "admin"),
        &Wrong::default(),
    ))
}

/// `POST /setup`
pub(crate) async fn send(
    State(state): State<AppState>,
    arrival: Arrival,
    headers: HeaderMap,
    form: Result<SafeForm<Setup>, NotSafe>,
) -> Result<Response, NotSafe> {
    let again = |status, key: &str, name: &str, wrong: &Wrong| {
        show(&state, arrival, &headers, (status, key, name), wrong)
    };
    let setup = match form {
        Ok(form) => form.value,
        Err(NotSafe::Stale(fields)) => {
            let whole = "This page was open for too long. Enter the password once more.".to_owned();
            let wrong = Wrong {
                whole: Some(whole),
                ..Wrong::default()
            };
            let (key, name) = (fields.text("key"), fields.text("name"));
            return Ok(again(StatusCode::FORBIDDEN, key, name, &wrong));
        }
        Err(other) => return Err(other),
    };
    if setup.password.expose_secret() != setup.again.expose_secret() {
        let password = "The two passwords are not the same.".to_owned();
        let wrong = Wrong {
            password: Some(password),
            ..Wrong::default()
        };
        return Ok(again(
            StatusCode::UNPROCESSABLE_ENTITY,
            &setup.key,
            &setup.name,
            &wrong,
        ));
    }
    let visitor = visitor(arrival, &headers);
    match state
        .app
        .set_up(&setup.key, &setup.name, setup.password, visitor)
        .await
    {
        Ok(session) => Ok(enter(&state, (arrival, &headers), &session, "/")),
        Err(error) => {
            let (status, wrong) = wrong(error).map_err(NotSafe::Refused)?;
            Ok(again(status, &setup.key, &setup.name, &wrong))
        }
    }
}

fn wrong(error: SetUpError) -> Result<(StatusCode, Wrong), Problem> {
    let text = Some(sentence(&error.to_string()));
    Ok(match error {
        SetUpError::BadName(_) | SetUpError::NameTaken => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Wrong {
                name: text,
                ..Wrong::default()
            },
        ),
        SetUpError::WeakPassword(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Wrong {
                password: text,
                ..Wrong::default()
            },
        ),
        SetUpError::UnknownLink | SetUpError::Expired => (
            StatusCode::FORBIDDEN,
            Wrong {
                whole: text,
                ..Wrong::default()
            },
        ),
        SetUpError::Busy(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Wrong {
                whole: text,
                ..Wrong::default()
            },
        ),
        SetUpError::Store(error) => return Err(error.into()),
    })
}

/// `use 12` → `Use 12.`
pub(super) fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first: String = letters
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    let end = if fragment.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{end}", letters.as_str())
}

/// Somebody came before the first account was made, without the link.
pub(super) fn not_yet(state: &AppState) -> Response {
    let template = SetupPage {
        shell: Shell::outside(&state.base, String::new()),
        key: None,
        name: "",
        error: None,
        name_error: None,
        password_error: None,
    };
    super::plain_page(StatusCode::OK, &template)
}

fn show(
    state: &AppState,
    arrival: Arrival,
    headers: &HeaderMap,
    (status, key, name): (StatusCode, &str, &str),
    wrong: &Wrong,
) -> Response {
    let (token, cookie) = pre_session(state, arrival, headers);
    let template = SetupPage {
        shell: Shell::outside(&state.base, token),
        key: Some(key),
        name,
        error: wrong.whole.as_deref(),
        name_error: wrong.name.as_deref(),
        password_error: wrong.password.as_deref(),
    };
    let page = super::page(status, &template);
    (
        AppendHeaders(cookie.map(|cookie| (SET_COOKIE, cookie))),
        page,
    )
        .into_response()
}
