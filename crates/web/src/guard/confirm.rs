//! Asks for the password before an administrative act, and goes on with the act once it was given.
//!
//! The form that asks is sent to the address of the act itself and carries what was filled in, so
//! it needs no memory on the server and no JavaScript. Secrets are not carried: the page of the act
//! asks for them again.

use axum::body::Body;
use axum::extract::{FromRequest as _, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING};
use http::request::Parts;
use secrecy::SecretString;
use stagedoor_app::confirm::ConfirmError;
use stagedoor_app::sessions::{NewSession, SignedIn};

use super::CSRF_HEADER;
use crate::cookies::Jar;
use crate::pages::confirm::{self, Asked};
use crate::pages::login::NotProved;
use crate::problem::Problem;
use crate::safe_form::{Fields, NotSafe, SafeForm, TOKEN_FIELD};
use crate::session::{Arrival, Me};
use crate::state::AppState;

/// The field with the password; no form of an act has one of this name.
pub(crate) const PASSWORD_FIELD: &str = ".password";

/// Answers with the page that asks, or with what the act answers.
pub(super) async fn before<N: Future<Output = Response>>(
    state: &AppState,
    arrival: Arrival,
    who: SignedIn,
    request: Request,
    handler: impl FnOnce(Request) -> N,
) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Me(who.clone()));
    let request = Request::from_parts(parts.clone(), body);
    let ask = |fields: &Fields, error: Option<&str>| {
        let asked = Asked {
            at: &parts.uri,
            fields,
            error,
        };
        confirm::page(state, &Me(who.clone()), &asked)
    };
    let mut fields = match SafeForm::<Fields>::from_request(request, state).await {
        Ok(form) => form.value,
        Err(NotSafe::Stale(fields)) => return ask(&fields, Some(STALE)),
        Err(other) => return other.into_response(),
    };
    let Some(password) = take_password(&mut fields) else {
        return ask(&fields, None);
    };
    match state.app.confirm(&who, password).await {
        Ok(session) => go_on(state, arrival, parts, fields, session, handler).await,
        Err(ConfirmError::Over) => Problem::signed_out().into_response(),
        Err(ConfirmError::NotProved(error)) => {
            match NotProved::of(error, "That is not your password.") {
                Ok(why) => why.answer(ask(&fields, Some(&why.text))),
                Err(problem) => problem.into_response(),
            }
        }
    }
}

const STALE: &str =
    "This page was open for too long, or the server was started again. Nothing was changed.";

/// The last field of that name, out of the fields of the act.
fn take_password(fields: &mut Fields) -> Option<SecretString> {
    let password = fields.last(PASSWORD_FIELD).map(SecretString::from);
    fields.0.retain(|(name, _)| name != PASSWORD_FIELD);
    password
}

/// The act as if its own form had been sent, in the session as it is called from now on.
async fn go_on<N: Future<Output = Response>>(
    state: &AppState,
    arrival: Arrival,
    mut parts: Parts,
    fields: Fields,
    session: NewSession,
    handler: impl FnOnce(Request) -> N,
) -> Response {
    let token = state.app.csrf().mint(&session.key);
    let mut pairs = vec![(TOKEN_FIELD.to_owned(), token)];
    pairs.extend(fields.0);
    let Ok(body) = serde_urlencoded::to_string(&pairs) else {
        return Problem::internal("a form that was read cannot be written").into_response();
    };
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, CSRF_HEADER] {
        parts.headers.remove(name);
    }
    let lifetime = state.app.options().session.absolute;
    let cookie = Jar::Session.set(arrival, &state.base, &session.cookie_value, lifetime);
    parts.extensions.insert(Me(SignedIn {
        user: session.user,
        session: session.key,
        address: arrival.peer,
        is_confirmed: true,
    }));
    let mut response = handler(Request::from_parts(parts, Body::from(body))).await;
    // Where the act itself ended this session, or gave it another name, that counts.
    if let Some(cookie) = cookie
        && !response.headers().contains_key(SET_COOKIE)
    {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
