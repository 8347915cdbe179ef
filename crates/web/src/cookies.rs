//! The two cookies: of a session, and of somebody who is not signed in yet.
//!
//! Over HTTPS a browser takes `__Host-` cookies from this very host alone, and over HTTPS alone.
//! Over plain HTTP there is no such promise, and cookies ignore ports: there the listener's port
//! is part of the name, so that two Stagedoors on one machine do not sign each other's users out.
//! A cookie of the other kind is not read.

use std::borrow::Cow;
use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::header::{COOKIE, HeaderMap, HeaderValue};

use crate::base_path::BasePath;
use crate::session::Arrival;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jar {
    /// Of a signed-in user.
    Session,
    /// Binds the log-in and setup forms to the browser that asked for them.
    PreSession,
}

impl Jar {
    /// Over HTTPS the whole name; over plain HTTP what stands before the port.
    fn name(self, arrival: Arrival) -> &'static str {
        match (self, arrival.is_secure) {
            (Jar::Session, true) => "__Host-SessionID",
            (Jar::PreSession, true) => "__Host-PreSessionID",
            (Jar::Session, false) => "SessionID-",
            (Jar::PreSession, false) => "PreSessionID-",
        }
    }

    /// Is this the name of the cookie? Asked for each cookie of a request, so it makes no text.
    fn is_named(self, name: &str, arrival: Arrival) -> bool {
        match name.strip_prefix(self.name(arrival)) {
            Some(rest) if arrival.is_secure => rest.is_empty(),
            Some(port) => {
                let is_plain = port.bytes().all(|byte| byte.is_ascii_digit());
                is_plain && !port.starts_with('0') && port.parse() == Ok(arrival.port)
            }
            None => false,
        }
    }

    /// The cookie's value. Two of one name are none: one of them was planted.
    pub fn read(self, headers: &HeaderMap, arrival: Arrival) -> Option<&str> {
        let mut found = headers
            .get_all(COOKIE)
            .iter()
            // One by one: what another program on this host put beside ours may be no ASCII.
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
            .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
            .filter(|(name, _)| self.is_named(name, arrival))
            .map(|(_, value)| value);
        found.next().filter(|_| found.next().is_none())
    }

    /// `Set-Cookie` with a value (row W73). `None` when it cannot stand in a header.
    pub fn set(
        self,
        arrival: Arrival,
        base: &BasePath,
        value: &str,
        lifetime: Duration,
    ) -> Option<HeaderValue> {
        let name = self.name(arrival);
        let name = if arrival.is_secure {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(format!("{name}{}", arrival.port))
        };
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let mut cookie = Cookie::new(name, value);
        // A name that begins with `__Host-` is taken with the path `/` only.
        cookie.set_path(if arrival.is_secure {
            "/"
        } else {
            base.of_cookies()
        });
        cookie.set_same_site(SameSite::Strict);
        cookie.set_http_only(true);
        cookie.set_secure(arrival.is_secure);
        cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        HeaderValue::from_str(&cookie.to_string()).ok()
    }

    /// `Set-Cookie` that takes it away.
    pub fn expire(self, arrival: Arrival, base: &BasePath) -> Option<HeaderValue> {
        self.set(arrival, base, "", Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (COOKIE, HeaderValue::from_static(line)))
            .collect()
    }

    fn at(port: u16, is_secure: bool) -> Arrival {
        Arrival {
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            port,
            is_secure,
        }
    }

    #[test]
    fn w73_the_session_cookie_has_its_attributes() {
        let hour = Duration::from_hours(1);
        for (is_secure, pair) in [
            (false, "SessionID-7373=1:ab"),
            (true, "__Host-SessionID=1:ab"),
        ] {
            let line = Jar::Session.set(at(7373, is_secure), &BasePath::default(), "1:ab", hour);
            let line = line.expect("a header");
            let line = line.to_str().expect("text");
            for part in [
                pair,
                "Path=/",
                "SameSite=Strict",
                "Max-Age=3600",
                "HttpOnly",
            ] {
                assert!(line.split("; ").any(|p| p == part), "{part} in {line}");
            }
            assert_eq!(line.split("; ").any(|p| p == "Secure"), is_secure, "{line}");
            assert!(!line.contains("Domain"), "{line}");
        }
    }

    #[test]
    fn over_plain_http_a_cookie_is_kept_from_what_stands_beside_the_base_path() {
        let (base, hour) = (BasePath::new("/door"), Duration::from_hours(1));
        for (is_secure, path) in [(false, "Path=/door"), (true, "Path=/")] {
            for line in [
                Jar::Session.set(at(7373, is_secure), &base, "x", hour),
                Jar::PreSession.expire(at(7373, is_secure), &base),
            ] {
                let line = line.expect("a header");
                let line = line.to_str().expect("text");
                assert!(line.split("; ").any(|p| p == path), "{line}");
            }
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_port() {
        let headers = headers(&["a=b; SessionID-80=no; SessionID-7373=yes; SessionID-081=no"]);
        assert_eq!(Jar::Session.read(&headers, at(7373, false)), Some("yes"));
        assert_eq!(Jar::Session.read(&headers, at(81, false)), None);
        assert_eq!(Jar::PreSession.read(&headers, at(7373, false)), None);
    }

    #[test]
    fn w73_each_scheme_has_cookies_of_its_own() {
        let both = headers(&["SessionID-80=plain; __Host-SessionID=safe"]);
        assert_eq!(Jar::Session.read(&both, at(80, false)), Some("plain"));
        assert_eq!(Jar::Session.read(&both, at(80, true)), Some("safe"));
        for (line, is_secure) in [
            ("SessionID-80=x", true),
            ("__Host-SessionID-80=x", true),
            ("__Secure-SessionID=x", true),
            ("__Host-SessionID=x", false),
            ("SessionID=x", false),
        ] {
            let found = headers(&[line]);
            assert_eq!(Jar::Session.read(&found, at(80, is_secure)), None, "{line}");
        }
        let pre = headers(&["__Host-PreSessionID=x"]);
        assert_eq!(Jar::PreSession.read(&pre, at(80, true)), Some("x"));
        assert_eq!(Jar::Session.read(&pre, at(80, true)), None);
    }

    #[test]
    fn what_others_put_beside_a_cookie_does_not_hide_it() {
        let mut headers = HeaderMap::new();
        let line = b"x=J\xc3\xbcrgen; SessionID-7373=yes; y=\xff";
        headers.insert(COOKIE, HeaderValue::from_bytes(line).expect("a value"));
        assert_eq!(Jar::Session.read(&headers, at(7373, false)), Some("yes"));
    }

    #[test]
    fn two_cookies_of_one_name_are_none() {
        let planted = headers(&["SessionID-1=a; SessionID-1=b"]);
        assert_eq!(Jar::Session.read(&planted, at(1, false)), None);
        let planted = headers(&["__Host-SessionID=a", "__Host-SessionID=a"]);
        assert_eq!(Jar::Session.read(&planted, at(1, true)), None);
    }
}
