//! Somebody with an address of their own, who speaks HTTP/1.1 over TLS byte for byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::running::Certificate;
use crate::form::Form;
use crate::http::Answer;
use crate::robot::PASSWORD;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(40);

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Header lines.
pub type Lines<'a> = &'a [(&'a str, &'a str)];

pub struct Visitor {
    from: Ipv4Addr,
    port: u16,
    trust: Arc<ClientConfig>,
    /// Sent with every request.
    pub always: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
}

impl Visitor {
    /// At `from`, before a proxy at this port of 127.0.0.1.
    pub fn new(from: Ipv4Addr, port: u16, certificate: &Certificate) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            from,
            port,
            trust: Arc::new(trust),
            always: Vec::new(),
            cookies: Vec::new(),
        }
    }

    /// The same person somewhere else, with what their browser keeps.
    pub fn moved(&self, from: Ipv4Addr) -> Self {
        Self {
            from,
            port: self.port,
            trust: Arc::clone(&self.trust),
            always: self.always.clone(),
            cookies: self.cookies.clone(),
        }
    }

    /// A program with this token.
    pub fn with_token(mut self, token: &str) -> Self {
        let value = format!("Bearer {}", token.trim());
        self.always.push(("authorization".to_owned(), value));
        self
    }

    /// Scheme, name and port, as the browser says them.
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn post_json(&mut self, path: &str, body: &str) -> Answer {
        self.send(
            "POST",
            path,
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
    }

    /// Signs in by the form; the answer to it.
    pub fn sign_in(&mut self, base: &str, name: &str, lines: Lines<'_>) -> Answer {
        let login = format!("{base}/login");
        let page = self.send("GET", &login, lines, b"").expect(200).text();
        let form = Form::of(&page, &login)
            .fill("name", name)
            .fill("password", PASSWORD);
        self.send_form(&form, lines)
    }

    /// Sends a form as a browser does.
    pub fn send_form(&mut self, form: &Form, lines: Lines<'_>) -> Answer {
        let origin = self.origin();
        let mut all = vec![
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", origin.as_str()),
        ];
        all.extend(lines);
        self.send("POST", &form.action, &all, form.body().as_bytes())
    }

    pub fn send(&mut self, method: &str, path: &str, lines: Lines<'_>, body: &[u8]) -> Answer {
        let mut stream = self.open(method, path, lines, body);
        let bytes = rest(&mut stream);
        let answer = parse(&bytes).unwrap_or_else(|| {
            panic!(
                "{method} {path}: no answer: {:?}",
                String::from_utf8_lossy(&bytes)
            )
        });
        self.keep(&answer);
        answer
    }

    /// Sends a request and leaves the reading to the caller.
    pub fn open(&self, method: &str, path: &str, lines: Lines<'_>, body: &[u8]) -> Stream {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:{}\r\nconnection: close\r\n",
            self.port
        );
        for (name, value) in &self.always {
            head.extend([name, ": ", value, "\r\n"]);
        }
        for (name, value) in lines {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect();
            head.extend(["cookie: ", &pairs.join("; "), "\r\n"]);
        }
        if method == "POST" {
            head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).expect("a head is taken");
        // A refusal may come, and the connection end, before the whole body is taken.
        let _ = stream.write_all(body);
        let _ = stream.flush();
        stream
    }

    /// A connection on which anything may be sent.
    pub fn connect(&self) -> Stream {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::clone(&self.trust), name).expect("TLS");
        StreamOwned::new(tls, connect(self.from, self.port))
    }

    /// Is there a cookie of this name?
    pub fn keeps(&self, name: &str) -> bool {
        self.cookies.iter().any(|(known, _)| known == name)
    }

    fn keep(&mut self, answer: &Answer) {
        for (name, line) in &answer.headers {
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let pair = line.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            self.cookies.retain(|(known, _)| known != name);
            if !line.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// A connection to a port of 127.0.0.1 from another address of the loopback.
pub fn connect(from: Ipv4Addr, port: u16) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let to: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        socket.connect(to).await?.into_std()
    });
    let stream = stream.expect("a connection");
    stream.set_nonblocking(false).expect("blocking");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Everything until the connection ends.
pub fn rest(stream: &mut impl Read) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return bytes,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Nobody says goodbye after a refusal.
            Err(error) => {
                let timeout = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(
                    !timeout,
                    "no end in {PATIENCE:?}: {}",
                    String::from_utf8_lossy(&bytes)
                );
                return bytes;
            }
        }
    }
}

/// Reads until this text has come; what came.
#[track_caller]
pub fn until(stream: &mut impl Read, text: &str) -> String {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&bytes).contains(text) {
        let read = stream.read(&mut piece);
        let n = read.unwrap_or_else(|error| {
            panic!(
                "{error} before {text:?}: {}",
                String::from_utf8_lossy(&bytes)
            )
        });
        assert_ne!(
            n,
            0,
            "it ended before {text:?}: {}",
            String::from_utf8_lossy(&bytes)
        );
        bytes.extend_from_slice(&piece[..n]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first answer in these bytes.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = &bytes[end + 4..];
    let body = if is_chunked {
        joined(body)
    } else {
        body.to_vec()
    };
    Some(Answer {
        status,
        headers,
        body,
    })
}

/// The chunks of a body, without their sizes.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).expect("the size of a chunk");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}
