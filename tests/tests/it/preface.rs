//! Behind a proxy that speaks the PROXY protocol (row W3).

use std::io::Write;
use std::time::Duration;

use crate::program::{Home, Program};
use crate::secure::{self, HELLO, Identity, address};

const SETTINGS: &str = "behind_proxy = true\nproxy.protocol = true\n";

fn preface(source: [u8; 4]) -> Vec<u8> {
    let addresses = [&source[..], &[10, 0, 0, 1, 0x80, 0, 1, 0xbb]].concat();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
}

fn serve(trusted: &str, more: &str) -> Program {
    let home = Home::new();
    let settings =
        format!("listen = \"127.0.0.1:0\"\n{SETTINGS}proxy.trusted = [\"{trusted}\"]\n{more}");
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", &settings)]);
    Program::serve_with(home, &folder, &[], "http://")
}

#[test]
fn w3_a_trusted_proxy_begins_with_a_header_or_is_closed_with_a_line_in_the_log() {
    let program = serve("127.0.0.1", "");
    let request = secure::get("/healthz");
    let with = [&preface([203, 0, 113, 7])[..], request.as_bytes()].concat();
    let text = secure::ask_plain(address(&program), &with);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert_eq!(secure::ask_plain(address(&program), request.as_bytes()), "");
    program.until_logged("without a PROXY protocol header", Duration::from_secs(30));
    let version_1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 32768 443\r\n";
    let both = [&version_1[..], request.as_bytes()].concat();
    assert_eq!(secure::ask_plain(address(&program), &both), "");
    program.until_logged("version 1 of the PROXY protocol", Duration::from_secs(30));
}

#[test]
fn w3_a_header_of_somebody_who_is_not_trusted_is_bad_http() {
    let program = serve("10.0.0.7", "");
    let request = secure::get("/healthz");
    let text = secure::ask_plain(address(&program), request.as_bytes());
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let with = [&preface([203, 0, 113, 7])[..], request.as_bytes()].concat();
    let text = secure::ask_plain(address(&program), &with);
    assert!(!text.contains("HTTP/1.1 200"), "{text}");
}

#[test]
fn w3_the_header_comes_before_tls_too() {
    let identity = Identity::new();
    let more = format!("{SETTINGS}proxy.trusted = [\"127.0.0.1\"]\n");
    let (program, _home) = secure::serve(&identity, &more);
    let mut tcp = secure::tcp(address(&program));
    tcp.write_all(&preface([203, 0, 113, 7])).expect("sent");
    let mut stream = identity.client().over(tcp).expect("a handshake");
    stream
        .write_all(secure::get("/healthz").as_bytes())
        .expect("sent");
    let text = secure::rest(&mut stream);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(
        !identity.client().is_served(address(&program)),
        "without a header"
    );
}

#[test]
fn w3_behind_a_proxy_the_setup_link_names_the_public_host() {
    let mut program = serve(
        "127.0.0.1",
        "public_host = \"door.example.org\"\nbase_path = \"/scripts\"\n",
    );
    let link = program.said(
        "create the first account: https://",
        Duration::from_secs(30),
    );
    assert!(
        link.starts_with("https://door.example.org/scripts/setup?key="),
        "{link}"
    );
}
