//! What every answer has, and what the gate lets through.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, Client};
use crate::server::TestServer;

const SCRIPT: (&str, &str) = (
    "ops/hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho hello\n",
);

/// Rows W8 to W19: name, and what must stand in the value.
const HEADERS: [(&str, &str); 14] = [
    ("content-security-policy", "default-src 'none'"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cache-control", ""),
    (
        "permissions-policy",
        "microphone=(), camera=(), payment=(), geolocation=()",
    ),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-permitted-cross-domain-policies", "none"),
    ("origin-agent-cluster", "?1"),
    ("x-dns-prefetch-control", "off"),
    (
        "content-security-policy",
        "require-trusted-types-for 'script'",
    ),
];
const ABSENT: [&str; 5] = [
    "strict-transport-security",
    "feature-policy",
    "server",
    "x-powered-by",
    "access-control-allow-origin",
];

fn has_the_set(answer: &Answer, what: &str) {
    for (name, part) in HEADERS {
        let value = answer
            .header(name)
            .unwrap_or_else(|| panic!("{what} lacks {name}"));
        assert!(value.contains(part), "{what}: {name}: {value}");
    }
    for name in ABSENT {
        assert_eq!(answer.header(name), None, "{what} has {name}");
    }
}

async fn style(client: &Client) -> String {
    let page = client.get("/login").await.text();
    let address = page
        .split("stylesheet\" href=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    address.expect("a style sheet").to_owned()
}

#[tokio::test]
async fn w6_every_answer_has_the_security_headers() {
    let server = TestServer::with(&[SCRIPT]).await;
    let (anon, ada) = (server.anonymous(), server.browser("ada", &["ops"]).await);
    let style = style(&anon).await;
    let rows: [(&Client, &str, &str, u16); 30] = [
        (&anon, "GET", "/", 303),
        (&anon, "HEAD", "/", 303),
        (&anon, "GET", "/login", 200),
        (&anon, "HEAD", "/login", 200),
        (&anon, "POST", "/login", 415),
        (&anon, "PUT", "/login", 405),
        (&anon, "GET", "/setup?key=x", 410),
        (&anon, "GET", &style, 200),
        (&anon, "HEAD", &style, 200),
        (&anon, "GET", "/static/0/style.css", 404),
        (&anon, "POST", &style, 405),
        (&anon, "GET", "/nowhere", 404),
        (&anon, "DELETE", "/nowhere", 404),
        (&anon, "OPTIONS", "/runs", 204),
        (&anon, "TRACE", "/runs", 405),
        (&anon, "GET", "/logout", 405),
        (&anon, "POST", "/logout", 303),
        (&anon, "GET", "/api/v1/runs", 401),
        (&anon, "POST", "/api/v1/runs", 401),
        (&anon, "GET", "/api/v1/nowhere", 404),
        (&anon, "GET", "/healthz", 200),
        (&anon, "GET", "/scripts/ops%2Fhello", 404),
        (&ada, "GET", "/", 200),
        (&ada, "HEAD", "/", 200),
        (&ada, "GET", "/scripts/ops/hello", 200),
        (&ada, "POST", "/scripts/ops/hello", 415),
        (&ada, "GET", "/scripts/none", 404),
        (&ada, "GET", "/runs", 200),
        (&ada, "GET", "/admin/health", 404),
        (&ada, "GET", "/api/v1/me", 200),
    ];
    for (client, method, path, status) in rows {
        let answer = client.send(method, path, &[], b"").await;
        let what = format!("{method} {path}");
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        has_the_set(&answer, &what);
        if status == 405 {
            assert!(answer.header("allow").is_some(), "{what}");
        }
        if method == "HEAD" {
            assert!(answer.body.is_empty(), "{what}");
        }
        let kept = answer
            .header("cache-control")
            .is_some_and(|value| value.contains("immutable"));
        assert_eq!(kept, path == style && status == 200, "{what}");
    }
}

#[tokio::test]
async fn the_gate_refuses_what_is_not_for_this_server() {
    let server = TestServer::with(&[SCRIPT]).await;
    let port = server.address.port();
    let long = "a".repeat(20_000);
    let rows = [
        (format!("GET / HTTP/1.1\r\nhost: localhost:{port}\r\n"), 303),
        (format!("GET / HTTP/1.1\r\nhost: [::1]:{port}\r\n"), 303),
        ("GET / HTTP/1.1\r\nhost: evil.example\r\n".to_owned(), 421),
        (
            "GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            421,
        ),
        (
            "GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n".to_owned(),
            400,
        ),
        ("GET / HTTP/1.1\r\n".to_owned(), 400),
        (
            "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1048577\r\n".to_owned(),
            413,
        ),
        (
            "GET /a/../login HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET /login/ HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET //login HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET /%6cogin HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            404,
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n"),
            431,
        ),
    ];
    for (head, status) in rows {
        let answer = raw(&server, &format!("{head}connection: close\r\n\r\n")).await;
        let shown = &head[..head.len().min(60)];
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{shown}: {answer}"
        );
        assert!(
            answer.contains("x-frame-options: DENY"),
            "{shown}: {answer}"
        );
    }
}

async fn raw(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn one_address_gets_128_connections_and_then_a_short_answer() {
    let server = TestServer::with(&[SCRIPT]).await;
    let mut held = Vec::new();
    for _ in 0..128 {
        let mut stream = TcpStream::connect(server.address)
            .await
            .expect("it listens");
        stream
            .write_all(b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .expect("sent");
        stream.read_u8().await.expect("an answer");
        held.push(stream);
    }
    let refused = raw(&server, "").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("x-frame-options: DENY"), "{refused}");
    drop(held);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(server.anonymous().get("/login").await.status, 200);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_end_up() {
    let server = TestServer::with(&[SCRIPT]).await;
    let mut idle = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    idle.write_all(b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("sent");
    idle.read_u8().await.expect("an answer");
    server.stop();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        idle.read_to_end(&mut rest),
    );
    assert!(ended.await.is_ok(), "the connection is closed");
}
