//! The set itself, and a client that sees every line of a head.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::program::Program;

/// Name and value, the same wherever they stand.
const SET: [(&str, &str); 10] = [
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-permitted-cross-domain-policies", "none"),
    ("origin-agent-cluster", "?1"),
    ("x-dns-prefetch-control", "off"),
];
/// What each policy has, with a form and without.
const POLICY: [&str; 13] = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "report-uri /csp-report",
];
const ABSENT: [&str; 5] = [
    "server",
    "x-powered-by",
    "feature-policy",
    "access-control-allow-origin",
    "x-aspnet-version",
];

/// The head of an answer.
pub struct Head {
    pub status: u16,
    lines: Vec<(String, String)>,
}

impl Head {
    /// The one header of that name.
    #[track_caller]
    pub fn one(&self, name: &str) -> &str {
        let found: Vec<&str> = self.all(name).collect();
        assert_eq!(found.len(), 1, "{name} of {}: {found:?}", self.status);
        found[0]
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Sends these bytes and reads the head of what comes back.
pub fn exchange(program: &Program, bytes: &[u8]) -> Head {
    let address = program.url.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a limit");
    stream.write_all(bytes).expect("sent");
    let mut got = Vec::new();
    let mut byte = [0];
    while !got.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a whole head");
        got.push(byte[0]);
    }
    let text = String::from_utf8(got).expect("a head of text");
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    Head {
        status: status.and_then(|s| s.parse().ok()).expect("a status"),
        lines: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
    }
}

/// A request line with more header lines, for the right host.
pub fn request(program: &Program, line: &str, more: &str) -> Head {
    let host = program.url.strip_prefix("http://").expect("plain HTTP");
    let text = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
    exchange(program, text.as_bytes())
}

#[track_caller]
pub fn has_the_set(head: &Head, what: &str, is_secure: bool) {
    for (name, value) in SET {
        assert_eq!(head.one(name), value, "{what}: {name}");
    }
    let permissions = head.one("permissions-policy");
    for feature in ["microphone", "camera", "payment", "geolocation"] {
        let is_off = permissions
            .split(", ")
            .any(|p| p == format!("{feature}=()"));
        assert!(is_off, "{what}: {feature} in {permissions}");
    }
    let policy = head.one("content-security-policy");
    let parts: Vec<&str> = policy.split("; ").collect();
    for part in POLICY {
        let times = parts.iter().filter(|p| **p == part).count();
        assert_eq!(times, 1, "{what}: {part} in {policy}");
    }
    for part in ["upgrade-insecure-requests", "report-to csp"] {
        assert_eq!(parts.contains(&part), is_secure, "{what}: {part}");
    }
    let promise: Vec<&str> = head.all("strict-transport-security").collect();
    let expected: &[&str] = if is_secure {
        &["max-age=63072000"]
    } else {
        &[]
    };
    assert_eq!(promise, expected, "{what}");
    assert_eq!(
        head.all("reporting-endpoints").count(),
        usize::from(is_secure),
        "{what}"
    );
    let cache = head.one("cache-control");
    match cache {
        "no-store" => assert!(head.one("vary").contains("cookie"), "{what}"),
        _ => assert_eq!(cache, "public, max-age=31536000, immutable", "{what}"),
    }
    for name in ABSENT {
        assert_eq!(head.all(name).count(), 0, "{what} has {name}");
    }
    assert!(head.all("content-type").count() <= 1, "{what}");
}
