//! HTTP/2 and HTTP/1.1 over TLS, as a client of somebody else's sees them: pages, forms, the API, the
//! gate.

use std::process::Command;
use std::sync::Arc;

use crate::form::Form;
use crate::program::{Home, Program};
use crate::robot::PASSWORD;
use crate::secure::{self, HELLO, Identity, address};

/// curl, with what it printed: the head of the answer, and its body.
pub fn curl(program: &Program, home: &Home, words: &[&str], path: &str) -> String {
    let port = address(program).port();
    #[expect(clippy::disallowed_methods, reason = "a client of somebody else's")]
    let output = Command::new("curl")
        .args(["-sS", "-i", "--max-time", "60", "--cacert"])
        .arg(secure::certificate_path(home))
        .args(["--connect-to", &format!("::127.0.0.1:{port}")])
        .args(words)
        .arg(format!("https://localhost:{port}{path}"))
        .output()
        .expect("curl is here: tools/setup-tests");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn w2_http_2_and_http_1_serve_pages_and_the_api() {
    let identity = Identity::new();
    let (program, home) = secure::serve(&identity, "");
    program.manage(&["user", "add", "ann", "--password-stdin"], PASSWORD);
    let token = program.manage(&["token", "create", "--user", "ann"], "");
    let bearer = format!("Authorization: Bearer {}", token.trim());
    for (flag, version) in [("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")] {
        let page = curl(&program, &home, &[flag], "/login");
        assert!(page.starts_with(&format!("{version} 200")), "{page}");
        assert!(
            page.contains("x-frame-options: DENY") && page.contains("Stagedoor"),
            "{page}"
        );
        let list = curl(&program, &home, &[flag, "-H", &bearer], "/api/v1/scripts");
        assert!(list.contains("\"hello\""), "{list}");
        let body = "{\"script\":\"hello\",\"args\":{}}";
        let json = "Content-Type: application/json";
        let words = [flag, "-H", &bearer, "-H", json, "-d", body];
        let run = curl(&program, &home, &words, "/api/v1/runs?wait=60");
        assert!(run.contains("\"succeeded\""), "{run}");
    }
}

#[test]
fn w2_the_gate_stands_before_http_2_too() {
    let (program, home) = secure::serve(&Identity::new(), "");
    for (host, path, status) in [
        ("localhost", "/login", "200"),
        ("evil.example", "/login", "421"),
        ("localhost", "/login/%2e", "404"),
        ("localhost", "//login", "404"),
    ] {
        let host = format!("Host: {host}");
        let words = ["--http2", "--path-as-is", "-H", &host];
        let text = curl(&program, &home, &words, path);
        assert!(
            text.starts_with(&format!("HTTP/2 {status}")),
            "{host} {path}: {text}"
        );
        assert!(
            text.contains("x-frame-options: DENY"),
            "{host} {path}: {text}"
        );
    }
}

#[test]
fn w77_a_form_over_http_2_comes_from_our_own_page_or_is_refused() {
    let (mut program, home) = secure::serve(&Identity::new(), "");
    let link = program.said(
        "create the first account: https://",
        std::time::Duration::from_secs(30),
    );
    let path = link[link.find("/setup").expect("a path")..].to_owned();
    let jar = home.dir().join("cookies");
    let jar = jar.to_str().expect("text");
    let port = address(&program).port();
    for (origin, status) in [
        ("https://evil.example".to_owned(), 403),
        (format!("https://localhost:{port}"), 303),
    ] {
        let page = curl(&program, &home, &["--http2", "-c", jar, "-b", jar], &path);
        let form = Form::of(&page, "/setup")
            .fill("name", "admin")
            .fill("password", PASSWORD)
            .fill("again", PASSWORD);
        let origin = format!("Origin: {origin}");
        let words = [
            "--http2",
            "-c",
            jar,
            "-b",
            jar,
            "-H",
            &origin,
            "--data-raw",
            &form.body(),
        ];
        let answer = curl(&program, &home, &words, "/setup");
        assert!(answer.starts_with(&format!("HTTP/2 {status}")), "{answer}");
    }
    let page = curl(&program, &home, &["--http2", "-b", jar], "/scripts/hello");
    assert!(page.starts_with("HTTP/2 200"), "signed in: {page}");
}

#[test]
fn w2_a_head_that_is_too_large_is_refused_in_our_own_words() {
    let (program, home) = secure::serve(&Identity::new(), "");
    let header = |size| format!("X: {}", "x".repeat(size));
    for (size, status) in [(15_000, 200), (17_000, 431), (31_000, 431)] {
        let text = curl(&program, &home, &["--http2", "-H", &header(size)], "/login");
        assert!(text.starts_with(&format!("HTTP/2 {status}")), "{text}");
        assert!(text.contains("x-frame-options: DENY"), "{text}");
    }
}

/// Starts a script so often at once, on one connection, by requests of this size which stay
/// unanswered until their run has ended. The statuses.
fn starts(house: &Secure, script: &str, count: usize, size: usize) -> Vec<String> {
    let body = house.home.dir().join("body");
    let text = format!("{{\"script\":\"{script}\"{}}}", " ".repeat(size));
    std::fs::write(&body, text).expect("written");
    let port = address(&house.program).port();
    #[expect(clippy::disallowed_methods, reason = "a client of somebody else's")]
    let mut command = Command::new("curl");
    command.args(["-sS", "-Z", "--no-progress-meter"]);
    for at in 0..count {
        command.args((at > 0).then_some("--next"));
        command.arg("--cacert");
        command.arg(secure::certificate_path(&house.home));
        command.args(["--http2", "--max-time", "120", "-o", "/dev/null"]);
        command.args(["--connect-to", &format!("::127.0.0.1:{port}")]);
        command.args(["-w", "%{response_code} %{num_connects}\n"]);
        command.args(["-H", &house.bearer, "-H", "Content-Type: application/json"]);
        command.args(["--data-binary", &format!("@{}", body.display())]);
        command.arg(format!("https://localhost:{port}/api/v1/runs?wait=60"));
    }
    let output = command.output().expect("curl is here: tools/setup-tests");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    let lines = said.lines().filter_map(|line| line.split_once(' '));
    let (statuses, connects): (Vec<_>, Vec<_>) = lines.unzip();
    assert_eq!(connects.concat().replace('0', ""), "1", "one connection");
    statuses.into_iter().map(str::to_owned).collect()
}

/// A server, and a token for it.
struct Secure {
    program: Program,
    home: Arc<Home>,
    bearer: String,
}

#[test]
fn b7_what_the_requests_of_one_connection_hold_is_bounded() {
    let (program, home) = secure::serve(&Identity::new(), "[limits]\nrunning = 8\n");
    home.scripts(&[("slow.sh", &HELLO.1.replace("echo hello", "sleep 5"))]);
    program.manage(&["user", "add", "ann", "--password-stdin"], PASSWORD);
    let token = program.manage(&["token", "create", "--user", "ann"], "");
    let bearer = format!("Authorization: Bearer {}", token.trim());
    let house = Secure {
        program,
        home,
        bearer,
    };
    // Many, or large, but not both.
    assert_eq!(starts(&house, "hello", 8, 30_000), ["201"; 8]);
    assert_eq!(starts(&house, "hello", 4, 1_000_000), ["201"; 4]);
    let mut both = starts(&house, "slow", 8, 1_000_000);
    both.sort();
    assert_eq!(
        both,
        ["201", "201", "201", "201", "429", "429", "429", "429"]
    );
    let log = house.program.log();
    assert_eq!(log.matches("connection hold too much").count(), 4, "{log}");
    assert_eq!(
        starts(&house, "hello", 4, 1_000_000),
        ["201"; 4],
        "afterwards"
    );
}
