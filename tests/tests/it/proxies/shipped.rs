//! The files of `deploy/`, fitted to a folder and ports of a test, and the real proxies that read them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{program, tree};

/// Somebody else may take a port between its choice and the proxy's start.
const ATTEMPTS: usize = 5;
const START: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Apache,
    Haproxy,
    Caddy,
}

/// The name in the shipped files, and the server behind them.
const NAME: &str = "scripts.example.org";
const SERVER: &str = "127.0.0.1:7373";

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
        }
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

#[expect(clippy::needless_pass_by_value, reason = "the shape of a fold")]
fn replaced(text: String, (from, to): &(&str, &str)) -> String {
    assert!(text.contains(from), "the shipped file has no {from:?}");
    text.replace(from, to)
}

/// Where a proxy stands in a test.
struct Place<'a> {
    folder: &'a Path,
    tls: u16,
    plain: u16,
    server: &'a str,
}

impl Place<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The shipped file with the things changed that its first lines name, and what only a test
    /// needs: ports, the loopback, no other account.
    fn site(&self, kind: Kind) -> String {
        let (tls, plain) = (self.tls, self.plain);
        let (chain, key) = (self.path("chain.pem"), self.path("key.pem"));
        let addresses = [
            (
                "https://scripts.example.org".to_owned(),
                format!("https://localhost:{tls}"),
            ),
            (SERVER.to_owned(), self.server.to_owned()),
        ];
        let files = [
            ("/etc/ssl/stagedoor/fullchain.pem".to_owned(), chain),
            ("/etc/ssl/stagedoor/key.pem".to_owned(), key),
        ];
        let line = |from: &str, to: String| (from.to_owned(), to);
        let (file, own) = match kind {
            Kind::Nginx => (
                "nginx.conf",
                vec![
                    line("listen 80", format!("listen 127.0.0.1:{plain}")),
                    line("listen 443", format!("listen 127.0.0.1:{tls}")),
                ],
            ),
            Kind::Apache => (
                "apache.conf",
                vec![
                    line("VirtualHost *:80>", format!("VirtualHost *:{plain}>")),
                    line("VirtualHost *:443>", format!("VirtualHost *:{tls}>")),
                ],
            ),
            Kind::Haproxy => (
                "haproxy.cfg",
                vec![
                    line("bind :80", format!("bind 127.0.0.1:{plain}")),
                    line("bind :443", format!("bind 127.0.0.1:{tls}")),
                    line("/etc/haproxy/certs/stagedoor.pem", self.path("both.pem")),
                    line("    log /dev/log local0\n", String::new()),
                    line("    user haproxy\n    group haproxy\n", String::new()),
                ],
            ),
            Kind::Caddy => (
                "Caddyfile",
                vec![
                    line(
                        "http://scripts.example.org",
                        format!("http://localhost:{plain}"),
                    ),
                    line(
                        "\tadmin off\n",
                        "\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n".to_owned(),
                    ),
                ],
            ),
        };
        let files = files.iter().filter(|_| kind != Kind::Haproxy);
        let mut text = tree::read(&format!("deploy/{file}"));
        for (from, to) in addresses.iter().chain(files).chain(&own) {
            text = replaced(text, &(from, to));
        }
        text.replace(NAME, "localhost")
    }

    fn command(&self, kind: Kind, site: &str) -> Command {
        let (program, words) = match kind {
            Kind::Nginx => (
                "/usr/sbin/nginx",
                vec![
                    "-p".to_owned(),
                    self.path(""),
                    "-c".to_owned(),
                    self.around_nginx(),
                    "-e".to_owned(),
                    self.path("error.log"),
                ],
            ),
            Kind::Apache => (
                "/usr/sbin/apache2",
                vec![
                    "-f".to_owned(),
                    self.around_apache(site),
                    "-DFOREGROUND".to_owned(),
                ],
            ),
            Kind::Haproxy => (
                "/usr/sbin/haproxy",
                vec!["-db".to_owned(), "-f".to_owned(), self.path("site")],
            ),
            Kind::Caddy => (
                "/usr/bin/caddy",
                ["run", "--adapter", "caddyfile", "--config"]
                    .map(str::to_owned)
                    .into_iter()
                    .chain([self.path("site")])
                    .collect(),
            ),
        };
        let mut command = program::command(Path::new(program));
        command.args(words);
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, self.folder);
        }
        command
    }

    /// What Debian's own nginx.conf is around the site, in one process and one folder.
    fn around_nginx(&self) -> String {
        let mut text = format!(
            "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{\n\
             access_log {0}/access.log;\n",
            self.folder.display()
        );
        for store in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(text, "{store}_temp_path {}/{store};", self.folder.display());
        }
        let _ = writeln!(text, "include {}/site;\n}}", self.folder.display());
        self.put("around", &text)
    }

    /// The modules that the shipped file asks for, and those that Debian has on already.
    fn around_apache(&self, site: &str) -> String {
        let asked = site
            .lines()
            .find_map(|line| line.trim_start_matches('#').trim().strip_prefix("a2enmod "))
            .expect("the file says which modules it needs");
        let mut text = format!(
            "ServerRoot {0}\nDefaultRuntimeDir {0}\nPidFile {0}/pid\nErrorLog {0}/error.log\n\
             ServerName localhost\nListen 127.0.0.1:{1}\nListen 127.0.0.1:{2}\n",
            self.folder.display(),
            self.tls,
            self.plain
        );
        for module in ["mpm_event", "authz_core"]
            .into_iter()
            .chain(asked.split(' '))
        {
            let _ = writeln!(
                text,
                "LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so"
            );
        }
        if program::as_root() {
            text.push_str("User www-data\nGroup www-data\n");
        }
        let _ = writeln!(text, "Include {}", self.path("site"));
        self.put("around", &text)
    }

    fn put(&self, name: &str, text: &str) -> String {
        fs::write(self.folder.join(name), text).expect("written");
        self.path(name)
    }
}
