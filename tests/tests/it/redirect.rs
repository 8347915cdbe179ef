//! Plain HTTP beside HTTPS (row F12): it leads browsers to HTTPS, refuses programs, and flags the
//! tokens that crossed the network in the clear.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::program::{Home, Program};
use crate::secure::{self, Identity, address, ask_plain};

const SOON: Duration = Duration::from_secs(30);

/// A server with both ports; where plain HTTP is.
fn serve() -> (Program, Arc<Home>, SocketAddr) {
    let more = "tls.redirect_listen = \"127.0.0.1:0\"\npublic_host = [\"door.example.org\", \"other.example\"]\n";
    // Keys with dots go before tables, and the order of the lines does not matter.
    let (mut program, home) = secure::serve(&Identity::new(), more);
    let url = program.said("leading from http://", SOON);
    let plain = url
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    (program, home, plain)
}

#[test]
fn f12_browsers_are_led_to_the_configured_host_and_never_to_what_they_say() {
    let (program, _home, plain) = serve();
    let port = address(&program).port();
    for host in [
        "door.example.org",
        "other.example",
        "localhost",
        "evil.example",
        "evil.example:81",
    ] {
        for method in ["GET", "HEAD"] {
            let request = format!("{method} /runs?state=ended HTTP/1.1\r\nhost: {host}\r\n\r\n");
            let text = ask_plain(plain, request.as_bytes());
            assert!(text.starts_with("HTTP/1.1 308 "), "{host}: {text}");
            let line = format!("location: https://door.example.org:{port}/runs?state=ended\r\n");
            assert!(text.contains(&line), "{host}: {text}");
            assert!(text.contains("x-frame-options: DENY"), "{text}");
            assert!(!text.contains("strict-transport-security"), "{text}");
            assert!(!text.contains("evil"), "{text}");
        }
    }
    let absolute = "GET http://evil.example/runs HTTP/1.1\r\nhost: evil.example\r\n\r\n";
    let text = ask_plain(plain, absolute.as_bytes());
    assert!(
        text.contains(&format!("https://door.example.org:{port}/runs\r\n")),
        "{text}"
    );
}

#[test]
fn f12_programs_are_refused_and_told_why() {
    let (_program, _home, plain) = serve();
    for (method, path, more) in [
        ("GET", "/api/v1/scripts", ""),
        ("POST", "/api/v1/runs", "content-length: 0\r\n"),
        ("POST", "/login", "content-length: 0\r\n"),
        ("DELETE", "/", ""),
        ("OPTIONS", "/", ""),
        ("GET", "/", "sec-fetch-mode: cors\r\n"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: door.example.org\r\n{more}\r\n");
        let text = ask_plain(plain, request.as_bytes());
        assert!(text.starts_with("HTTP/1.1 403 "), "{method} {path}: {text}");
        assert!(
            text.contains("content-type: application/problem+json"),
            "{text}"
        );
        assert!(text.contains("HTTPS is needed"), "{text}");
        assert!(!text.contains("location:"), "{text}");
    }
}

#[test]
fn f12_a_token_that_crossed_the_network_in_the_clear_is_flagged_and_nobody_learns_whether_it_is_one()
 {
    let (program, _home, plain) = serve();
    flags_a_token(&program, plain);
}

#[test]
fn f12_a_token_that_was_sent_in_the_clear_to_the_port_for_https_is_flagged_too() {
    let (program, _home, _) = serve();
    flags_a_token(&program, address(&program));
}

#[test]
fn f12_who_forgot_the_s_is_led_to_the_configured_host_and_never_to_what_they_say() {
    let more = "public_host = \"door.example.org\"\nbase_path = \"/door\"\n";
    let (program, _home) = secure::serve(&Identity::new(), more);
    let port = address(&program).port();
    let link = format!("<a href=\"https://door.example.org:{port}/door/\">");
    for request in [
        secure::get("/login"),
        "GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 4\r\n\r\nevil".to_owned(),
        "evil\r\n".to_owned(),
    ] {
        let text = ask_plain(address(&program), request.as_bytes());
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
        assert!(text.contains(&link), "{text}");
        assert!(text.contains("x-frame-options: DENY"), "{text}");
        assert!(!text.contains("evil"), "{text}");
    }
    program.until_logged("spoke plain HTTP", SOON);

    let (program, _home) = secure::serve(&Identity::new(), "");
    let text = ask_plain(address(&program), secure::get("/login").as_bytes());
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(text.contains("begins with https://"), "{text}");
    assert!(!text.contains("href"), "nobody said which host: {text}");
}

/// Of two tokens the one that is sent there is flagged, and the answer does not tell.
fn flags_a_token(program: &Program, plain: SocketAddr) {
    program.manage(
        &["user", "add", "ann", "--password-stdin"],
        crate::robot::PASSWORD,
    );
    let new = || {
        program
            .manage(&["token", "create", "--user", "ann"], "")
            .trim()
            .to_owned()
    };
    let (sent, kept) = (new(), new());
    let ask = |token: &str| {
        let request = format!(
            "GET /api/v1/scripts HTTP/1.1\r\nhost: door.example.org\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let text = ask_plain(plain, request.as_bytes());
        let lines = text.lines().filter(|line| !line.starts_with("date: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(ask(&sent), ask("sd_of-nobody"));
    program.until_logged("stagedoor token revoke 1", SOON);
    let mut list = String::new();
    for _ in 0..100 {
        list = program.manage(&["token", "list"], "");
        if list.contains("EXPOSED") {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(list.contains("stagedoor token revoke 1"), "{list}");
    assert_eq!(list.matches("EXPOSED").count(), 1, "{list}");
    assert!(!program.log().contains(&sent) && !program.log().contains(&kept));
}
