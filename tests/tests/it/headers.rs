//! Every answer has the whole set of security headers, each of them once (rows W3, W6 to W19).

mod set;

use std::net::TcpStream;
use std::time::Duration;

use crate::form::Form;
use crate::person::{Person, led_to};
use crate::program::{Home, Program};
use crate::robot::Robot;
use set::{exchange, has_the_set, request};

const SCRIPT: (&str, &str) = (
    "hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n",
);

/// The address of the style sheet, which has a hash in it.
fn style(program: &Program) -> String {
    let page = Person::stranger(program).get("/login").text();
    let rest = page.split("stylesheet\" href=\"").nth(1);
    let address = rest.and_then(|rest| rest.split('"').next());
    address.expect("a style sheet").to_owned()
}

/// Line of the request, more of its head, status; of somebody who is not signed in.
fn of_strangers(program: &Program, style: &str) -> Vec<(String, String, u16)> {
    let report = "Content-Type: application/csp-report\r\nContent-Length: 2\r\n\r\n{}";
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n";
    let foreign = format!("Origin: https://evil.example\r\n{form}");
    let rows: &[(&str, &str, u16)] = &[
        ("GET /", "", 303),
        ("HEAD /", "", 303),
        ("GET /login", "", 200),
        ("HEAD /login", "", 200),
        ("POST /login", "Content-Length: 0\r\n", 415),
        ("POST /login", form, 403),
        ("POST /login", &foreign, 403),
        ("POST /login", "Content-Length: 1048577\r\n", 413),
        ("PUT /login", "", 405),
        ("OPTIONS /login", "", 204),
        ("OPTIONS /api/v1/runs", "", 204),
        ("DELETE /nowhere", "", 404),
        ("GET /nowhere", "", 404),
        ("GET /login/", "", 404),
        ("GET /%6cogin", "", 404),
        ("GET /setup?key=x", "", 410),
        ("GET /logout", "", 405),
        ("POST /logout", form, 303),
        ("GET /static/0/style.css", "", 404),
        ("GET /api/v1/runs", "", 401),
        ("HEAD /api/v1/runs", "", 401),
        ("POST /api/v1/runs", "Content-Length: 0\r\n", 401),
        ("DELETE /api/v1/runs", "", 405),
        ("GET /api/v1/nowhere", "", 404),
        ("GET /api/v1/me", "Authorization: Bearer sd_x\r\n", 401),
        ("GET /healthz", "", 200),
        ("GET /readyz", "", 200),
        ("POST /csp-report", report, 204),
        ("POST /csp-report", "Content-Length: 0\r\n", 415),
        ("GET /csp-report", "", 405),
        ("GET /login", "Host: localhost\r\n", 400),
        ("GET http://evil.example/", "", 421),
    ];
    let mut rows: Vec<_> = rows
        .iter()
        .map(|(line, more, status)| ((*line).to_owned(), (*more).to_owned(), *status))
        .collect();
    rows.push((format!("GET {style}"), String::new(), 200));
    rows.push((format!("HEAD {style}"), String::new(), 200));
    rows.push((format!("POST {style}"), String::new(), 405));
    let home = program.url.clone();
    rows.push((format!("GET {home}/login"), String::new(), 200));
    rows
}

#[test]
fn w6_every_answer_to_a_stranger_has_the_whole_set_once() {
    let mut program = Program::with_scripts(&[SCRIPT]);
    Person::first(&mut program);
    let style = style(&program);
    for (line, more, status) in of_strangers(&program, &style) {
        let head = request(&program, &line, &more);
        assert_eq!(head.status, status, "{line}\n{more}");
        has_the_set(&head, &line, false);
        let is_kept = head.one("cache-control") != "no-store";
        assert_eq!(is_kept, line.ends_with(&style) && status == 200, "{line}");
    }
}

#[test]
fn w6_an_answer_to_what_is_no_good_request_has_the_whole_set_once() {
    let program = Program::with_scripts(&[SCRIPT]);
    let long = "a".repeat(20_000);
    for (bytes, status) in [
        (
            "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            421,
        ),
        (
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
            400,
        ),
        ("GET / HTTP/1.1\nHost: localhost\n\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost : localhost\r\n\r\n".to_owned(), 400),
        ("hello\r\n\r\n".to_owned(), 400),
        (
            "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            405,
        ),
        ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n".to_owned(), 505),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            414,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
            431,
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n".to_owned(),
            417,
        ),
    ] {
        let head = exchange(&program, bytes.as_bytes());
        let shown = bytes.get(..60).unwrap_or(&bytes);
        assert_eq!(head.status, status, "{shown}");
        has_the_set(&head, shown, false);
    }
}

#[test]
fn w6_every_answer_to_a_user_has_the_whole_set_once() {
    let mut program = Program::with_scripts(&[SCRIPT]);
    let mut admin = Person::first(&mut program);
    let page = admin.get("/scripts/hello").expect(200).text();
    let run = led_to(&admin.send(&Form::of(&page, "/scripts/hello")));
    admin.page_at_end(&run);
    let cookie = format!("Cookie: {}\r\n", admin.cookie());
    let rows = [
        ("GET", "/".to_owned(), "", 200),
        ("HEAD", "/".to_owned(), "", 200),
        ("GET", "/scripts/hello".to_owned(), "", 200),
        ("GET", "/scripts/none".to_owned(), "", 404),
        (
            "POST",
            "/scripts/hello".to_owned(),
            "Content-Length: 0\r\n",
            415,
        ),
        ("GET", "/runs".to_owned(), "", 200),
        ("GET", run.clone(), "", 200),
        ("GET", "/account".to_owned(), "", 200),
        ("GET", "/admin/health".to_owned(), "", 200),
        ("GET", "/admin/csp-reports".to_owned(), "", 200),
        ("GET", "/api/v1/me".to_owned(), "", 200),
        (
            "GET",
            "/api/v1/me".to_owned(),
            "Origin: https://evil.example\r\n",
            403,
        ),
        ("GET", "/api/v1/openapi.json".to_owned(), "", 200),
        (
            "POST",
            "/api/v1/runs".to_owned(),
            "Content-Length: 0\r\n",
            403,
        ),
        ("GET", format!("/api/v1{run}/events"), "", 200),
        ("GET", format!("/api/v1{run}/lines"), "", 200),
        ("GET", format!("/api/v1{run}/output?stream=stdout"), "", 200),
        (
            "GET",
            format!("/api/v1{run}/output?stream=stdout"),
            "Range: bytes=0-1\r\n",
            206,
        ),
        (
            "GET",
            format!("/api/v1{run}/output?stream=stdout"),
            "Range: bytes=99-\r\n",
            416,
        ),
    ];
    for (method, path, more, status) in rows {
        let what = format!("{method} {path}");
        let head = request(&program, &what, &format!("{cookie}{more}"));
        assert_eq!(head.status, status, "{what} {more}");
        has_the_set(&head, &what, false);
        assert_eq!(head.all("clear-site-data").count(), 0, "{what}");
    }
    // W14, W73: leaving clears what the browser kept, and nothing else does.
    let page = admin.get("/").expect(200).text();
    let left = admin.send(&Form::of(&page, "/logout")).expect(303);
    assert_eq!(
        left.header("clear-site-data"),
        Some("\"cache\", \"storage\"")
    );
}

#[test]
fn w6_a_connection_that_is_too_many_is_refused_with_the_whole_set() {
    let program = Program::with_scripts(&[SCRIPT]);
    let address = program.url.strip_prefix("http://").expect("plain HTTP");
    let others: Vec<TcpStream> = (0..128)
        .map(|_| TcpStream::connect(address).expect("it listens"))
        .collect();
    let head = exchange(&program, b"");
    assert_eq!(head.status, 503);
    has_the_set(&head, "one connection too many", false);
    drop(others);
}

/// A server with these settings.
fn with_settings(settings: &str) -> Program {
    let home = Home::new();
    let folder = home.scripts(&[SCRIPT]);
    std::fs::write(folder.join("stagedoor.toml"), settings).expect("the settings");
    Program::serve(home, &folder)
}

fn behind_a_proxy_at(address: &str) -> Program {
    with_settings(&format!(
        "behind_proxy = true\n[proxy]\nhops = 1\ntrusted = [\"{address}\"]\n"
    ))
}

#[test]
fn w6_w7_over_https_at_a_proxy_the_set_has_what_https_adds() {
    let program = behind_a_proxy_at("127.0.0.1");
    let said = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    for (line, status) in [
        ("GET /login", 200),
        ("HEAD /login", 200),
        ("GET /nowhere", 404),
        ("PUT /login", 405),
        ("GET /api/v1/me", 401),
        ("POST /csp-report", 415),
    ] {
        let head = request(&program, line, said);
        assert_eq!(head.status, status, "{line}");
        has_the_set(&head, line, true);
    }
    let refused = request(&program, "GET /login", "X-Forwarded-Proto: https\r\n");
    assert_eq!(refused.status, 400, "no entry, no client");
    has_the_set(&refused, "no entry", false);
}

#[test]
fn w3_one_who_is_no_proxy_is_told_of_once_and_not_believed() {
    let forged = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n";
    let program = behind_a_proxy_at("192.0.2.1");
    // Without an admin there is no form to sign in, and no cookie for it.
    Robot::new(&program, "root", &["admins"]);
    for _ in 0..5 {
        let head = request(&program, "GET /login", forged);
        assert_eq!(head.status, 200);
        has_the_set(&head, "a forged scheme", false);
        assert!(head.one("set-cookie").starts_with("PreSessionID-"));
    }
    program.until_logged("spoof_attempt", Duration::from_secs(10));
    let log = program.log();
    assert_eq!(log.matches("spoof_attempt").count(), 1, "{log}");
    assert!(
        log.contains("127.0.0.1") && !log.contains("6.6.6.6"),
        "{log}"
    );
    let trusting = behind_a_proxy_at("127.0.0.1");
    Robot::new(&trusting, "root", &["admins"]);
    let head = request(&trusting, "GET /login", forged);
    assert!(head.one("set-cookie").starts_with("__Host-PreSessionID="));
    assert!(!trusting.log().contains("spoof_attempt"));
}
