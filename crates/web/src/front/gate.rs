//! What every request must look like, before the router sees it.

use std::any::Any;
use std::net::IpAddr;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};

use super::LARGEST_BODY;
use crate::problem::Problem;

/// Characters of a foreign name in the log.
const MOST_SHOWN: usize = 100;

/// The names that this server answers to.
#[derive(Debug)]
pub(super) struct Hosts {
    public: Vec<String>,
}

impl Hosts {
    /// Beside the loopback's names, which always count.
    pub fn new(public: &[String]) -> Self {
        Self {
            public: public
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
        }
    }

    /// A page of another site that has its name point here (DNS rebinding) is refused by this.
    fn serves(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let address = name
            .strip_prefix('[')
            .and_then(|n| n.strip_suffix(']'))
            .unwrap_or(&name);
        name == "localhost"
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback())
            || self
                .public
                .iter()
                .any(|host| *host == name || without_port(host) == name)
    }
}

/// `a:80` → `a`, `[::1]:80` → `[::1]`; anything odd stays and matches nothing.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

/// Is this a request that the router may see?
pub(super) fn check(hosts: &Hosts, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let mut lines = headers.get_all(HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (Some(host), None) => host.to_str().unwrap_or(""),
        _ => return Err(Problem::bad_request("The request must have one Host.")),
    };
    // An absolute address in the request line overrides Host (RFC 9112, 3.2.2), so both count.
    let mut named = [Some(host), uri.authority().map(Authority::as_str)]
        .into_iter()
        .flatten();
    if let Some(other) = named.find(|name| !hosts.serves(name)) {
        return Err(foreign(other));
    }
    if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
        return Err(Problem::bad_request(
            "The request has both Content-Length and Transfer-Encoding.",
        ));
    }
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > LARGEST_BODY as u64) {
        return Err(Problem::too_large());
    }
    if is_plain(uri.path()) || uri.path() == "*" {
        Ok(())
    } else {
        Err(Problem::not_found().with_cause("no address here is spelled like that"))
    }
}

/// The log says which name it was: it may be the operator's own, and `public_host` lacks it.
fn foreign(host: &str) -> Problem {
    let shown: String = host.chars().take(MOST_SHOWN).collect();
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "This server does not answer to that name. Its operator can add it to `public_host`.",
    )
    .with_cause(format_args!(
        "this server does not answer to the name {shown:?}; if that is its own, add it to `public_host`"
    ))
}

/// Each address has one spelling: no `%`, for every name of ours is made of letters, digits and
/// `-._`; no empty part, no dot segment, no slash at the end.
fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let good = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    rest.is_empty() || rest.split('/').all(good)
}

/// A handler that panicked has failed this one request.
#[expect(clippy::needless_pass_by_value, reason = "nobody needs it any more")]
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Problem::internal(format!("a handler panicked: {text}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn hosts() -> Hosts {
        Hosts::new(&["Scripts.Example.org".to_owned(), "10.0.0.5:8080".to_owned()])
    }

    #[test]
    fn the_loopback_and_the_public_names_are_served() {
        for good in [
            "localhost",
            "LocalHost:7373",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.9.9.9",
            "[::1]",
            "[::1]:7373",
            "scripts.example.org",
            "scripts.example.org:8443",
            "10.0.0.5",
            "10.0.0.5:9",
        ] {
            assert!(hosts().serves(good), "{good}");
        }
    }

    #[test]
    fn any_other_name_is_not() {
        for bad in [
            "",
            ":",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:7373",
            "10.0.0.6",
            "[::2]",
            "localhost:80:80",
            "localhost:x",
            "user@localhost",
            "localhost/",
            "::1:80",
        ] {
            assert!(!hosts().serves(bad), "{bad}");
        }
    }

    #[test]
    fn a_path_has_one_spelling() {
        for good in [
            "/",
            "/scripts/ops/back_up-2.x",
            "/runs",
            "/static/0a/style.css",
        ] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "", "*", "/runs/", "//", "/a//b", "/a/./b", "/a/../b", "/a%2Fb", "/a%2fb", "/%61",
            "/a\\b", "/a;b", "/a b", "/ä", "/a/..", "/~",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }

    fn checked(uri: &str, pairs: &[(http::HeaderName, &'static str)]) -> StatusCode {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        let uri = uri.parse().expect("a URI");
        check(&hosts(), &uri, &headers)
            .err()
            .map_or(StatusCode::OK, |problem| problem.status())
    }

    #[test]
    fn a_request_names_one_host_of_ours() {
        let local = (HOST, "localhost");
        assert_eq!(checked("/", std::slice::from_ref(&local)), 200);
        assert_eq!(
            checked("http://localhost/", std::slice::from_ref(&local)),
            200
        );
        assert_eq!(checked("/", &[]), 400);
        assert_eq!(checked("/", &[local.clone(), local.clone()]), 400);
        assert_eq!(checked("/", &[(HOST, "evil.example")]), 421);
        assert_eq!(checked("http://evil.example/", &[local]), 421);
    }

    #[test]
    fn a_body_has_one_length_and_not_too_much() {
        let local = (HOST, "localhost");
        let length = |n| [local.clone(), (CONTENT_LENGTH, n)];
        assert_eq!(checked("/", &length("1048576")), 200);
        assert_eq!(checked("/", &length("1048577")), 413);
        let both = [
            local.clone(),
            (CONTENT_LENGTH, "1"),
            (TRANSFER_ENCODING, "chunked"),
        ];
        assert_eq!(checked("/", &both), 400);
    }
}
