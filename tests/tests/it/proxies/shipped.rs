//! The files of `deploy/`, fitted to a folder and ports of a test, and what starts a proxy with them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{program, tree};

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

#[expect(clippy::needless_pass_by_value, reason = "the shape of a fold")]
pub fn replaced(text: String, (from, to): &(&str, &str)) -> String {
    assert!(text.contains(from), "the shipped file has no {from:?}");
    text.replace(from, to)
}

/// Where a proxy stands in a test.
pub struct Place<'a> {
    pub folder: &'a Path,
    pub tls: u16,
    pub plain: u16,
    pub server: &'a str,
}

impl Place<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The shipped file with the things changed that its first lines name, and what only a test
    /// needs: ports, the loopback, no other account.
    pub fn site(&self, kind: Kind) -> String {
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

    pub fn command(&self, kind: Kind, site: &str) -> Command {
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
