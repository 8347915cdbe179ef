//! Texts of strangers in raw requests, and in what the server writes about them: an answer keeps
//! its head and never repeats markup, and in the log one event is one line of plain JSON.

use std::fs;

use serde_json::{Value, json};

use crate::form::Form;
use crate::hostile_texts::{MARKUP, STEERING, line, report};
use crate::http;
use crate::person::Person;
use crate::program::{Home, Program};
use crate::robot::{PASSWORD, Robot};
use crate::secure::{HELLO, address, ask_plain};

/// Headers whose value a client chooses and the server may read.
const FIELDS: [&str; 17] = [
    "User-Agent",
    "Referer",
    "X-Forwarded-For",
    "Forwarded",
    "X-Forwarded-Host",
    "X-Request-Id",
    "Cookie",
    "Authorization",
    "Accept",
    "Accept-Language",
    "If-None-Match",
    "Range",
    "Origin",
    "Sec-Fetch-Site",
    "Content-Type",
    "Idempotency-Key",
    "X-CSRF-Token",
];

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Heads of requests to this server; the last line of each may be anything.
fn requests(program: &Program) -> Vec<Vec<u8>> {
    let host = address(program);
    let (long, plain) = ("\"<b>&".repeat(2048), line());
    let texts = [
        plain.as_str(),
        STEERING,
        "x\nX-Injected: 4711",
        "x\rX-Injected: 4711",
        "\0",
        "x\u{1b}[2J",
        &long,
    ];
    let mut heads: Vec<String> = Vec::new();
    for text in texts {
        for path in ["/login", "/api/v1/scripts"] {
            for field in FIELDS {
                heads.push(format!(
                    "GET {path} HTTP/1.1\r\nHost: {host}\r\n{field}: {text}"
                ));
            }
        }
        heads.push(format!("GET / HTTP/1.1\r\nHost: {text}"));
        for target in [
            text.to_owned(),
            percent(text),
            format!("nothing?q={}", percent(text)),
            format!("login?next=/{}", percent(text)),
            format!("scripts/hello?one={}", percent(text)),
            format!("api/v1/{}", percent(text)),
            format!("api/v1/runs?script={}", percent(text)),
            format!("static/{}", percent(text)),
        ] {
            heads.push(format!("GET /{target} HTTP/1.1\r\nHost: {host}"));
        }
        heads.push(format!("{text} / HTTP/1.1\r\nHost: {host}"));
    }
    let end = "\r\nConnection: close\r\n\r\n";
    heads
        .iter()
        .map(|head| format!("{head}{end}").into_bytes())
        .collect()
}

/// What is wrong with an answer to such a request.
fn fault(answer: &str) -> Option<&'static str> {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Some("no answer");
    };
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let is_plain = |line: &str| line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !status.is_some_and(|status| status.starts_with(['2', '3', '4'])) {
        return Some("a failure, or no answer of ours");
    }
    if head.to_ascii_lowercase().contains("\r\nx-injected") {
        return Some("a field of the client's");
    }
    if !head.split("\r\n").all(is_plain) {
        return Some("a head with what steers");
    }
    if body.contains("HTTP/1.1 ") {
        return Some("a second answer");
    }
    (body.contains(MARKUP) || body.contains("<svg onload")).then_some("markup")
}

#[test]
fn w70_a_raw_request_of_any_text_gets_one_whole_answer_without_it() {
    let program = Program::with_scripts(&[HELLO]);
    Robot::new(&program, "root", &["admins"]);
    let requests = requests(&program);
    assert!(requests.len() > 300, "{}", requests.len());
    for request in requests {
        let answer = ask_plain(address(&program), &request);
        let shown = String::from_utf8_lossy(&request).into_owned();
        assert_eq!(fault(&answer), None, "{shown:?}:\n{answer}");
    }
    let good = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    assert_eq!(fault(good), None);
    for bad in [
        "HTTP/1.1 500 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Injected: 4711\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: \u{1b}[2J\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n\r\n<svg onload=alert(1)>",
    ] {
        assert!(fault(bad).is_some(), "{bad:?}");
    }
}

/// Through each door that takes more than a head.
fn send_bodies(program: &Program) {
    let text = format!("{}{STEERING}", line());
    let root = Robot::new(program, "root", &["admins"]);
    for body in [
        json!({"script": text, "args": {}}),
        json!({"script": "hello", "args": {text.as_str(): text}}),
        json!({"script": "one", "args": {"one": text}}),
    ] {
        let answer = root.post("/api/v1/runs", &body);
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    root.run("one", &json!({"one": line()}));
    let mut person = Person::stranger(program);
    for name in [
        text.as_str(),
        "\0",
        "root\r\nX-Injected: 4711",
        &"x".repeat(10_000),
    ] {
        let answer = person.sign_in(name, PASSWORD);
        assert!((400..500).contains(&answer.status), "{name:?}");
    }
    let page = person.get("/login").expect(200).text();
    let form = Form::of(&page, "/login")
        .fill("name", "root")
        .fill("password", PASSWORD);
    let answer = person.send(&form.fill("next", "/runs\r\nX-Injected: 4711"));
    assert_eq!((answer.status, answer.header("x-injected")), (303, None));
    report(program);
    let refused = ask_plain(
        address(program),
        format!("GET / HTTP/1.1\r\nHost: h1-host-{}-1h\r\n\r\n", "ü\u{202e}").as_bytes(),
    );
    assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
}

/// Each line as JSON; only the one-time link is for people.
#[track_caller]
fn read_lines(log: &str) -> Vec<Value> {
    let is_notice = |line: &str| {
        line.is_empty() || line.starts_with("Open this link") || line.starts_with("It works once")
    };
    let lines = log.lines().filter(|line| !is_notice(line));
    lines
        .map(|line| {
            assert!(
                line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                "{line:?}"
            );
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
        })
        .collect()
}

#[test]
fn w70_one_event_is_one_line_of_the_log_whatever_texts_it_tells_of() {
    let one = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# [[param]]\n\
               # name = \"one\"\n# ///\nprintf '%s\\n' \"$1\"; printf '\\033[2J{\"level\":1}\\n' >&2\n";
    let home = Home::new();
    let folder = home.scripts(&[HELLO, ("one.sh", one)]);
    let program = Program::serve(home, &folder);
    send_bodies(&program);
    // A file comes while the server runs, and is told of by its name.
    let name = format!("h1-file-{STEERING}{}-1h.sh", line()).replace('/', "|");
    fs::write(
        folder.join(&name),
        "#!/bin/sh\n# /// stagedoor\n# \u{1b}[2J = 1\n# ///\n",
    )
    .expect("written");
    http::get(&format!("{}/login", program.url), &[]).expect(200);
    Robot::new(&program, "bob", &[])
        .get("/api/v1/scripts")
        .expect(200);
    program.until_logged("h1-file-", std::time::Duration::from_secs(30));

    let events = read_lines(&program.log());
    let told = events.iter().filter(|event| event["file"] == name).count();
    assert_eq!(told, 1, "{events:#?}");
    let forged = |event: &&Value| event["message"] == "forged-4711";
    assert_eq!(events.iter().filter(forged).count(), 0);
    let kept = fs::read_to_string(program.state().join("logs/audit.jsonl")).expect("the audit log");
    assert!(read_lines(&kept).len() > 5, "{kept}");
}
