//! The two cookies: of a session, and of somebody who is not signed in yet.
//!
//! Cookies ignore ports, so the listener's port is part of the name: two Stagedoors on one
//! machine do not sign each other's users out. Over plain HTTP there is no `Secure` and so no
//! `__Host-` prefix.

use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::header::{COOKIE, HeaderMap, HeaderValue};

use crate::base_path::BasePath;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jar {
    /// Of a signed-in user.
    Session,
    /// Binds the log-in and setup forms to the browser that asked for them.
    PreSession,
}

impl Jar {
    fn name(self, port: u16) -> String {
        match self {
            Jar::Session => format!("SessionID-{port}"),
            Jar::PreSession => format!("PreSessionID-{port}"),
        }
    }

    /// The cookie's value. Two of one name are none: one of them was planted.
    pub fn read(self, headers: &HeaderMap, port: u16) -> Option<String> {
        let name = self.name(port);
        let mut found = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned());
        found.next().filter(|_| found.next().is_none())
    }

    /// `Set-Cookie` with a value (row W73). `None` when it cannot stand in a header.
    pub fn set(
        self,
        port: u16,
        base: &BasePath,
        value: &str,
        lifetime: Duration,
    ) -> Option<HeaderValue> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let mut cookie = Cookie::new(self.name(port), value.to_owned());
        cookie.set_path(base.of_cookies().to_owned());
        cookie.set_same_site(SameSite::Strict);
        cookie.set_http_only(true);
        cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        HeaderValue::from_str(&cookie.to_string()).ok()
    }

    /// `Set-Cookie` that takes it away.
    pub fn expire(self, port: u16, base: &BasePath) -> Option<HeaderValue> {
        self.set(port, base, "", Duration::ZERO)
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

    #[test]
    fn w73_the_session_cookie_has_its_attributes() {
        let line = Jar::Session
            .set(7373, &BasePath::default(), "1:ab", Duration::from_hours(1))
            .expect("a header");
        let line = line.to_str().expect("text");
        for part in [
            "SessionID-7373=1:ab",
            "Path=/",
            "SameSite=Strict",
            "Max-Age=3600",
            "HttpOnly",
        ] {
            assert!(line.split("; ").any(|p| p == part), "{part} in {line}");
        }
        assert!(!line.contains("Secure") && !line.contains("Domain"));
    }

    #[test]
    fn over_plain_http_a_cookie_is_kept_from_what_stands_beside_the_base_path() {
        let base = BasePath::new("/door");
        for line in [
            Jar::Session.set(7373, &base, "x", Duration::from_hours(1)),
            Jar::PreSession.expire(7373, &base),
        ] {
            let line = line.expect("a header");
            let line = line.to_str().expect("text");
            assert!(line.split("; ").any(|p| p == "Path=/door"), "{line}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_port() {
        let headers = headers(&["a=b; SessionID-80=no; SessionID-7373=yes"]);
        assert_eq!(Jar::Session.read(&headers, 7373).as_deref(), Some("yes"));
        assert_eq!(Jar::Session.read(&headers, 81), None);
        assert_eq!(Jar::PreSession.read(&headers, 7373), None);
    }

    #[test]
    fn two_cookies_of_one_name_are_none() {
        let planted = headers(&["SessionID-1=a; SessionID-1=b"]);
        assert_eq!(Jar::Session.read(&planted, 1), None);
        let planted = headers(&["SessionID-1=a", "SessionID-1=a"]);
        assert_eq!(Jar::Session.read(&planted, 1), None);
    }
}
