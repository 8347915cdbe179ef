//! Behind the proxies of `deploy/`: the files as they are shipped, in the real programs of Debian's
//! packages, before a real server.
//!
//! What a file says is changed in the places that its first lines name, and where it asks for ports
//! and an account that a test does not have.

mod chains;
mod everyday;
mod forged;
mod journey;
mod raw;
mod refusals;
mod running;
mod shipped;
mod texts;
mod visitor;

use std::net::Ipv4Addr;

use rusqlite::{Connection, OpenFlags};

use crate::program::{Home, Program};
use crate::robot::PASSWORD;
use running::{Certificate, Proxy};
use shipped::Kind;
use visitor::Visitor;

/// Where clients of these tests are.
const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

const SETTINGS: &str = "behind_proxy = true\n[proxy]\nhops = 1\ntrusted = [\"127.0.0.1\"]\n";
const HELLO: &str = "#!/bin/sh\n# /// stagedoor\n# title = \"Hello\"\n# ///\necho hello; env\n";
const LIVE: &str = "#!/bin/sh\n# /// stagedoor\n# title = \"Live\"\n# ///\necho one-and-only\n\
    n=0; while [ ! -e go ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done\necho gone-on\n";

/// A server, and a proxy before it.
struct House {
    program: Program,
    proxy: Proxy,
    certificate: Certificate,
    token: String,
}

impl House {
    fn behind(kind: Kind) -> Self {
        Self::with(SETTINGS, |server, certificate| {
            Proxy::start(kind, server, certificate, &[])
        })
    }

    /// With these settings; `before` starts the proxy before the server at this address.
    fn with(settings: &str, before: impl FnOnce(&str, &Certificate) -> Proxy) -> Self {
        Self::with_scripts(settings, &[("live", LIVE)], before)
    }

    /// With these scripts beside `hello`.
    fn with_scripts(
        settings: &str,
        scripts: &[(&str, &str)],
        before: impl FnOnce(&str, &Certificate) -> Proxy,
    ) -> Self {
        let home = Home::new();
        let more = [("stagedoor.toml", settings), ("hello", HELLO)];
        let scripts = home.scripts(&[more.as_slice(), scripts].concat());
        let program = Program::serve(home, &scripts);
        let words = [
            "user",
            "add",
            "ann",
            "--password-stdin",
            "--group",
            "admins",
        ];
        program.manage(&words, PASSWORD);
        let token = program.manage(&["token", "create", "--user", "ann"], "");
        let certificate = Certificate::new();
        let authority = program.url.trim_start_matches("http://").to_owned();
        let server = authority.split('/').next().unwrap_or_default();
        let proxy = before(server, &certificate);
        Self {
            program,
            proxy,
            certificate,
            token,
        }
    }

    fn visitor(&self) -> Visitor {
        Visitor::new(HERE, self.proxy.tls, &self.certificate)
    }

    fn robot(&self) -> Visitor {
        self.visitor().with_token(&self.token)
    }

    /// The addresses that sessions are bound to, the oldest first.
    fn addresses(&self) -> Vec<String> {
        let database = self.program.state().join("stagedoor.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(&database, flags).expect("the database");
        let mut asked = database
            .prepare("SELECT address FROM sessions ORDER BY created_at")
            .expect("a question");
        let rows = asked.query_map([], |row| row.get(0)).expect("an answer");
        rows.map(|row| row.expect("an address")).collect()
    }
}

#[test]
fn f8_through_nginx_nothing_behind_a_malformed_request_is_run() {
    raw::nothing_is_smuggled(Kind::Nginx);
}

#[test]
fn f8_through_apache_nothing_behind_a_malformed_request_is_run() {
    raw::nothing_is_smuggled(Kind::Apache);
}

#[test]
fn f8_through_haproxy_nothing_behind_a_malformed_request_is_run() {
    raw::nothing_is_smuggled(Kind::Haproxy);
}

macro_rules! behind_each_proxy {
    ($($proxy:ident: $kind:expr;)*) => { $(
        mod $proxy {
            use super::{House, Kind, everyday, forged, refusals};

            #[test]
            fn people_and_programs_work_as_without_it() {
                everyday::people_and_programs(&House::behind($kind));
            }

            #[test]
            fn live_output_comes_at_once() {
                everyday::live_output(&House::behind($kind));
            }

            #[test]
            fn p5_p11_what_the_server_refuses_stays_refused_and_nothing_is_added() {
                refusals::pass_through(&House::behind($kind));
            }

            #[test]
            fn plain_http_only_leads_to_https() {
                refusals::plain_http(&House::behind($kind));
            }

            #[test]
            fn w3_f9_a_forged_header_never_wins() {
                forged::headers(&House::behind($kind));
            }
        }
    )* };
}
behind_each_proxy! {
    nginx: Kind::Nginx;
    apache: Kind::Apache;
    haproxy: Kind::Haproxy;
    caddy: Kind::Caddy;
}
