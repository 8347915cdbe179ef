//! What every request must look like, before the router sees it.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Hosts {
    /// Beside the loopback's names, which always count.
    pub fn new(public: &[String]) -> Self {
        let mut hosts = Self {
            names: Vec::new(),
            addresses: Vec::new(),
        };
        for host in public {
            match address(host) {
                Some(address) => hosts.addresses.push(address),
                None => hosts.names.push(host.to_ascii_lowercase()),
            }
        }
        hosts
    }

    /// A page of another site that has its name point here (DNS rebinding) is refused by this. An
    /// address is the same in all its spellings; a name has one, but for the case of its letters.
    fn serves(&self, host: &str) -> bool {
        let host = without_port(host);
        if let Some(address) = address(host) {
            return address.is_loopback() || self.addresses.contains(&address);
        }
        let is = |name: &str| name.eq_ignore_ascii_case(host);
        is("localhost") || self.names.iter().any(|name| is(name))
    }
}

/// `1.2.3.4` or `[::1]`, as an address of the web writes it; a mapped IPv4 address is one of IPv4.
fn address(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let address = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok()?.into(),
        None => host.parse::<Ipv4Addr>().ok()?.into(),
    };
    Some(IpAddr::to_canonical(&address))
}

/// `a:80` → `a`, `[::1]:80` → `[::1]`; anything odd stays and matches nothing.
pub(crate) fn without_port(host: &str) -> &str {
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
        let public = [
            "Scripts.Example.org",
            "xn--bcher-kva.example",
            "10.0.0.5",
            "[2001:db8::5]",
        ];
        Hosts::new(&public.map(str::to_owned))
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
            "XN--Bcher-KVA.Example",
            "10.0.0.5",
            "10.0.0.5:9",
            "[::ffff:10.0.0.5]:9",
            "[0:0:0:0:0:0:0:1]",
            "[0000:0000:0000:0000:0000:0000:0000:0001]:80",
            "[::0:1]",
            "[::1]:",
            "[::ffff:127.0.0.1]:80",
            "[::FFFF:7F00:1]",
            "[2001:db8::5]",
            "[2001:DB8:0:0:0::0005]:443",
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
            "::1",
            "[::1",
            "::1]",
            "[::1]]",
            "[[::1]]",
            "[::1%lo]",
            "[::1%25lo]",
            "[::1]80",
            "[127.0.0.1]",
            "[localhost]",
            "[::127.0.0.1]",
            "[2001:db8::6]",
            "2001:db8::5",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "localhost.",
            "scripts.example.org.",
            "bücher.example",
            "bu\u{308}cher.example",
            "xn--bcher-kva.example.",
            "xn--bcher-kvb.example",
            "ſcripts.example.org",
            "localhoſt",
            "ｌｏｃａｌｈｏｓｔ",
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
