//! Tokens of programs (row W83): in the header `Authorization` and nowhere else, and never from a
//! browser. What holds a token is a program; a browser that sends one was made to.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, Uri};

use super::unauthorized;
use crate::cookies::Jar;
use crate::problem::Problem;
use crate::session::Arrival;

/// Names under which clients of other servers put tokens into an address.
const IN_QUERY: [&str; 4] = ["access_token", "api_key", "apikey", "token"];

/// The token of a program. Any other scheme, `Basic` too, is answered 401 with a challenge that no
/// browser answers by itself.
pub(super) fn token(headers: &HeaderMap, arrival: Arrival) -> Result<Option<&str>, Problem> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    shows_no_browser(headers, arrival)?;
    let token = line
        .to_str()
        .ok()
        .and_then(|line| line.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match (token, lines.next()) {
        (Some(token), None) => Ok(Some(token)),
        _ => Err(unauthorized()),
    }
}

fn shows_no_browser(headers: &HeaderMap, arrival: Arrival) -> Result<(), Problem> {
    if Jar::Session.read(headers, arrival).is_some() {
        return Err(Problem::bad_request(
            "The request has a session cookie and a token; send one of them.",
        ));
    }
    let from_browser = headers.contains_key(COOKIE)
        || headers.contains_key("origin")
        || headers
            .keys()
            .any(|name| name.as_str().starts_with("sec-fetch-"));
    if from_browser {
        return Err(Problem::forbidden(
            "Tokens are for programs, not for browsers.",
        ));
    }
    Ok(())
}

/// An address stands in logs, histories and the header `Referer`: a token there is not looked at,
/// and its sender is told.
pub(super) fn not_in_query(uri: &Uri) -> Result<(), Problem> {
    let names = uri.query().unwrap_or_default().split('&');
    let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
    if names.any(|name| IN_QUERY.iter().any(|bad| name.eq_ignore_ascii_case(bad))) {
        return Err(Problem::bad_request(
            "A token does not belong into an address, where logs keep it: revoke it, and send a new \
             one in the header `Authorization: Bearer`.",
        ));
    }
    Ok(())
}
