//! JSON bodies, read strictly: one content type, no unknown and no double fields, and an error
//! that says where in the body it is.

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::front::body;
use crate::problem::Problem;

/// A body that was read as `T`. `T` says `deny_unknown_fields`, so a spelling mistake is an error
/// and not an argument that is silently left out.
#[derive(Debug)]
pub(crate) struct StrictJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body as JSON, with the header `Content-Type: application/json`.",
            ));
        }
        parse(&body::whole(request, state).await?).map(Self)
    }
}

/// Reads the whole body as `T`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // By itself serde takes a list of the members' values too, and speaks of our types.
    if matches!(body.trim_ascii_start().first(), Some(first) if *first != b'{') {
        return Err(Problem::bad_request(
            "The body must be an object such as {\"script\": \"folder/name\"}.",
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!("The body is not what this address takes: {error}."))
    })
}

/// `application/json`, with no parameter but `charset=utf-8`, and not compressed.
fn is_json(headers: &HeaderMap) -> bool {
    let plain = headers.get(http::header::CONTENT_ENCODING).is_none();
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    let Ok(kind) = kind.to_str() else {
        return false;
    };
    let mut parts = kind.split(';').map(str::trim);
    let right = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    plain
        && right
        && parts.all(|p| {
            p.eq_ignore_ascii_case("charset=utf-8") || p.eq_ignore_ascii_case("charset=\"utf-8\"")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_utf_8_json_is_taken() {
        let rows = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json; charset=utf-16", false),
            ("application/jsonp", false),
            ("text/json", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ];
        for (kind, taken) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().expect("a header"));
            assert_eq!(is_json(&headers), taken, "{kind:?}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn two_content_types_are_no_content_type() {
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_TYPE, "application/json".parse().expect("a header"));
        assert!(is_json(&headers));
        headers.append(CONTENT_TYPE, "text/plain".parse().expect("a header"));
        assert!(!is_json(&headers));
    }
}
