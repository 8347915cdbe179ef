//! What stands between the socket and the HTTP library: whatever could be read in two ways is
//! refused with an answer of ours, and nothing behind it in the connection is run.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::malformed::{Case, cases, start};
use crate::program::Program;
use crate::robot::Robot;

const HELLO: &str =
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n";
const SCRIPTS: &[(&str, &str)] = &[("hello.sh", HELLO), ("smuggled.sh", HELLO)];

/// On every answer.
const SET: [&str; 13] = [
    "content-security-policy",
    "x-frame-options",
    "x-xss-protection",
    "x-content-type-options",
    "referrer-policy",
    "cache-control",
    "permissions-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "x-permitted-cross-domain-policies",
    "origin-agent-cluster",
    "x-dns-prefetch-control",
];

/// Long enough for a busy machine, and far shorter than an idle connection is kept.
const SOON: Duration = Duration::from_secs(20);

/// An answer as it came, to the end of the connection.
struct Raw {
    head: String,
    /// With whatever came behind it.
    body: String,
}

impl Raw {
    fn of(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some(Self {
            head: format!("{}\r\n", head.to_ascii_lowercase()),
            body: body.to_owned(),
        })
    }

    fn status(&self) -> u16 {
        let word = self.head.split(' ').nth(1);
        word.and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// The values of the fields of that name.
    fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .collect()
    }

    /// What is wrong with it as a refusal with this status.
    fn faults(&self, case: &Case) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{}: {what}: {}{}", case.name, self.head, self.body));
            }
        };
        must(self.status() == case.status, "another status");
        for name in SET {
            must(self.all(name).len() == 1, name);
        }
        must(self.all("connection") == ["close"], "connection");
        let kinds = self.all("content-type");
        let kind = kinds.first().copied().unwrap_or_default();
        let is_typed = kind == "application/problem+json" || kind.ends_with("charset=utf-8");
        must(kinds.len() == 1 && is_typed, "content-type");
        must(self.all("server").is_empty(), "server");
        must(
            self.all("transfer-encoding").is_empty(),
            "transfer-encoding",
        );
        let has_body = !case.bad.starts_with(b"HEAD ");
        let size = self.all("content-length").concat().parse();
        let is_whole = if has_body {
            size == Ok(self.body.len())
        } else {
            self.body.is_empty() && size != Ok(0)
        };
        must(is_whole, "its length, or something behind it");
        must(
            self.all("allow").is_empty() == (case.status != 405),
            "allow",
        );
        faults
    }
}

/// Sends these bytes; what comes back until the server ends the connection.
fn exchange(program: &Program, bytes: &[u8]) -> Vec<u8> {
    let address = program.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    stream.write_all(bytes).expect("sent");
    let mut answers = Vec::new();
    stream
        .read_to_end(&mut answers)
        .expect("the connection ends");
    answers
}

fn runs_of(ann: &Robot, script: &str) -> Value {
    let page = ann
        .get(&format!("/api/v1/runs?script={script}"))
        .expect(200);
    page.json()["items"].clone()
}

#[test]
fn f8_w6_what_is_malformed_is_refused_by_us_and_nothing_behind_it_is_run() {
    let program = Program::with_scripts(SCRIPTS);
    let ann = Robot::user(&program);
    let second = start(
        ann.token(),
        "Content-Length: 21\r\n",
        r#"{"script":"smuggled"}"#,
    );
    let cases = cases(ann.token());
    assert!(cases.len() >= 80, "{}", cases.len());
    let mut faults = Vec::new();
    for case in &cases {
        let answer = exchange(&program, &[case.bad.as_slice(), &second].concat());
        match Raw::of(&answer) {
            Some(raw) => faults.extend(raw.faults(case)),
            None => faults.push(format!("{}: no answer", case.name)),
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(runs_of(&ann, "smuggled"), json!([]), "nothing was run");
    assert_eq!(runs_of(&ann, "hello"), json!([]), "nothing was run");
    // The same request is run when nothing bad stands before it.
    let last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let both = [second.as_slice(), last.as_bytes()].concat();
    let answer = Raw::of(&exchange(&program, &both)).expect("an answer");
    assert_eq!(answer.status(), 201, "{}", answer.head);
    assert_eq!(runs_of(&ann, "smuggled").as_array().map(Vec::len), Some(1));
}

#[test]
fn f8_their_well_formed_twins_are_answered_and_so_is_what_stands_behind_them() {
    let program = Program::with_scripts(SCRIPTS);
    let ann = Robot::user(&program);
    let last = "GET /healthz?last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut faults = Vec::new();
    for case in cases(ann.token()) {
        let answers = exchange(&program, &[case.good.as_slice(), last.as_bytes()].concat());
        let text = String::from_utf8_lossy(&answers);
        let statuses: Vec<&str> = text
            .match_indices("HTTP/1.")
            .filter_map(|(at, _)| text.get(at + 9..at + 12))
            .collect();
        if statuses != [case.good_status.to_string().as_str(), "200"] {
            let body = text.rsplit("\r\n\r\n").next().unwrap_or_default();
            faults.push(format!("{}: {statuses:?}: {body}", case.name));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn w6_an_answer_below_the_api_is_for_programs_and_elsewhere_for_people() {
    let program = Program::with_scripts(SCRIPTS);
    let ask = |line: &str| {
        let answer = exchange(&program, format!("{line}\r\nX: \0\r\n\r\n").as_bytes());
        Raw::of(&answer).expect("an answer")
    };
    let page = ask("GET /runs HTTP/1.1");
    assert_eq!(page.all("content-type"), ["text/plain; charset=utf-8"]);
    assert_eq!(page.body, "The request holds a NUL.\n");
    let api = ask("GET http://localhost/api/v1/runs HTTP/1.1");
    assert_eq!(api.all("content-type"), ["application/problem+json"]);
    let problem: Value = serde_json::from_str(&api.body).expect("JSON");
    assert_eq!(
        problem,
        json!({
            "type": "about:blank", "title": "Bad Request", "status": 400,
            "detail": "The request holds a NUL.",
        })
    );
    program.until_logged("The request holds a NUL.", SOON);
}

#[test]
fn a_request_before_a_bad_one_is_answered_first() {
    let program = Program::with_scripts(&[("slow.sh", &HELLO.replace("echo hello", "sleep 1"))]);
    let ann = Robot::user(&program);
    let body = r#"{"script":"slow"}"#;
    let bytes = start(ann.token(), "Content-Length: 17\r\n", body);
    let text = String::from_utf8(bytes).expect("text");
    let waited = text.replacen("/runs ", "/runs?wait=60 ", 1);
    let bad = "GET /healthz HTTP/1.1\r\n\r\n";
    let answers = exchange(&program, format!("{waited}{bad}").as_bytes());
    let answers = String::from_utf8_lossy(&answers);
    let (first, second) = answers.split_at(answers.rfind("HTTP/1.1 ").expect("answers"));
    assert!(first.starts_with("HTTP/1.1 201 "), "{answers}");
    assert!(first.contains(r#""outcome":"succeeded""#), "{answers}");
    assert!(second.starts_with("HTTP/1.1 400 "), "{answers}");
    assert!(second.contains("must have one Host"), "{answers}");
}

/// Whoever answers without reading a body cannot tell where the next request begins.
#[test]
fn an_answer_that_leaves_a_body_unread_ends_the_connection_and_says_so() {
    let program = Program::with_scripts(SCRIPTS);
    let second = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let body = b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n";
    for frame in [
        "Transfer-Encoding: chunked\r\n\r\n+1\r\n",
        "Content-Length: 9999\r\n\r\n",
    ] {
        let bytes = [body.as_slice(), frame.as_bytes(), second].concat();
        let answer = Raw::of(&exchange(&program, &bytes)).expect("an answer");
        assert_eq!(answer.status(), 401, "{}", answer.head);
        assert_eq!(answer.all("connection"), ["close"], "{}", answer.head);
        assert!(!answer.body.contains("HTTP/1.1"), "{}", answer.body);
    }
    // One that was there needs not be read to be passed over.
    let whole = b"Content-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\nHost : a\r\n\r\n";
    let answer = exchange(&program, &[body.as_slice(), whole].concat());
    let answer = Raw::of(&answer).expect("an answer");
    assert_eq!(answer.status(), 401, "{}", answer.head);
    assert!(answer.all("connection").is_empty(), "{}", answer.head);
    assert!(answer.body.contains("HTTP/1.1 400 "), "{}", answer.body);
}

#[test]
fn a_client_that_stops_sending_after_a_bad_request_sees_the_refusal() {
    let program = Program::with_scripts(SCRIPTS);
    let address = program.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    // Far more behind it than is read before the answer.
    let bad = [
        b"GET / HTTP/1.1\r\nbad\r\n\r\n".as_slice(),
        &[b'x'; 100_000],
    ]
    .concat();
    stream.write_all(&bad).expect("sent");
    stream.shutdown(Shutdown::Write).expect("shut");
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("an answer, no reset");
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
}
