//! Names and addresses in all their spellings, and requests of odd sizes, on real sockets: never a
//! 500, never a wait without end, and one line in the log for each that is refused.

use serde_json::Value;

use crate::program::{self, Home, Program};
use crate::refusals::{self, PROXIED, Row, ask, each_is_told, told_of};
use crate::secure::{HELLO, address, ask_plain, get};

/// With a name in another alphabet, as browsers send it, and an address.
fn serve() -> Program {
    refusals::serve("public_host = [\"xn--bcher-kva.example\", \"2001:db8:0::5\"]\n")
}

#[track_caller]
fn each_is_served(program: &Program, hosts: &[&str]) {
    for host in hosts {
        let status = ask(program, "/login", &format!("host: {host}\r\n"));
        assert_eq!(status, 200, "{host}");
    }
}

#[test]
fn w3_an_address_of_ipv6_is_the_same_host_in_all_its_spellings() {
    let program = serve();
    each_is_served(
        &program,
        &[
            "[::1]",
            "[::1]:7373",
            "[::1]:",
            "[0:0:0:0:0:0:0:1]",
            "[0000:0000:0000:0000:0000:0000:0000:0001]:80",
            "[::ffff:127.0.0.1]",
            "[::FFFF:7F00:0001]:65535",
            "[2001:db8::5]",
            "[2001:DB8:0:0::5]:443",
        ],
    );
    each_is_told(
        &program,
        &[
            ("/login", "host: [::2]\r\n", 421, "\"[::2]\""),
            ("/login", "host: [2001:db8::6]\r\n", 421, "2001:db8::6"),
            ("/login", "host: [::127.0.0.1]\r\n", 421, "[::127.0.0.1]"),
            ("/login", "host: [127.0.0.1]\r\n", 421, "[127.0.0.1]"),
            ("/login", "host: [::1%lo]\r\n", 400, "no name of a server"),
            ("/login", "host: [::1%25lo]\r\n", 400, "no name of a server"),
            ("/login", "host: ::1\r\n", 400, "no name of a server"),
            ("/login", "host: [::1\r\n", 400, "no name of a server"),
            ("/login", "host: ::1]:80\r\n", 400, "no name of a server"),
            ("/login", "host: [::1]80\r\n", 400, "no name of a server"),
        ],
        "127.0.0.1",
    );
}

#[test]
fn w3_a_name_in_another_alphabet_is_served_as_browsers_send_it_and_in_no_other_way() {
    let program = serve();
    each_is_served(
        &program,
        &[
            "xn--bcher-kva.example",
            "XN--BCHER-KVA.Example:443",
            "LocalHost",
        ],
    );
    each_is_told(
        &program,
        &[
            (
                "/login",
                "host: bücher.example\r\n",
                400,
                "no name of a server",
            ),
            (
                "/login",
                "host: bu\u{308}cher.example\r\n",
                400,
                "no name of a server",
            ),
            (
                "/login",
                "host: b%c3%bccher.example\r\n",
                400,
                "no name of a server",
            ),
            (
                "/login",
                "host: ｌｏｃａｌｈｏｓｔ\r\n",
                400,
                "no name of a server",
            ),
            ("/login", "host: xn--bcher-kvb.example\r\n", 421, "kvb"),
            (
                "/login",
                "host: xn--bcher-kva.example.\r\n",
                421,
                "example.",
            ),
            ("/login", "host: localhost.\r\n", 421, "localhost."),
            (
                "http://bücher.example/login",
                "host: localhost\r\n",
                400,
                "",
            ),
        ],
        "127.0.0.1",
    );
}

#[test]
fn a_public_host_in_another_alphabet_is_told_how_to_be_written() {
    let home = Home::new();
    let text = "public_host = [\"bücher.example\"]\n";
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", text)]);
    let (folder, state) = (folder.display().to_string(), home.state());
    let words = ["serve", &folder, "--state", &state.display().to_string()];
    let output = program::stagedoor(&words, "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("write `xn--bcher-kva.example`"), "{said}");
}

/// What the log says who sent a request with this entry, which is refused for another reason.
fn peer_of(program: &Program, number: usize, entry: &str) -> Value {
    let fields = format!("host: evil.example\r\nx-forwarded-for: {entry}\r\n");
    assert_eq!(ask(program, "/login", &fields), 421, "{entry}");
    let lines = told_of(program, number);
    assert_eq!(lines.len(), number, "{entry}");
    lines[number - 1]["peer"].clone()
}

#[test]
fn w3_a_client_behind_a_proxy_is_one_client_in_all_spellings_of_its_address() {
    let program = refusals::serve(PROXIED);
    for (at, (entry, peer)) in [
        ("2001:db8::9", "2001:db8::9"),
        ("2001:DB8:0:0:0:0:0:9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:0DB8::0009]:65535", "2001:db8::9"),
        ("2001:db8::0.0.0.9", "2001:db8::9"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::FFFF:CB00:7107]:80", "203.0.113.7"),
        ("203.0.113.7:80", "203.0.113.7"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(peer_of(&program, at + 1, entry), peer, "{entry}");
    }
}

#[test]
fn w3_an_entry_that_is_no_address_of_a_client_is_refused() {
    let program = refusals::serve(PROXIED);
    let rows: [Row; 9] = [
        "fe80::1%eth0",
        "[fe80::1%25eth0]:80",
        "[2001:db8::9",
        "2001:db8::9]",
        "[2001:db8::9]80",
        "[203.0.113.7]",
        "2001:db8:::9",
        "２００１:db8::9",
        "ｌocalhost",
    ]
    .map(|entry| {
        let fields = format!("host: localhost\r\nx-forwarded-for: {entry}\r\n");
        ("/login", &*fields.leak(), 400, "x-forwarded-for header")
    });
    each_is_told(&program, &rows, "127.0.0.1");
}

#[test]
fn b8_ten_thousand_headers_and_a_header_of_a_megabyte_are_refused_and_leave_one_line_each() {
    let program = refusals::serve("");
    let many = |count| "x: y\r\n".repeat(count);
    let large = |size| format!("x: {}\r\n", "y".repeat(size));
    for good in [many(90), large(8000)] {
        assert_eq!(
            ask(&program, "/login", &format!("host: localhost\r\n{good}")),
            200
        );
    }
    let rows: [Row; 4] = [
        many(10_000),
        large(1 << 20),
        large(1 << 20) + &many(10_000),
        format!("x: {}", "y".repeat(1 << 20)),
    ]
    .map(|fields| {
        let fields = format!("host: localhost\r\n{fields}");
        ("/login", &*fields.leak(), 431, "")
    });
    each_is_told(&program, &rows, "127.0.0.1");
    let text = ask_plain(address(&program), get("/healthz").as_bytes());
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
}
