//! Each request that the front refuses leaves one line in the log, which says why and whose it was.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Home, Program};
use crate::robot::Robot;
use crate::secure::{HELLO, address, ask_plain, rest, tcp};

const SOON: Duration = Duration::from_secs(30);

/// Behind a proxy on 127.0.0.1.
pub const PROXIED: &str = "behind_proxy = true\nproxy.trusted = [\"127.0.0.1\"]\nproxy.hops = 1\n";

pub fn serve(settings: &str) -> Program {
    let home = Home::new();
    let settings = format!("listen = \"127.0.0.1:0\"\n{settings}");
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", &settings)]);
    Program::serve_with(home, &folder, &[], "http://")
}

/// The lines about refused requests.
fn told(program: &Program) -> Vec<Value> {
    let log = program.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["message"] == "a request was refused")
        .collect()
}

/// Waits for as many, and a little for more.
pub fn told_of(program: &Program, count: usize) -> Vec<Value> {
    for _ in 0..SOON.as_millis() / 20 {
        if told(program).len() >= count {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(100));
    told(program)
}

/// Asks for the path with these fields, beside those that every request has.
pub fn ask(program: &Program, target: &str, fields: &str) -> u16 {
    let request = format!("GET {target} HTTP/1.1\r\n{fields}connection: close\r\n\r\n");
    status(&ask_plain(address(program), request.as_bytes()))
}

pub fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1);
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// A target, fields, the status, some of the reason in the log.
pub type Row = (&'static str, &'static str, u16, &'static str);

#[track_caller]
pub fn each_is_told(program: &Program, rows: &[Row], from: &str) {
    for (target, fields, expected, _) in rows {
        assert_eq!(ask(program, target, fields), *expected, "{target} {fields}");
    }
    let lines = told_of(program, rows.len());
    assert_eq!(lines.len(), rows.len(), "{lines:#?}");
    for (line, (target, fields, status, reason)) in lines.iter().zip(rows) {
        let said = line["reason"].as_str().unwrap_or_default();
        assert!(said.contains(reason), "{target} {fields}: {line}");
        assert_eq!(line["peer"], from, "{target} {fields}");
        assert_eq!(line["status"], *status, "{target} {fields}");
    }
}

#[test]
fn a_refusal_of_the_gate_leaves_one_line_that_says_why() {
    let program = serve("");
    assert_eq!(ask(&program, "/healthz", "host: localhost\r\n"), 200);
    assert_eq!(ask(&program, "/nowhere", "host: localhost\r\n"), 404);
    assert_eq!(told(&program), Vec::<Value>::new(), "nothing was refused");
    each_is_told(
        &program,
        &[
            (
                "/",
                "host: evil.example\r\n",
                421,
                "the name \"evil.example\"",
            ),
            (
                "http://evil.example:81/",
                "host: localhost\r\n",
                421,
                "\"evil.example:81\"",
            ),
            ("/%2e", "host: localhost\r\n", 404, "spelled"),
            (
                "/",
                "host: localhost\r\ncontent-length: 9999999\r\n",
                413,
                "too large",
            ),
            ("/", "host: a b\r\n", 400, "Host"),
            ("/", "", 400, "one Host"),
        ],
        "127.0.0.1",
    );
}

#[test]
fn w3_headers_of_a_proxy_that_are_not_believed_leave_one_line_that_says_why() {
    let program = serve(PROXIED);
    let good = "host: localhost\r\nx-forwarded-for: 203.0.113.7\r\n";
    assert_eq!(ask(&program, "/login", good), 200);
    assert_eq!(told(&program), Vec::<Value>::new(), "nothing was refused");
    each_is_told(
        &program,
        &[
            (
                "/login",
                "host: localhost\r\n",
                400,
                "x-forwarded-for header: it has fewer",
            ),
            (
                "/login",
                "host: localhost\r\nx-forwarded-for: unknown\r\n",
                400,
                "x-forwarded-for header: it has an entry",
            ),
            (
                "/login",
                "host: localhost\r\nx-forwarded-for: ::1\r\nx-forwarded-proto: wss\r\n",
                400,
                "x-forwarded-proto header: it is neither",
            ),
        ],
        "127.0.0.1",
    );
    // Of one that the proxy let pass it is known whose it was.
    let foreign = "host: evil.example\r\nx-forwarded-for: 203.0.113.7\r\n";
    assert_eq!(ask(&program, "/login", foreign), 421);
    let lines = told_of(&program, 4);
    assert_eq!(
        lines.last().map(|line| &line["peer"]),
        Some(&"203.0.113.7".into())
    );
}

#[test]
fn b8_a_body_that_never_comes_is_answered_and_leaves_one_line() {
    let program = serve("");
    let ann = Robot::user(&program);
    let post = |body: &str| {
        let mut stream = tcp(address(&program));
        let head = format!(
            "POST /api/v1/runs HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n\
             content-type: application/json\r\ncontent-length: 18\r\nconnection: close\r\n\r\n{body}",
            ann.credential()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        status(&rest(&mut stream))
    };
    assert_eq!(post("{\"script\":\"hello\"}"), 201);
    assert_eq!(told(&program), Vec::<Value>::new(), "nothing was refused");
    assert_eq!(post("{\"script\""), 408);
    let lines = told_of(&program, 1);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["reason"], "its body did not come in time");
    assert_eq!(lines[0]["peer"], "127.0.0.1");
}

#[test]
fn a_flood_of_refusals_does_not_fill_the_log_and_is_counted() {
    let program = serve("");
    for _ in 0..200 {
        assert_eq!(ask(&program, "/", "host: evil.example\r\n"), 421);
    }
    // Ten at once, and one for each second that all took; the rest is in the next line.
    let lines = told_of(&program, 10);
    assert!(lines.len() < 200, "{}", lines.len());
    for _ in 0..100 {
        ask(&program, "/", "host: evil.example\r\n");
        if told(&program)
            .iter()
            .any(|line| line["untold"].as_u64() > Some(0))
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the rest was not told: {}", program.log());
}

/// Waits until the log speaks of a base path that was taken off, as often as it does.
fn told_of_base_path(program: &Program) -> usize {
    // A line that comes later, so that the other one would have come.
    let fields = "host: last.example\r\nx-forwarded-for: 203.0.113.7\r\n";
    ask(program, "/door/login", fields);
    program.until_logged("last.example", SOON);
    let log = program.log();
    log.matches("came through a proxy without `base_path`")
        .count()
}

#[test]
fn a_proxy_that_takes_the_base_path_off_is_told_of_once() {
    let with = "host: localhost\r\nx-forwarded-for: 203.0.113.7\r\n";
    let program = serve(&format!("{PROXIED}base_path = \"/door\"\n"));
    for (path, status) in [
        ("/door/login", 200),
        ("/door/api/v1/me", 401),
        ("/favicon.ico", 404),
        ("/wp-admin", 404),
    ] {
        assert_eq!(ask(&program, path, with), status, "{path}");
    }
    assert_eq!(told_of_base_path(&program), 0, "nobody took it off");
    assert_eq!(ask(&program, "/login", with), 404);
    program.until_logged("let it hand addresses on as they are", SOON);
    for path in ["/", "/login", "/static/0/style.css", "/api/v1/me"] {
        assert_eq!(ask(&program, path, with), 404, "{path}");
    }
    let log = program.log();
    let count = log
        .matches("came through a proxy without `base_path`")
        .count();
    assert_eq!(count, 1, "{log}");

    // Without a proxy it is somebody who does not know the address.
    let program = serve("base_path = \"/door\"\n");
    assert_eq!(ask(&program, "/login", "host: localhost\r\n"), 404);
    assert_eq!(told_of_base_path(&program), 0);
}
