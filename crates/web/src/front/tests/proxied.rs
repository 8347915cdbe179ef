//! Connections that a proxy hands on, with limits that are short.

use super::entry::{Front, front, get_who, patient_front, to_the_end};
use super::*;

fn preface(source: [u8; 4], additions: &[u8]) -> Vec<u8> {
    let length = u8::try_from(12 + additions.len()).expect("short");
    let addresses = [&source[..], &[10, 0, 0, 1, 0x80, 0, 1, 0xbb]].concat();
    let head = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"[..], &[length]].concat();
    [head, addresses, additions.to_vec()].concat()
}

async fn exchange(front: &Front, sent: &[&[u8]]) -> String {
    let mut tcp = front.tcp().await;
    for piece in sent {
        let _ = tcp.write_all(piece).await;
        tokio::task::yield_now().await;
    }
    String::from_utf8_lossy(&to_the_end(tcp).await.0).into_owned()
}

#[tokio::test]
async fn w3_a_trusted_proxy_says_whose_connection_it_is() {
    let front = front(false, true).await;
    let client = preface([203, 0, 113, 7], &[]);
    let text = exchange(&front, &[&client, &get_who()]).await;
    assert!(text.ends_with("203.0.113.7 false"), "{text}");
    // The client spoke TLS to the proxy.
    let client = preface([203, 0, 113, 7], &[0x20, 0, 5, 1, 0, 0, 0, 0]);
    let (first, second) = client.split_at(20);
    let text = exchange(&front, &[first, second, &get_who()]).await;
    assert!(text.ends_with("203.0.113.7 true"), "{text}");
    let own = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let text = exchange(&front, &[own, &get_who()]).await;
    assert!(text.ends_with("127.0.0.1 false"), "{text}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the time that a client waits")]
async fn w3_a_trusted_proxy_must_say_so_and_soon() {
    let front = front(false, true).await;
    let header = preface([203, 0, 113, 7], &[]);
    for begun in [&[][..], &header[..5], &header[..20]] {
        let now = Instant::now();
        assert_eq!(exchange(&front, &[begun]).await, "");
        assert!(now.elapsed() + BODY >= HEAD, "{begun:?}");
    }
    assert_eq!(exchange(&front, &[&get_who()]).await, "");
    assert_eq!(
        exchange(&front, &[b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"]).await,
        ""
    );
}

#[tokio::test]
async fn w3_the_header_of_a_proxy_comes_before_tls() {
    let front = front(true, true).await;
    let mut tcp = front.tcp().await;
    tcp.write_all(&preface([203, 0, 113, 7], &[]))
        .await
        .expect("sent");
    let mut stream = front.secure(tcp, b"http/1.1").await;
    stream.write_all(&get_who()).await.expect("sent");
    let text = String::from_utf8(to_the_end(stream).await.0).expect("text");
    assert!(text.ends_with("203.0.113.7 true"), "{text}");
}

#[tokio::test]
async fn w3_a_stranger_s_header_is_not_read() {
    // The front trusts 127.0.0.1; this client is another one.
    let front = front(false, true).await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.2:0".parse().expect("an address"))
        .expect("bound");
    let mut tcp = socket.connect(front.address).await.expect("it listens");
    let header = preface([203, 0, 113, 7], &[]);
    let _ = tcp.write_all(&[header, get_who()].concat()).await;
    let text = String::from_utf8_lossy(&to_the_end(tcp).await.0).into_owned();
    assert!(
        text.starts_with("HTTP/1.1 400 ") || text.is_empty(),
        "{text}"
    );
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.2:0".parse().expect("an address"))
        .expect("bound");
    let mut tcp = socket.connect(front.address).await.expect("it listens");
    tcp.write_all(&get_who()).await.expect("sent");
    let text = String::from_utf8_lossy(&to_the_end(tcp).await.0).into_owned();
    assert!(text.ends_with("127.0.0.2 false"), "{text}");
}

#[tokio::test]
async fn b7_the_clients_of_a_proxy_are_counted_each_for_itself() {
    // Its connections stay, however long the test takes.
    let front = patient_front(false, true, Patience::default()).await;
    let mut held = Vec::new();
    let post = b"POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    for _ in 0..128 {
        let mut tcp = front.tcp().await;
        tcp.write_all(&[&preface([203, 0, 113, 7], &[])[..], post].concat())
            .await
            .expect("sent");
        let mut first = [0; 12];
        tcp.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(tcp);
    }
    let one_more = exchange(&front, &[&preface([203, 0, 113, 7], &[])]).await;
    assert!(one_more.starts_with("HTTP/1.1 503 "), "{one_more}");
    let other = exchange(&front, &[&preface([203, 0, 113, 8], &[]), &get_who()]).await;
    assert!(other.ends_with("203.0.113.8 false"), "{other}");
}
