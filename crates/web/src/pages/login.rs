//! Signing in and out.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE};
use secrecy::SecretString;
use serde::Deserialize;
use stagedoor_app::people::SignInError;
use stagedoor_app::sessions::NewSession;
use stagedoor_app::throttle::Blocked;

use super::paths;
use super::setup::sentence;
use super::shell::Shell;
use crate::cookies::Jar;
use crate::headers::SignedOut;
use crate::problem::{Problem, SOON};
use crate::safe_form::{Fields, FromFields, NotSafe, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;
use crate::user_agent::visitor;

#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage<'a> {
    pub shell: Shell,
    pub name: &'a str,
    pub next: &'a str,
    pub error: Option<&'a str>,
}

/// What the form sends.
pub(crate) struct Login {
    name: String,
    password: SecretString,
    next: String,
}

impl FromFields for Login {
    fn from_fields(fields: Fields) -> Self {
        Self {
            name: fields.text("name").trim().to_owned(),
            password: SecretString::from(fields.text("password")),
            next: fields.text("next").to_owned(),
        }
    }
}

/// The page's query.
#[derive(Debug, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub(crate) async fn form(
    State(state): State<AppState>,
    arrival: Arrival,
    query: Result<Query<Next>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let next = query.map(|Query(query)| query.next).unwrap_or_default();
    if state.app.setup_is_open().await? {
        return Ok(super::setup::not_yet(&state));
    }
    Ok(show(
        &state,
        arrival,
        &headers,
        StatusCode::OK,
        ("", &next),
        None,
    ))
}

/// `POST /login`
pub(crate) async fn send(
    State(state): State<AppState>,
    arrival: Arrival,
    headers: HeaderMap,
    form: Result<SafeForm<Login>, NotSafe>,
) -> Result<Response, NotSafe> {
    let again = |status, name: &str, next: &str, error: &str| {
        show(&state, arrival, &headers, status, (name, next), Some(error))
    };
    let login = match form {
        Ok(form) => form.value,
        Err(NotSafe::Stale(fields)) => {
            let (name, next) = (fields.text("name"), fields.text("next"));
            let error = "This page was open for too long. Enter your password once more.";
            return Ok(again(StatusCode::FORBIDDEN, name, next, error));
        }
        Err(other) => return Err(other),
    };
    match state
        .app
        .sign_in(&login.name, login.password, visitor(arrival, &headers))
        .await
    {
        Ok(session) => Ok(enter(&state, (arrival, &headers), &session, &login.next)),
        Err(error) => {
            let why = NotProved::of(error, "Name or password is wrong.");
            let why = why.map_err(NotSafe::Refused)?;
            Ok(why.answer(again(why.status, &login.name, &login.next, &why.text)))
        }
    }
}

/// Why a password was not taken, for the page that asks for it again.
pub(crate) struct NotProved {
    /// Of the answer, where nothing else is wrong.
    pub status: StatusCode,
    /// In words.
    pub text: String,
    retry_after: Option<HeaderValue>,
}

impl NotProved {
    /// `wrong` says that it was.
    ///
    /// # Errors
    /// The store's, for which there is a page of its own.
    pub fn of(error: SignInError, wrong: &str) -> Result<Self, Problem> {
        let (status, text, retry_after) = match error {
            SignInError::Refused => (StatusCode::UNAUTHORIZED, wrong.to_owned(), None),
            SignInError::Busy(busy) => (
                StatusCode::SERVICE_UNAVAILABLE,
                sentence(&busy.to_string()),
                Some(SOON),
            ),
            SignInError::Blocked(blocked) => (
                StatusCode::TOO_MANY_REQUESTS,
                blocked_for(blocked),
                Some(blocked.seconds().into()),
            ),
            SignInError::Store(error) => return Err(error.into()),
        };
        Ok(Self {
            status,
            text,
            retry_after,
        })
    }

    /// This page as the answer.
    pub fn answer(&self, mut page: Response) -> Response {
        *page.status_mut() = self.status;
        if let Some(after) = &self.retry_after {
            page.headers_mut().insert(RETRY_AFTER, after.clone());
        }
        page
    }
}

/// The same whoever it is, and whether or not there is such a user.
fn blocked_for(blocked: Blocked) -> String {
    let minutes = blocked.seconds().div_ceil(60);
    let time = match minutes {
        0..=1 => "a minute".to_owned(),
        2..=120 => format!("{minutes} minutes"),
        _ => format!("{} hours", minutes.div_ceil(60)),
    };
    format!("Too many attempts have failed. Nothing was looked at; try again in {time}.")
}

/// `POST /logout`
pub(crate) async fn leave(
    State(state): State<AppState>,
    arrival: Arrival,
    Me(who): Me,
    form: SafeForm<()>,
) -> Result<Response, Problem> {
    let SafeForm { value: (), .. } = form;
    state.app.sign_out(&who).await?;
    Ok(signed_out(&state, arrival))
}

/// Leads whose session has ended to the log-in page; the browser forgets what it kept.
pub(super) fn signed_out(state: &AppState, arrival: Arrival) -> Response {
    let cookie = Jar::Session
        .expire(arrival, &state.base)
        .map(|cookie| (SET_COOKIE, cookie));
    let mut response = (AppendHeaders(cookie), Redirect::to(paths::LOGIN)).into_response();
    response.extensions_mut().insert(SignedOut);
    response
}

fn show(
    state: &AppState,
    arrival: Arrival,
    headers: &HeaderMap,
    status: StatusCode,
    (name, next): (&str, &str),
    error: Option<&str>,
) -> Response {
    let (token, cookie) = pre_session(state, arrival, headers);
    let template = LoginPage {
        shell: Shell::outside(&state.base, token),
        name,
        next: paths::landing(next),
        error,
    };
    let page = super::page(status, &template);
    (
        AppendHeaders(cookie.map(|cookie| (SET_COOKIE, cookie))),
        page,
    )
        .into_response()
}

/// A token for a form before signing in, and the cookie that it is bound to if the browser has
/// none yet.
pub(super) fn pre_session(
    state: &AppState,
    arrival: Arrival,
    headers: &HeaderMap,
) -> (String, Option<HeaderValue>) {
    let csrf = state.app.csrf();
    let known = Jar::PreSession.read(headers, arrival);
    if let Some(key) = known.and_then(|cookie| state.app.pre_session_of(cookie)) {
        return (csrf.mint(&key), None);
    }
    let (value, key) = state.app.pre_session();
    let lifetime = state.app.options().session.absolute;
    (
        csrf.mint(&key),
        Jar::PreSession.set(arrival, &state.base, &value, lifetime),
    )
}

/// Leads a new session in. The session of the form is over, so a value that somebody else planted
/// is worth nothing.
pub(super) fn enter(
    state: &AppState,
    (arrival, headers): (Arrival, &HeaderMap),
    session: &NewSession,
    next: &str,
) -> Response {
    let before = Jar::PreSession.read(headers, arrival);
    if let Some(before) = before.and_then(|cookie| state.app.pre_session_of(cookie)) {
        state.app.csrf().forget(&before);
    }
    let lifetime = state.app.options().session.absolute;
    let cookies = [
        Jar::Session.set(arrival, &state.base, &session.cookie_value, lifetime),
        Jar::PreSession.expire(arrival, &state.base),
    ];
    let cookies = cookies
        .into_iter()
        .flatten()
        .map(|cookie| (SET_COOKIE, cookie));
    (AppendHeaders(cookies), Redirect::to(paths::landing(next))).into_response()
}
