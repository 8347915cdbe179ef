//! The table of malformed requests, sent through proxies that read them first.
//!
//! A proxy may refuse a request, pass the server's refusal on, or mend the request. Behind each of
//! them stand two more: one that starts a script, and one that ends the connection. What the proxy
//! takes for a request of its own it may answer. What must not be is that the server runs a request
//! that the proxy took for a part of another one; then an answer is missing at the end.

use std::io::Write as _;

use super::visitor::{Visitor, rest};
use super::{HELLO, House, Kind, Proxy, SETTINGS};
use crate::malformed::{Case, cases, start};

/// Ends the connection.
const LAST: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// Of them, those that a proxy makes good requests of, or that are good as it passes them on. 52 for
/// nginx 1.22.
const MOST_MENDED: usize = 60;
/// The least status of a refusal.
const REFUSED: u16 = 400;

/// Who sends half a request shall not be waited for as long as otherwise.
fn hasty(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Nginx => &[
            ("client_header_timeout 10s", "client_header_timeout 2s"),
            ("client_body_timeout 10s", "client_body_timeout 2s"),
        ],
        Kind::Apache => &[("header=10 body=10", "header=2 body=2")],
        Kind::Haproxy => &[
            ("timeout http-request 10s", "timeout http-request 2s"),
            ("timeout http-keep-alive 60s", "timeout http-keep-alive 2s"),
            ("timeout client 330s", "timeout client 2s"),
        ],
        Kind::Caddy => &[],
    }
}

fn house(kind: Kind) -> House {
    House::with_scripts(SETTINGS, &[("smuggled", HELLO)], |server, certificate| {
        Proxy::start(kind, server, certificate, hasty(kind))
    })
}

/// Sends these bytes over TLS; what comes back until the proxy ends the connection, and the
/// statuses in it.
fn exchange(visitor: &Visitor, bytes: &[u8]) -> (String, Vec<u16>) {
    let mut stream = visitor.connect();
    let _ = stream.write_all(bytes);
    let _ = stream.flush();
    let text = String::from_utf8_lossy(&rest(&mut stream)).into_owned();
    let statuses = text
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok())
        .collect();
    (text, statuses)
}

fn runs_of(robot: &mut Visitor, script: &str) -> usize {
    let page = robot
        .get(&format!("/api/v1/runs?script={script}&limit=200"))
        .expect(200);
    page.json()["items"].as_array().map_or(0, Vec::len)
}

/// What is wrong with how this case ended.
fn fault(case: &Case, statuses: &[u16], ran: usize) -> Option<String> {
    let is_fine = ran == 0 || (ran == 1 && statuses.ends_with(&[201, 200]));
    (!is_fine).then(|| format!("{}: {statuses:?}, and {ran} runs behind it", case.name))
}

pub fn nothing_is_smuggled(kind: Kind) {
    let house = house(kind);
    let token = house.token.trim().to_owned();
    let mut robot = house.robot();
    let second = start(&token, "Content-Length: 21\r\n", r#"{"script":"smuggled"}"#);
    let behind = [second.as_slice(), LAST.as_bytes()].concat();
    let (mut faults, mut mended, mut before) = (Vec::new(), Vec::new(), 0);
    let all = cases(&token);
    assert!(all.len() >= 80, "{}", all.len());
    for case in &all {
        let bytes = [case.bad.as_slice(), &behind].concat();
        let (_, statuses) = exchange(&house.visitor(), &bytes);
        let now = runs_of(&mut robot, "smuggled");
        faults.extend(fault(case, &statuses, now - before));
        if statuses.first().is_some_and(|status| *status < REFUSED) {
            mended.push(format!("{}: {statuses:?}", case.name));
        }
        before = now;
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(
        mended.len() <= MOST_MENDED,
        "{} are mended: {mended:#?}",
        mended.len()
    );
    its_twin_runs(&house, &mut robot, &behind);
}

/// The same second request is run behind one that is good.
fn its_twin_runs(house: &House, robot: &mut Visitor, behind: &[u8]) {
    let before = runs_of(robot, "smuggled");
    let good = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice();
    let (text, statuses) = exchange(&house.visitor(), &[good, behind].concat());
    assert_eq!(statuses, [200, 201, 200], "{text}");
    assert_eq!(runs_of(robot, "smuggled"), before + 1);
}
