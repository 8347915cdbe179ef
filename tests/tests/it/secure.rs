//! A server that speaks HTTPS, with certificates made on the spot, and a client for it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::program::{Home, Program};

/// Longer than any limit of the server's.
const SOON: Duration = Duration::from_secs(90);
/// A script that everybody may see.
pub const HELLO: (&str, &str) = (
    "hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n",
);

/// A certificate with its key, both in PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
    der: CertificateDer<'static>,
}

impl Identity {
    /// Good from 2020 to 2090.
    pub fn new() -> Self {
        Self::of_years(2020, 2090)
    }

    pub fn of_years(from: i32, until: i32) -> Self {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
        }
    }

    /// Puts both files into the home as a renewal does; only their owner may read the key.
    pub fn write(&self, home: &Home) {
        put(&certificate_path(home), &self.certificate, 0o644);
        put(&key_path(home), &self.key, 0o600);
    }

    /// A client that trusts this certificate alone.
    pub fn client(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a root");
        Client {
            roots: Arc::new(roots),
            versions: rustls::ALL_VERSIONS,
            alpn: Vec::new(),
            suites: Vec::new(),
        }
    }
}

pub fn certificate_path(home: &Home) -> PathBuf {
    home.dir().join("tls.pem")
}

pub fn key_path(home: &Home) -> PathBuf {
    home.dir().join("tls.key")
}

/// Replaces a file in one step. A server that root started reads it as its own account.
pub fn put(path: &Path, text: &str, mode: u32) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("written");
    fs::set_permissions(&new, fs::Permissions::from_mode(mode)).expect("chmod");
    if let Some(owner) = server_account() {
        chown(&new, Some(owner), None).expect("chown");
    }
    fs::rename(&new, path).expect("renamed");
}

/// The account that a server of root's becomes; none when it stays who it is.
fn server_account() -> Option<u32> {
    let accounts = fs::read_to_string("/etc/passwd").expect("accounts");
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.strip_prefix("stagedoor:")?.split(':');
        fields.nth(1)?.parse().ok()
    });
    crate::program::as_root().then(|| named.unwrap_or(7373))
}

/// The settings that make a server speak HTTPS.
pub fn settings(home: &Home) -> String {
    format!(
        "tls.certificate = \"{}\"\ntls.key = \"{}\"\n",
        certificate_path(home).display(),
        key_path(home).display()
    )
}

/// Serves one script over HTTPS on the loopback, with more settings.
pub fn serve(identity: &Identity, more: &str) -> (Program, Arc<Home>) {
    let home = Home::new();
    identity.write(&home);
    let settings = format!("listen = \"127.0.0.1:0\"\n{}{more}", settings(&home));
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", &settings)]);
    let program = Program::serve_with(Arc::clone(&home), &folder, &[], "https://");
    (program, home)
}

/// Where the program listens.
pub fn address(program: &Program) -> SocketAddr {
    let (_, address) = program.url.split_once("://").expect("a URL");
    address.parse().expect("an address")
}

/// Speaks TLS.
#[derive(Clone)]
pub struct Client {
    roots: Arc<RootCertStore>,
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub alpn: Vec<Vec<u8>>,
    /// Offered in this order; all when empty.
    pub suites: Vec<CipherSuite>,
}

pub type Secured = StreamOwned<ClientConnection, TcpStream>;

impl Client {
    /// With this in ALPN.
    pub fn choosing(&self, protocol: &[u8]) -> Self {
        Self {
            alpn: vec![protocol.to_vec()],
            ..self.clone()
        }
    }

    /// After the handshake.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Secured> {
        self.over(tcp(address))
    }

    /// TLS over a connection on which something may have been sent already.
    pub fn over(&self, mut tcp: TcpStream) -> io::Result<Secured> {
        let mut provider = aws_lc_rs::default_provider();
        if !self.suites.is_empty() {
            let known = provider.cipher_suites;
            let find = |wanted: &CipherSuite| known.iter().find(|suite| suite.suite() == *wanted);
            provider.cipher_suites = self.suites.iter().filter_map(find).copied().collect();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(self.versions)
            .expect("versions")
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols.clone_from(&self.alpn);
        let name = ServerName::try_from("localhost").expect("a name");
        let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(StreamOwned::new(tls, tcp))
    }

    /// One request of HTTP/1.1, and all that comes back.
    pub fn ask(&self, address: SocketAddr, request: &str) -> io::Result<String> {
        let mut stream = self.connect(address)?;
        stream.write_all(request.as_bytes())?;
        Ok(rest(&mut stream))
    }

    /// Whether a page is served in the ordinary way.
    pub fn is_served(&self, address: SocketAddr) -> bool {
        self.ask(address, &get("/healthz"))
            .is_ok_and(|text| text.starts_with("HTTP/1.1 200 "))
    }
}

/// A connection whose reads do not wait for ever.
pub fn tcp(address: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(address).expect("it listens");
    tcp.set_read_timeout(Some(SOON)).expect("a limit");
    tcp.set_write_timeout(Some(SOON)).expect("a limit");
    tcp
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// Everything until the connection ends, however it does.
pub fn rest(stream: &mut impl Read) -> String {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(size @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..size]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A plain request on a plain connection, and all that comes back.
pub fn ask_plain(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = tcp(address);
    // What refuses may be faster than we are.
    let _ = stream.write_all(request);
    rest(&mut stream)
}
