//! Query strings, read strictly: an unknown or double key is an error, not a filter that is
//! silently left out.

use std::error::Error;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;
use stagedoor_domain::id::RunId;

use crate::problem::{FieldError, Problem};

/// A query that was read as `T`, which says `deny_unknown_fields`. Its values are texts: what they
/// mean is read by [`read`] and [`number`], whose errors name the key.
#[derive(Debug)]
pub(crate) struct StrictQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(query)| Self(query))
            .map_err(|rejection| {
                // The cause alone: what is around it speaks of our code.
                let cause = rejection.source().map(ToString::to_string);
                let cause = cause.unwrap_or_else(|| "it cannot be read".to_owned());
                Problem::bad_request(format!(
                    "The query is not what this address takes: {cause}."
                ))
            })
    }
}

/// A run's id in a path. What is no id names no run: 404, as for any unknown one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathRun(pub RunId);

impl<S: Send + Sync> FromRequestParts<S> for PathRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        path.ok()
            .and_then(|axum::extract::Path(id)| RunId::parse(&id))
            .map(Self)
            .ok_or_else(Problem::not_found)
    }
}

/// 400, beside the key that is wrong.
pub(crate) fn bad_key(key: &str, message: impl Into<String>) -> Problem {
    let message = message.into();
    Problem::bad_request(format!("`{key}`: {message}")).with_errors(vec![FieldError {
        param: Some(key.to_owned()),
        message,
    }])
}

/// Reads one optional key by its word. An empty value is no word, and so an error.
pub(crate) fn read<T>(
    key: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    wanted: &str,
) -> Result<Option<T>, Problem> {
    match text {
        None => Ok(None),
        Some(text) => match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(bad_key(key, format!("write {wanted}"))),
        },
    }
}

/// Reads one optional key that is a whole number.
pub(crate) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    key: &str,
    text: Option<&str>,
    bounds: RangeInclusive<T>,
) -> Result<Option<T>, Problem> {
    let wanted = format!("a number from {} to {}", bounds.start(), bounds.end());
    let parse = |text: &str| text.parse().ok().filter(|number| bounds.contains(number));
    read(key, text, parse, &wanted)
}
