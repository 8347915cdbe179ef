//! Changing one's own password.

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use secrecy::{ExposeSecret as _, SecretString};
use stagedoor_app::account::ChangePasswordError;

use super::Done;
use crate::cookies::Jar;
use crate::pages::login::NotProved;
use crate::pages::setup::sentence;
use crate::problem::Problem;
use crate::safe_form::{Fields, FromFields, NotSafe, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

/// What the form sends.
pub(crate) struct Change {
    old: SecretString,
    new: SecretString,
    again: SecretString,
}

impl FromFields for Change {
    fn from_fields(fields: Fields) -> Self {
        Self {
            old: SecretString::from(fields.text("password")),
            new: SecretString::from(fields.text("new_password")),
            again: SecretString::from(fields.text("again")),
        }
    }
}

/// What is wrong, and beside which field.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    pub whole: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// `POST /account/password`
pub(crate) async fn change(
    State(state): State<AppState>,
    arrival: Arrival,
    me: Me,
    form: Result<SafeForm<Change>, NotSafe>,
) -> Result<Response, NotSafe> {
    let change = match form {
        Ok(form) => form.value,
        Err(NotSafe::Stale(_)) => {
            let whole = "This page was open for too long. Enter the passwords once more.";
            let wrong = Wrong {
                whole: Some(whole.to_owned()),
                ..Wrong::default()
            };
            return again(&state, &me, StatusCode::FORBIDDEN, wrong).await;
        }
        Err(other) => return Err(other),
    };
    if change.new.expose_secret() != change.again.expose_secret() {
        let new = Some("The two new passwords are not the same.".to_owned());
        let wrong = Wrong {
            new,
            ..Wrong::default()
        };
        return again(&state, &me, StatusCode::UNPROCESSABLE_ENTITY, wrong).await;
    }
    let changed = state.app.change_password(&me.0, change.old, change.new);
    let changed = changed.await;
    match changed {
        Ok(session) => {
            let lifetime = state.app.options().session.absolute;
            let cookie = Jar::Session.set(arrival, &state.base, &session.cookie_value, lifetime);
            let cookie = AppendHeaders(cookie.map(|cookie| (SET_COOKIE, cookie)));
            Ok((cookie, Done::Password.page()).into_response())
        }
        Err(error) => refused(&state, &me, error).await,
    }
}

async fn refused(
    state: &AppState,
    me: &Me,
    error: ChangePasswordError,
) -> Result<Response, NotSafe> {
    let new = Some(sentence(&error.to_string()));
    match error {
        ChangePasswordError::NotProved(error) => {
            let why = NotProved::of(error, "That is not your password.");
            let why = why.map_err(NotSafe::Refused)?;
            let wrong = Wrong {
                old: Some(why.text.clone()),
                ..Wrong::default()
            };
            Ok(why.answer(again(state, me, why.status, wrong).await?))
        }
        ChangePasswordError::Same
        | ChangePasswordError::Weak(_)
        | ChangePasswordError::External => {
            let wrong = Wrong {
                new,
                ..Wrong::default()
            };
            again(state, me, StatusCode::UNPROCESSABLE_ENTITY, wrong).await
        }
        ChangePasswordError::Over => Err(NotSafe::Refused(Problem::signed_out())),
    }
}

/// The page once more, without the passwords.
async fn again(
    state: &AppState,
    me: &Me,
    status: StatusCode,
    wrong: Wrong,
) -> Result<Response, NotSafe> {
    let page = super::page(state, me, status, None, wrong).await;
    page.map_err(NotSafe::Refused)
}
