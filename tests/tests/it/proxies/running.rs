//! The real proxies, on ports and in a folder of a test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::shipped::{Kind, Place, replaced};

/// Somebody else may take a port between its choice and the proxy's start.
const ATTEMPTS: usize = 5;
const START: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);

/// A certificate for `localhost`.
pub struct Certificate {
    pub der: rustls::pki_types::CertificateDer<'static>,
    chain: String,
    key: String,
}

impl Certificate {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
        let made = made.expect("a certificate");
        Self {
            der: made.cert.der().clone(),
            chain: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }
}

/// A running proxy, which ends when it is dropped.
pub struct Proxy {
    child: Child,
    folder: TempDir,
    /// Where it speaks TLS, and where it leads to that.
    pub tls: u16,
    pub plain: u16,
    /// The one behind it, if that is not the server.
    next: Option<Box<Proxy>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        for _ in 0..40 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            thread::sleep(STEP);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the proxy said:\n{}", self.file("said"));
            eprintln!("and logged:\n{}", self.file("error.log"));
        }
    }
}

impl Proxy {
    /// Starts it before `server`, which stands where the shipped file names Stagedoor; `change` is
    /// made in the file too.
    pub fn start(
        kind: Kind,
        server: &str,
        certificate: &Certificate,
        change: &[(&str, &str)],
    ) -> Self {
        for _ in 0..ATTEMPTS {
            let mut proxy = Self::spawn(kind, server, certificate, change);
            if proxy.listens() {
                return proxy;
            }
            eprintln!("{kind:?} did not start:\n{}", proxy.file("said"));
        }
        panic!("{kind:?} does not start; tools/setup-tests installs it");
    }

    fn spawn(kind: Kind, server: &str, certificate: &Certificate, change: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (tls, plain) = free_ports();
        let place = Place {
            folder: folder.path(),
            tls,
            plain,
            server,
        };
        write(&folder, "chain.pem", &certificate.chain);
        write(&folder, "key.pem", &certificate.key);
        write(
            &folder,
            "both.pem",
            &format!("{}{}", certificate.chain, certificate.key),
        );
        let site = change.iter().fold(place.site(kind), replaced);
        write(&folder, "site", &site);
        let mut command = place.command(kind, &site);
        let said = File::create(folder.path().join("said")).expect("a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("a descriptor"))
            .stderr(said)
            .spawn();
        Self {
            child: child
                .unwrap_or_else(|error| panic!("{kind:?} (see tools/setup-tests): {error}")),
            folder,
            tls,
            plain,
            next: None,
        }
    }

    /// Keeps the next one running as long as this one.
    pub fn before(mut self, next: Self) -> Self {
        self.next = Some(Box::new(next));
        self
    }

    /// Waits until both ports take connections; not if it ends before.
    fn listens(&mut self) -> bool {
        let is_open = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        for _ in 0..START.as_millis() / STEP.as_millis() {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
            if is_open(self.tls) && is_open(self.plain) {
                return true;
            }
            thread::sleep(STEP);
        }
        false
    }

    /// A file that it wrote.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("written");
}

/// Two that are different from each other.
fn free_ports() -> (u16, u16) {
    let [one, other] = [0, 1].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
    (port(&one), port(&other))
}
