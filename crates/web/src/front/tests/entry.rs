//! What comes before HTTP, and HTTP/2, with limits that are short.

use std::os::unix::fs::PermissionsExt as _;

use axum::Extension;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use stagedoor_config::{Proxy, Tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::session::Arrival;
use crate::tls::{Certificates, Keepers};

async fn who(Extension(arrival): Extension<Arrival>) -> String {
    format!("{} {}", arrival.peer, arrival.is_secure)
}

pub(super) struct Front {
    pub(super) address: SocketAddr,
    certificate: Option<CertificateDer<'static>>,
    _shutdown: CancellationToken,
}

/// A front with short limits, perhaps with TLS, perhaps behind a proxy on the loopback.
pub(super) async fn front(is_tls: bool, is_proxied: bool) -> Front {
    patient_front(is_tls, is_proxied, PATIENCE).await
}

pub(super) async fn patient_front(is_tls: bool, is_proxied: bool, patience: Patience) -> Front {
    let router = Router::new()
        .route("/who", get(who))
        .route("/body", post(length));
    let now = Arc::new(|| Timestamp::from_millis(0x1234));
    let (tls, certificate) = if is_tls { acceptor() } else { (None, None) };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let proxy = Proxy {
        hops: 0,
        trusted: vec!["127.0.0.1".parse().expect("a network")],
        protocol: true,
    };
    let door = Door {
        desk: Desk::Reception(Reception::new(router, &WebOptions::default(), now)),
        limits: Arc::default(),
        shutdown: shutdown.clone(),
        port: address.port(),
        patience,
        tls,
        astray: Arc::default(),
        proxy: is_proxied.then(|| Arc::new(proxy)),
        is_for_all: true,
    };
    tokio::spawn(connection::accept(listener, door, TaskTracker::new()));
    Front {
        address,
        certificate,
        _shutdown: shutdown,
    }
}

fn acceptor() -> (Option<TlsAcceptor>, Option<CertificateDer<'static>>) {
    let folder = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let files = Tls {
        certificate: folder.path().join("pem"),
        key: folder.path().join("key"),
        redirect_listen: Vec::new(),
    };
    std::fs::write(&files.certificate, certificate.pem()).expect("written");
    std::fs::write(&files.key, key.serialize_pem()).expect("written");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&files.key, mode).expect("chmod");
    let keepers = Keepers {
        owners: vec![rustix::process::geteuid().as_raw()],
        group: 0,
    };
    let loaded = Certificates::load(&files, keepers, &[], Timestamp::from_millis(1 << 40));
    let config = loaded
        .expect("good")
        .server_config()
        .expect("a configuration");
    (
        Some(Arc::new(config).into()),
        Some(certificate.der().clone()),
    )
}

impl Front {
    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    pub(super) async fn secure(&self, tcp: TcpStream, alpn: &[u8]) -> TlsStream<TcpStream> {
        let certificate = self.certificate.clone().expect("TLS");
        secure(certificate, tcp, alpn).await
    }

    async fn http2(&self, settings: &[u8]) -> TlsStream<TcpStream> {
        let mut stream = self.secure(self.tcp().await, b"h2").await;
        let begun = [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
            &frame(4, 0, 0, settings),
        ]
        .concat();
        stream.write_all(&begun).await.expect("sent");
        stream
    }
}

async fn secure<S>(certificate: CertificateDer<'static>, stream: S, alpn: &[u8]) -> TlsStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.expect("a handshake")
}

fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], content].concat()
}

/// GET of `/who`, in HPACK without its table.
fn request(stream: u8) -> Vec<u8> {
    let head = [
        &[0x82, 0x87, 0x04, 4][..],
        b"/who",
        &[0x01, 9],
        b"localhost",
    ]
    .concat();
    frame(1, 0x5, stream, &head)
}

/// All that comes until the end, and how long that took.
#[expect(clippy::disallowed_methods, reason = "the time that a client waits")]
pub(super) async fn to_the_end(
    mut stream: impl tokio::io::AsyncRead + Unpin,
) -> (Vec<u8>, Duration) {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    // A reset is as good as an end.
    let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
    let _ = ended.expect("the connection ends soon");
    (bytes, begun.elapsed())
}

pub(super) fn get_who() -> Vec<u8> {
    get_of("/who").into_bytes()
}

#[tokio::test]
async fn b7_a_handshake_that_does_not_go_on_ends_at_its_limit() {
    let front = front(true, false).await;
    for begun in [&[][..], &[0x16], &[0x16, 3, 1, 2, 0, 1, 0, 1]] {
        let mut tcp = front.tcp().await;
        tcp.write_all(begun).await.expect("sent");
        let (_, took) = to_the_end(tcp).await;
        assert!(took + BODY >= HEAD, "{begun:?} was given {took:?}");
    }
    let mut served = front.secure(front.tcp().await, b"http/1.1").await;
    served.write_all(&get_who()).await.expect("sent");
    let text = String::from_utf8(to_the_end(served).await.0).expect("text");
    assert!(text.ends_with("127.0.0.1 true"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn b7_a_client_that_takes_nothing_is_given_up_over_tls_too() {
    let (acceptor, certificate) = acceptor();
    let (client, server) = tokio::io::duplex(4096);
    let server = stall::Stall::watch(server);
    let (client, server) = tokio::join!(
        secure(certificate.expect("one"), client, b"http/1.1"),
        acceptor.expect("one").accept(server),
    );
    let mut server = server.expect("a handshake");
    // Some of it waits inside of TLS: that nobody takes it must show at the end too.
    server
        .write_all(&vec![b'x'; 20_000])
        .await
        .expect("taken by TLS");
    let error = server.shutdown().await.expect_err("nobody reads");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    drop(client);
}

#[tokio::test]
async fn b7_http_2_without_a_request_ends_like_a_head_and_later_when_it_is_idle() {
    let front = front(true, false).await;
    let (_, took) = to_the_end(front.http2(&[]).await).await;
    assert!(took + BODY >= HEAD && took < IDLE, "{took:?}");
    let mut stream = front.http2(&[]).await;
    stream.write_all(&request(1)).await.expect("sent");
    let (bytes, took) = to_the_end(stream).await;
    assert!(took + BODY >= IDLE, "{took:?}");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("127.0.0.1 true"), "{text}");
}

#[tokio::test]
async fn b7_an_answer_that_a_client_of_http_2_leaves_lying_ends_its_connection() {
    let front = front(true, false).await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0: nothing of a body may be sent.
    let mut stream = front.http2(&[0, 4, 0, 0, 0, 0]).await;
    stream.write_all(&request(1)).await.expect("sent");
    let (bytes, took) = to_the_end(stream).await;
    assert!(took + BODY >= IDLE, "{took:?}");
    assert!(!String::from_utf8_lossy(&bytes).contains("127.0.0.1"));
}

#[tokio::test]
async fn b7_a_body_over_http_2_that_does_not_arrive_is_refused_and_the_connection_goes_on() {
    let front = front(true, false).await;
    let mut stream = front.http2(&[]).await;
    let head = [
        &[0x83, 0x87, 0x04, 5][..],
        b"/body",
        &[0x01, 9],
        b"localhost",
    ]
    .concat();
    stream
        .write_all(&frame(1, 0x4, 1, &head))
        .await
        .expect("sent");
    stream
        .write_all(&frame(0, 0, 1, b"abc"))
        .await
        .expect("sent");
    let mut bytes = Vec::new();
    let said = |bytes: &[u8], text: &str| String::from_utf8_lossy(bytes).contains(text);
    while !said(&bytes, "The request did not arrive in time") {
        let read = tokio::time::timeout(SOON, stream.read_buf(&mut bytes)).await;
        assert!(read.expect("an answer soon").expect("open") > 0);
    }
    stream.write_all(&request(3)).await.expect("sent");
    let (bytes, _) = to_the_end(stream).await;
    assert!(
        said(&bytes, "127.0.0.1 true"),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
}
