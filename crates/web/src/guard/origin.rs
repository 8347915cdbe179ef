//! Did our own page send this request? `Origin` and `Sec-Fetch-Site` are set by the browser and
//! cannot be set by a page.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use crate::problem::Problem;

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Refuses a change that another site asks for. A client that sends neither header is not a
/// browser of today; it still needs the session's one-time token.
///
/// `is_secure` says how our own pages came to the browser. What a plain page asks for is not of
/// our own over HTTPS: whoever sits between could have written it.
pub(crate) fn check_origin(headers: &HeaderMap, is_secure: bool) -> Result<(), Problem> {
    let refused = || {
        Problem::forbidden("This request did not come from one of Stagedoor's own pages.")
            .with_code("cross_site")
    };
    if headers.get_all(ORIGIN).iter().count() > 1 {
        return Err(refused());
    }
    if let Some(origin) = one(headers, ORIGIN.as_str()) {
        let host = one(headers, HOST.as_str()).unwrap_or("");
        let scheme = if is_secure { "https://" } else { "http://" };
        let ours = origin
            .strip_prefix(scheme)
            .is_some_and(|origin| !host.is_empty() && origin.eq_ignore_ascii_case(host));
        if !ours {
            return Err(refused());
        }
    }
    match one(headers, "sec-fetch-site") {
        None | Some("same-origin") => Ok(()),
        Some(_) => Err(refused()),
    }
}

/// Did a person type the address in? Good for reading only.
pub(super) fn is_typed(headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN) && one(headers, "sec-fetch-site") == Some("none")
}

/// Did another site lead here?
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    matches!(
        one(headers, "sec-fetch-site"),
        Some("cross-site" | "same-site")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn our_own_page_may_send_a_form_and_a_program_without_origin_too() {
        let host = ("host", "localhost:7373");
        for good in [
            &[
                host,
                ("origin", "http://localhost:7373"),
                ("sec-fetch-site", "same-origin"),
            ][..],
            &[host, ("origin", "http://LOCALHOST:7373")],
            &[host, ("sec-fetch-site", "same-origin")],
            &[host],
        ] {
            assert!(check_origin(&headers(good), false).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn w77_another_site_may_not() {
        let host = ("host", "localhost:7373");
        for bad in [
            &[host, ("origin", "null")][..],
            &[host, ("origin", "http://localhost:7374")],
            &[host, ("origin", "http://evil.example")],
            &[host, ("origin", "localhost:7373")],
            &[host, ("origin", "")],
            &[("origin", "http://")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "none")],
            &[
                host,
                ("origin", "http://localhost:7373"),
                ("origin", "http://localhost:7373"),
            ],
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in bad {
                map.append(*name, HeaderValue::from_static(value));
            }
            assert!(check_origin(&map, false).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn w77_a_page_of_the_other_scheme_is_another_site() {
        let from = |origin| headers(&[("host", "a.example"), ("origin", origin)]);
        for (origin, is_secure, is_ours) in [
            ("http://a.example", false, true),
            ("https://a.example", true, true),
            ("http://a.example", true, false),
            ("https://a.example", false, false),
        ] {
            let checked = check_origin(&from(origin), is_secure);
            assert_eq!(checked.is_ok(), is_ours, "{origin} {is_secure}");
        }
    }
}
