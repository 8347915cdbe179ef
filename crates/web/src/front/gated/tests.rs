//! The stream between a client and a hyper that the test plays.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::front::heads::HeadTimer;
use crate::front::watched::Watched;
use crate::headers;

type Headed = Watched<DuplexStream, HeadTimer>;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const BAD: &[u8] = b"GET / HTTP/1.1\r\nHost : a\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(10);

/// A client, and its connection as hyper has it.
fn connected() -> (DuplexStream, Gated<Headed>, Heads) {
    let (client, server) = duplex(64 * 1024);
    let heads = Heads::new(PATIENCE);
    let stream = heads.watch(server);
    (client, Gated::new(stream, heads.clone()), heads)
}

/// One read; nothing if nothing may be read now.
async fn read(gated: &mut Gated<Headed>) -> Option<io::Result<Vec<u8>>> {
    let mut bytes = vec![0; 16 * 1024];
    let size = tokio::time::timeout(Duration::ZERO, gated.read(&mut bytes)).await;
    let size = size.ok()?;
    Some(size.map(|size| bytes[..size].to_vec()))
}

async fn must_read(gated: &mut Gated<Headed>) -> Vec<u8> {
    read(gated)
        .await
        .expect("something to read")
        .expect("bytes")
}

/// What the client gets once hyper is done.
async fn rest(gated: Gated<Headed>, mut client: DuplexStream) -> String {
    let peer = IpAddr::from(Ipv4Addr::LOCALHOST);
    let mut text = String::new();
    let (read, ()) = tokio::join!(
        client.read_to_string(&mut text),
        gated.finish(peer, headers::as_text)
    );
    read.expect("text");
    text
}

#[tokio::test(start_paused = true)]
async fn a_head_passes_when_it_is_whole() {
    let (mut client, mut gated, _) = connected();
    let (first, second) = GET.split_at(7);
    client.write_all(first).await.expect("sent");
    assert!(read(&mut gated).await.is_none());
    client.write_all(second).await.expect("sent");
    assert_eq!(must_read(&mut gated).await, GET);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_until_the_one_before_it_is_answered() {
    let (mut client, mut gated, heads) = connected();
    client.write_all(&[GET, GET].concat()).await.expect("sent");
    assert_eq!(must_read(&mut gated).await, GET);
    let answering = heads.answering();
    gated.write_all(b"the first answer").await.expect("written");
    gated.flush().await.expect("flushed");
    assert!(read(&mut gated).await.is_none(), "it is answered still");
    drop(answering);
    assert!(read(&mut gated).await.is_none(), "it may lie in a buffer");
    gated.flush().await.expect("flushed");
    assert_eq!(must_read(&mut gated).await, GET);
}

#[tokio::test(start_paused = true)]
async fn nothing_behind_a_bad_request_is_read_and_the_answer_is_ours() {
    let (mut client, mut gated, _) = connected();
    client.write_all(&[BAD, GET].concat()).await.expect("sent");
    assert_eq!(must_read(&mut gated).await, b"");
    assert_eq!(must_read(&mut gated).await, b"");
    gated.shutdown().await.expect("hyper ends");
    let text = rest(gated, client).await;
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    assert!(
        text.ends_with("\r\n\r\nWhite space stands before a colon.\n"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_request_is_refused_after_the_answer_before_it() {
    let (mut client, mut gated, heads) = connected();
    client.write_all(&[GET, BAD].concat()).await.expect("sent");
    assert_eq!(must_read(&mut gated).await, GET);
    let answering = heads.answering();
    assert!(
        read(&mut gated).await.is_none(),
        "no end while it is answered"
    );
    gated.write_all(b"the first answer").await.expect("written");
    drop(answering);
    gated.flush().await.expect("flushed");
    assert_eq!(must_read(&mut gated).await, b"");
    let text = rest(gated, client).await;
    assert!(text.starts_with("the first answerHTTP/1.1 400 "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_noticed_while_it_is_answered() {
    let (client, mut gated, heads) = connected();
    let mut client = client;
    client.write_all(GET).await.expect("sent");
    assert_eq!(must_read(&mut gated).await, GET);
    let _answering = heads.answering();
    assert!(read(&mut gated).await.is_none());
    drop(client);
    assert_eq!(must_read(&mut gated).await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_bad_body_breaks_off_and_nothing_is_said_about_it_here() {
    let (mut client, mut gated, heads) = connected();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = [head, b"1\r\nab\r\n0\r\n\r\n".as_slice(), GET].concat();
    client.write_all(&bytes).await.expect("sent");
    let passed = must_read(&mut gated).await;
    assert_eq!(passed, bytes[..head.len() + 4]);
    let answering = heads.answering();
    assert!(answering.leaves_a_body());
    assert!(read(&mut gated).await.expect("an error").is_err());
    gated
        .write_all(b"the handler's answer")
        .await
        .expect("written");
    drop(answering);
    gated.flush().await.expect("flushed");
    assert!(read(&mut gated).await.expect("an error").is_err());
    assert_eq!(rest(gated, client).await, "the handler's answer");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_came_whole_leaves_nothing() {
    let (mut client, mut gated, heads) = connected();
    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
    client.write_all(bytes).await.expect("sent");
    assert_eq!(must_read(&mut gated).await, bytes);
    assert!(!heads.answering().leaves_a_body());
}

#[tokio::test(start_paused = true)]
async fn w6_an_answer_that_hyper_makes_by_itself_is_replaced_by_ours() {
    let canned = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    for reaches_the_service in [false, true] {
        let (mut client, mut gated, heads) = connected();
        client.write_all(GET).await.expect("sent");
        assert_eq!(must_read(&mut gated).await, GET);
        let _answering = reaches_the_service.then(|| heads.answering());
        gated.write_all(canned).await.expect("written");
        gated.shutdown().await.expect("hyper ends");
        let text = rest(gated, client).await;
        if reaches_the_service {
            assert_eq!(text.as_bytes(), canned);
        } else {
            assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
            assert!(text.contains("x-frame-options: DENY\r\n"), "{text}");
            assert!(!text.contains("content-length: 0"), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_head_is_told_so_and_silence_is_not() {
    for (sent, start) in [(GET.split_at(9).0, "HTTP/1.1 408 "), (b"", "")] {
        let (mut client, mut gated, _) = connected();
        client.write_all(sent).await.expect("sent");
        let mut bytes = Vec::new();
        gated.read_to_end(&mut bytes).await.expect("an end");
        assert_eq!(bytes, b"");
        let text = rest(gated, client).await;
        assert!(text.starts_with(start), "{text}");
        assert_eq!(text.is_empty(), sent.is_empty(), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_began_while_another_request_was_answered_is_due_too() {
    let (mut client, mut gated, heads) = connected();
    client
        .write_all(&[GET, b"GET /"].concat())
        .await
        .expect("sent");
    assert_eq!(must_read(&mut gated).await, GET);
    drop(heads.answering());
    gated.flush().await.expect("flushed");
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(PATIENCE * 2, gated.read_to_end(&mut bytes)).await;
    ended.expect("it is late").expect("an end");
    assert!(rest(gated, client).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_answer_may_take_longer_than_the_next_head() {
    let (mut client, mut gated, heads) = connected();
    client.write_all(GET).await.expect("sent");
    must_read(&mut gated).await;
    // The handler is done, and the client takes its time with what is in the buffer.
    drop(heads.answering());
    client.write_all(b"GET / HT").await.expect("sent");
    let mut bytes = [0; 64];
    let early = tokio::time::timeout(PATIENCE * 3, gated.read(&mut bytes)).await;
    assert!(early.is_err(), "{early:?}");
    gated.flush().await.expect("flushed");
    // From now on that head is late after its time.
    let late = tokio::time::timeout(PATIENCE * 3, gated.read(&mut bytes)).await;
    assert_eq!(late.expect("soon").expect("the end"), 0);
    assert!(rest(gated, client).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test(start_paused = true)]
async fn a_large_head_reaches_a_small_buffer_in_pieces() {
    let (mut client, mut gated, _) = connected();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(8_000)
    );
    let (first, second) = head.as_bytes().split_at(5_000);
    client.write_all(first).await.expect("sent");
    assert!(read(&mut gated).await.is_none());
    client.write_all(second).await.expect("sent");
    let mut bytes = Vec::new();
    while bytes.len() < head.len() {
        let mut piece = [0; 100];
        let size = gated.read(&mut piece).await.expect("bytes");
        assert!(size > 0, "{} of {}", bytes.len(), head.len());
        bytes.extend_from_slice(&piece[..size]);
    }
    assert_eq!(bytes, head.as_bytes());
}
