//! The front around routes that only tests have.

use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::routing::{get, post};
use stagedoor_domain::time::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::{headers, problem};

mod entry;
mod proxied;

const HEAD: Duration = Duration::from_millis(300);
/// Far longer than a head, so that a busy machine does not mix them up.
const IDLE: Duration = Duration::from_secs(2);
const BODY: Duration = Duration::from_millis(200);
const WHOLE_BODY: Duration = Duration::from_secs(1);
const PATIENCE: Patience = Patience {
    head: HEAD,
    idle: IDLE,
    body: BODY,
    handshake: HEAD,
    whole_body: WHOLE_BODY,
};
/// Far less than what clients are given outside of tests.
const SOON: Duration = Duration::from_secs(5);

async fn panics() -> &'static str {
    panic!("the secret is forty-two")
}

async fn length(request: axum::extract::Request) -> Result<String, problem::Problem> {
    let bytes = body::whole(request, &()).await?;
    Ok(format!("{} bytes", bytes.len()))
}

/// A server on the loopback, and what ends it.
async fn server() -> (SocketAddr, CancellationToken) {
    let router = Router::new()
        .route("/panic", get(panics))
        .route("/api/v1/panic", get(panics))
        .route("/body", post(length));
    let now = Arc::new(|| Timestamp::from_millis(0x1234));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let door = connection::Door {
        desk: Desk::Reception(Reception::new(router, &WebOptions::default(), now)),
        limits: Arc::default(),
        shutdown: shutdown.clone(),
        port: address.port(),
        patience: PATIENCE,
        tls: None,
        astray: Arc::default(),
        proxy: None,
        is_for_all: true,
    };
    tokio::spawn(connection::accept(listener, door, TaskTracker::new()));
    (address, shutdown)
}

/// What comes back until the connection ends, and how long that took.
#[expect(clippy::disallowed_methods, reason = "the time that a client waits")]
async fn answer(address: SocketAddr, sent: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(sent.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let ended = tokio::time::timeout(SOON, read).await;
    ended.expect("the connection ends soon").expect("read");
    (
        String::from_utf8_lossy(&bytes).into_owned(),
        begun.elapsed(),
    )
}

fn get_of(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn p6_a_panic_fails_one_request_with_an_id_and_without_its_cause() {
    let (address, _shutdown) = server().await;
    for (path, kind) in [
        ("/panic", "text/html; charset=utf-8"),
        ("/api/v1/panic", "application/problem+json"),
    ] {
        let (text, _) = answer(address, &get_of(path)).await;
        assert!(text.starts_with("HTTP/1.1 500 "), "{path}: {text}");
        assert!(
            text.contains(&format!("content-type: {kind}\r\n")),
            "{path}: {text}"
        );
        assert!(text.contains("1234-"), "{path} has no request id: {text}");
        for hidden in ["secret", "forty", "panic", ".rs", "src/", "backtrace"] {
            assert!(!text.contains(hidden), "{path} shows {hidden}: {text}");
        }
        for line in headers::as_text().lines() {
            assert!(text.contains(line), "{path} lacks {line}: {text}");
        }
    }
    let (text, _) = answer(address, &get_of("/nowhere")).await;
    assert!(
        text.starts_with("HTTP/1.1 404 "),
        "the server goes on: {text}"
    );
    assert!(!text.contains("1234-"), "a refusal needs no id: {text}");
}

#[tokio::test]
async fn two_failed_requests_have_two_ids() {
    let (address, _shutdown) = server().await;
    let id = |text: &str| {
        let at = text.find("1234-").expect("an id");
        text[at..]
            .chars()
            .take_while(|c| *c != '"')
            .collect::<String>()
    };
    let (first, _) = answer(address, &get_of("/api/v1/panic")).await;
    let (second, _) = answer(address, &get_of("/api/v1/panic")).await;
    assert_ne!(id(&first), id(&second));
}

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let (address, _shutdown) = server().await;
    let (text, took) = answer(address, "").await;
    assert!(took >= HEAD, "it was given {took:?}");
    assert_eq!(text, "", "who sent nothing is told nothing");
    let (text, took) = answer(address, "GET /nowhere HTTP/1.1\r\nhost: loc").await;
    assert!(took >= HEAD, "it was given {took:?}");
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.contains("connection: close\r\n"), "{text}");
    for line in headers::as_text().lines() {
        assert!(text.contains(line), "it lacks {line}: {text}");
    }
    // One byte now and then does not buy more time.
    let mut slow = TcpStream::connect(address).await.expect("it listens");
    let mut sent = 0;
    while slow.write_all(b"x").await.is_ok() && sent < 100 {
        tokio::time::sleep(HEAD / 6).await;
        sent += 1;
    }
    assert!(sent < 50, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused_and_one_that_goes_on_is_not() {
    let (address, _shutdown) = server().await;
    let head = "POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\n";
    let (text, took) = answer(address, &format!("{head}\r\nabc")).await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.contains("x-frame-options: DENY"), "{text}");
    assert!(took >= BODY, "{took:?}");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let head = format!("{head}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    // Longer in all than what may lie between two pieces.
    for byte in b"abcdef" {
        tokio::time::sleep(BODY / 3).await;
        stream.write_all(&[*byte]).await.expect("taken");
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    assert!(
        text.starts_with("HTTP/1.1 200 ") && text.ends_with("6 bytes"),
        "{text}"
    );
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the time that a client waits")]
async fn a_body_that_trickles_is_refused_after_a_while() {
    let (address, _shutdown) = server().await;
    let begun = Instant::now();
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut answers, mut body) = stream.into_split();
    let head = "POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999\r\n\r\n";
    body.write_all(head.as_bytes()).await.expect("sent");
    // Never long enough without a byte.
    let sender = tokio::spawn(async move {
        while body.write_all(b"x").await.is_ok() {
            tokio::time::sleep(BODY / 4).await;
        }
    });
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(SOON, answers.read(&mut answer)).await;
    let size = read.expect("an answer soon").expect("read");
    let text = String::from_utf8_lossy(&answer[..size]);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(begun.elapsed() >= WHOLE_BODY);
    sender.abort();
}

/// A connection whose first request has been answered.
async fn answered(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    another(&mut stream).await;
    stream
}

/// One more request and its answer.
async fn another(stream: &mut TcpStream) {
    let request = "POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    while !text.ends_with("0 bytes") {
        let byte = tokio::time::timeout(SOON, stream.read_u8()).await;
        text.push(byte.expect("an answer soon").expect("open").into());
    }
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
}

#[tokio::test]
async fn a_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let (address, _shutdown) = server().await;
    let mut stream = answered(address).await;
    for _ in 0..3 {
        tokio::time::sleep(HEAD * 2).await;
        another(&mut stream).await;
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the time that a client waits")]
async fn an_idle_connection_ends_at_last_and_one_with_half_a_head_sooner() {
    let (address, _shutdown) = server().await;
    for (sent, at_least, at_most) in [("", IDLE, SOON), ("GET /no", HEAD, IDLE)] {
        let mut stream = answered(address).await;
        let begun = Instant::now();
        stream.write_all(sent.as_bytes()).await.expect("sent");
        let read = tokio::time::timeout(SOON, stream.read_to_end(&mut Vec::new())).await;
        // A reset is as good as an end.
        let _ = read.expect("the connection ends soon");
        let took = begun.elapsed();
        assert!(
            // hyper's timer began with the answer, a moment before the test's.
            took + BODY >= at_least && took < at_most,
            "{sent:?} was given {took:?}"
        );
    }
}
