//! The only way to a form's values: its one-time token is good (rows W77 to W81).
//!
//! A handler takes `SafeForm<T>`; one that shows its form again when the token was used or too
//! old takes `Result<SafeForm<T>, NotSafe>`, and finds the values there for showing only.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use stagedoor_app::csrf::Spent;
use stagedoor_app::session_key::{RequestKey, SessionKey};
use stagedoor_domain::id::RunId;

use crate::cookies::Jar;
use crate::front::{LARGEST_BODY, body};
use crate::guard::{check_origin, header_token, tell};
use crate::pages::paths;
use crate::problem::Problem;
use crate::session::{Arrival, Me};
use crate::state::AppState;

/// The field with the token; it stands first in every form of ours.
pub(crate) const TOKEN_FIELD: &str = "csrf_token";
/// Most bytes of a form of somebody who is not signed in: of the log-in and the setup page.
const LARGEST_OF_STRANGERS: usize = 16 << 10;
/// More fields than any form of ours has.
const MOST_FIELDS: usize = 4096;

/// A form's fields in the order they were sent, without the token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// Every value of this field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The last value of this field.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The last value of this field, which is not among them any more; empty when it was not sent.
    pub fn take(&mut self, name: &str) -> String {
        let at = self.0.iter().rposition(|(key, _)| key == name);
        at.map(|at| self.0.remove(at).1).unwrap_or_default()
    }

    /// The field as text; empty when it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.last(name).unwrap_or("")
    }
}

/// What a form becomes.
pub(crate) trait FromFields: Sized {
    /// Total: what is missing is found by the checks of the use case.
    fn from_fields(fields: Fields) -> Self;
}

impl FromFields for Fields {
    fn from_fields(fields: Fields) -> Self {
        fields
    }
}

impl FromFields for () {
    fn from_fields(_: Fields) -> Self {}
}

/// A form whose token was good, and is used up now.
pub(crate) struct SafeForm<T> {
    /// The values.
    pub value: T,
    /// Names this sending of the form.
    pub key: RequestKey,
    /// The session whose token it was.
    pub session: SessionKey,
}

/// Why there is no form.
pub(crate) enum NotSafe {
    /// The token was used before, and started this run.
    Started(RunId),
    /// The token was used before or is too old. The fields are for showing the form again.
    Stale(Fields),
    /// It is not a form, or not from here.
    Refused(Problem),
}

/// Goes with the answer to a form whose token was not good: the guard makes a page of it.
#[derive(Debug, Clone)]
pub(crate) struct TooLate(pub Fields);

impl IntoResponse for NotSafe {
    fn into_response(self) -> Response {
        match self {
            Self::Started(run) => Redirect::to(&paths::run(run)).into_response(),
            Self::Stale(fields) => {
                let refusal = Problem::forbidden(
                    "This page was open for too long, or was sent already. Nothing was changed: \
                     go back, load the page again and repeat what you did.",
                );
                let mut response = refusal.with_code("csrf_expired").into_response();
                response.extensions_mut().insert(TooLate(fields));
                response
            }
            Self::Refused(problem) => problem.into_response(),
        }
    }
}

impl<T: FromFields> FromRequest<AppState> for SafeForm<T> {
    type Rejection = NotSafe;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, NotSafe> {
        let arrival = request.extensions().get::<Arrival>().copied();
        let arrival = arrival.ok_or_else(|| NotSafe::Refused(Arrival::missing()))?;
        check_origin(request.headers(), arrival.is_secure).map_err(NotSafe::Refused)?;
        let session = session_of(state, &request, arrival);
        let most = if request.extensions().get::<Me>().is_some() {
            LARGEST_BODY
        } else {
            LARGEST_OF_STRANGERS
        };
        let me = request.extensions().get::<Me>().cloned();
        let in_header = header_token(request.headers()).map(str::to_owned);
        let mut fields = read(most, request).await.map_err(NotSafe::Refused)?;
        let token = one_token(in_header, take_token(&mut fields)).map_err(NotSafe::Refused)?;
        let Some(session) = session else {
            return Err(NotSafe::Stale(fields));
        };
        let spent = state.app.csrf().spend(&session, &token);
        if let (Spent::Unknown, Some(Me(who))) = (spent, me) {
            tell(&who, &token);
        }
        match spent {
            Spent::Fresh(key) => Ok(Self {
                value: T::from_fields(fields),
                key,
                session,
            }),
            Spent::Used(Some(run)) => Err(NotSafe::Started(run)),
            Spent::Used(None) | Spent::Expired | Spent::Unknown => Err(NotSafe::Stale(fields)),
        }
    }
}

/// The signed-in session, else the one of the log-in and setup forms.
fn session_of(state: &AppState, request: &Request, arrival: Arrival) -> Option<SessionKey> {
    if let Some(Me(signed_in)) = request.extensions().get::<Me>() {
        return Some(signed_in.session);
    }
    let cookie = Jar::PreSession.read(request.headers(), arrival)?;
    state.app.pre_session_of(cookie)
}

async fn read(most: usize, request: Request) -> Result<Fields, Problem> {
    let is_form = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
    if !is_form {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "This address takes forms: application/x-www-form-urlencoded.",
        ));
    }
    parse(&body::up_to(most, request).await?)
}

fn parse(bytes: &[u8]) -> Result<Fields, Problem> {
    // A browser sends UTF-8; replacing what is not would change an argument behind its sender.
    let not_text = || Problem::bad_request("The form is not valid UTF-8. Nothing was changed.");
    if std::str::from_utf8(&unescaped(bytes)).is_err() {
        return Err(not_text());
    }
    // Before they are made.
    if bytes.split(|byte| *byte == b'&').nth(MOST_FIELDS).is_some() {
        return Err(Problem::bad_request("The form has more than 4096 fields."));
    }
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_bytes(bytes).map_err(|_| not_text())?;
    Ok(Fields(pairs))
}

/// The bytes behind `%xx`, only to see whether they are UTF-8: the parser of forms replaces what
/// is not, and does not tell.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| after.split_at_checked(2))
            .flatten()
            .and_then(|(hex, after)| Some((std::str::from_utf8(hex).ok()?, after)))
            .and_then(|(hex, after)| Some((u8::from_str_radix(hex, 16).ok()?, after)));
        let (value, after) = escaped.unwrap_or((byte, after));
        decoded.push(value);
        rest = after;
    }
    decoded
}

/// The first field of that name is ours; a parameter may have the same name.
fn take_token(fields: &mut Fields) -> Option<String> {
    let at = fields.0.iter().position(|(name, _)| name == TOKEN_FIELD)?;
    Some(fields.0.remove(at).1)
}

/// The token of the field, or of the header for page scripts. Where there are two, somebody put one
/// of them there, unless they are the same (row B24).
fn one_token(in_header: Option<String>, in_field: Option<String>) -> Result<String, Problem> {
    match (in_header, in_field) {
        (Some(header), Some(field)) if header != field => Err(Problem::forbidden(
            "The request has two different one-time tokens. Nothing was changed.",
        )
        .with_code("csrf_invalid")),
        (Some(token), _) | (None, Some(token)) => Ok(token),
        (None, None) => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_repetitions() {
        let fields = parse(b"a=1&b=%26%0A&a=+2").expect("a form");
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", " 2"]);
        assert_eq!(fields.text("b"), "&\n");
        assert_eq!(fields.last("c"), None);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_and_the_replacement_character_is_not() {
        assert!(parse(b"a=%ff").is_err());
        assert!(parse(b"a=%ff&b=%EF%BF%BD").is_err());
        assert!(parse(b"a=\xff").is_err());
        assert_eq!(parse(b"a=%EF%BF%BD").expect("a form").text("a"), "\u{fffd}");
    }

    #[test]
    fn the_token_is_taken_out_once() {
        let mut fields = parse(b"csrf_token=x&csrf_token=y").expect("a form");
        assert_eq!(take_token(&mut fields).as_deref(), Some("x"));
        assert_eq!(fields.text("csrf_token"), "y");
    }
}
