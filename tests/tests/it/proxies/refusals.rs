//! What a server refuses, and what a proxy refuses before it.

use std::io::Write as _;
use std::net::Ipv4Addr;

use super::House;
use super::visitor::{connect, parse, rest, until};
use crate::http::Answer;

/// Each of them exactly once on every answer of the server.
const HEADERS: [&str; 13] = [
    "content-security-policy",
    "strict-transport-security",
    "x-frame-options",
    "x-xss-protection",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "x-permitted-cross-domain-policies",
    "cache-control",
    "content-type",
];

#[track_caller]
fn has_each_header_once(what: &str, answer: &Answer) {
    for name in HEADERS {
        let lines = answer.headers.iter().filter(|(key, _)| key == name).count();
        assert_eq!(lines, 1, "{what}: {name} in {:?}", answer.headers);
    }
    for (name, value) in &answer.headers {
        assert_ne!(name, "x-powered-by", "{value}");
        assert_ne!(name, "via", "{value}");
        let shows = name == "server" && value.contains(|c: char| c.is_ascii_digit());
        assert!(!shows, "a version in {value}");
    }
}

/// Answers come as the server made them, and a larger body than it takes is refused.
pub fn pass_through(house: &House) {
    let mut ann = house.visitor();
    for (method, path, status) in [
        ("GET", "/login", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/static/0/style.pyc", 404),
        ("GET", "/static/__pycache__/a.cpython-311.pyc", 404),
        ("GET", "/icons/", 404),
        ("GET", "/.git/config", 404),
        ("GET", "/scripts/ops%2Fhello", 404),
        ("GET", "/login/../login", 404),
        ("DELETE", "/login", 405),
        ("GET", "/logout", 405),
    ] {
        let answer = ann.send(method, path, &[], b"");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        // The link to the content stands on every page of ours, and on none of a proxy's.
        let page = answer.text();
        assert!(page.contains("class=\"skip\""), "{method} {path}: {page}");
        has_each_header_once(path, &answer);
    }
    let mut robot = house.robot();
    let missing = robot.get("/api/v1/runs/0").expect(404);
    assert_eq!(
        missing.header("content-type"),
        Some("application/problem+json")
    );
    has_each_header_once("the API", &missing);
    bodies(house);
}

fn bodies(house: &House) {
    let mut robot = house.robot();
    let frame = "{\"script\":\"hello\",\"args\":{\"x\":\"\"}}";
    let filled = "x".repeat((1 << 20) - frame.len());
    let body = frame.replace(":\"\"", &format!(":\"{filled}\""));
    let whole = robot.post_json("/api/v1/runs", &body);
    assert_eq!(whole.status, 422, "{}", whole.text());
    assert!(whole.text().contains("errors"), "{}", whole.text());
    // It is refused by what its head says; nothing of the body need be sent.
    for bytes in ["1048577", "5000000000"] {
        let mut stream = robot.connect();
        let head = format!(
            "POST /api/v1/runs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {bytes}\r\n\
             connection: close\r\n\r\n",
            house.token.trim()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let refused = until(&mut stream, "\r\n\r\n");
        assert!(refused.starts_with("HTTP/1.1 413"), "{bytes}: {refused}");
    }
    robot.get("/api/v1/me").expect(200);
}

fn plainly(house: &House, request: &str) -> Answer {
    let mut stream = connect(Ipv4Addr::LOCALHOST, house.proxy.plain);
    stream.write_all(request.as_bytes()).expect("sent");
    parse(&rest(&mut stream)).unwrap_or_else(|| panic!("no answer to {request:?}"))
}

/// Page loads are led to this host by HTTPS; nothing else is.
pub fn plain_http(house: &House) {
    let host = format!("localhost:{}", house.proxy.plain);
    let asked = |line: &str, more: &str| {
        plainly(
            house,
            &format!("{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n"),
        )
    };
    let led = asked("GET /runs?a=b%20c", "");
    assert_eq!(led.status, 308, "{}", led.text());
    let to = format!("https://localhost:{}/runs?a=b%20c", house.proxy.tls);
    assert_eq!(led.header("location"), Some(to.as_str()));
    for (line, more) in [
        ("GET /api/v1/me", "authorization: Bearer sd_x\r\n"),
        ("POST /api/v1/runs", "content-length: 0\r\n"),
    ] {
        let refused = asked(line, more);
        assert_eq!(refused.status, 403, "{line}: {}", refused.text());
        assert_eq!(refused.header("location"), None, "{line}");
    }
    let elsewhere = "GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let mut stream = connect(Ipv4Addr::LOCALHOST, house.proxy.plain);
    stream.write_all(elsewhere.as_bytes()).expect("sent");
    let said = String::from_utf8_lossy(&rest(&mut stream)).into_owned();
    assert!(!said.contains("evil.example"), "{said}");
}
