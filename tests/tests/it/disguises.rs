//! The name of a script in every disguise that ever made a server show a source (rows P1, P10, P13):
//! each example, pages and API, GET and HEAD, with requests written byte by byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::person::Person;
use crate::program::{Home, Program, examples};
use crate::robot::Robot;

/// Stands in every source and definition.
const MARKER: &str = "marker-of-the-source-4711";

/// What is put behind a name. Each gives an address that is none.
const ENDINGS: [&str; 50] = [
    "_",
    "~",
    ".bak",
    ".orig",
    ".swp",
    ".save",
    ".old",
    ".txt",
    ".phps",
    ".tmp",
    ".copy",
    ".1",
    ".dist",
    ".inc",
    ".rej",
    ".un~",
    "%7e",
    "%00",
    "%00.txt",
    "%2e",
    "%2ebak",
    ".",
    "..",
    "%20",
    "+",
    "/",
    "//",
    "/.",
    "/..",
    "/%2e",
    "%2f",
    "%5c",
    "\\",
    "::$DATA",
    "::$INDEX_ALLOCATION",
    ":",
    ";x=y",
    ";.css",
    "/..;/",
    "/index.html",
    "/x.css",
    "/../x",
    "%252e",
    "%252f",
    "%c0%ae",
    "%c0%af",
    "%ef%bc%8f",
    "%0a",
    "%0d%0aX:1",
    "/.stagedoor.toml",
];

/// What makes the address no line of HTTP, or something that comes with an answer.
const ODD: [&str; 8] = [" ", "\t", "\0", "\u{7f}", "\u{fc}", "?source", "?-s", "#x"];

/// Answers that say that there is nothing, or that this is no request.
const NOTHING: [u16; 3] = [404, 400, 421];

/// Copies the examples with the marker in each, as a comment.
fn planted(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("mkdir");
    for entry in std::fs::read_dir(from).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let copy = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            planted(&path, &copy);
            continue;
        }
        std::fs::copy(&path, &copy).expect("a copy");
        let ending = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        if matches!(ending, "sh" | "py" | "pl" | "awk" | "toml") {
            let text = std::fs::read_to_string(&copy).expect("text");
            std::fs::write(&copy, format!("{text}\n# {MARKER}\n")).expect("written");
        }
    }
}

/// Files below a folder, relative to it.
fn files(folder: &Path, below: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("text");
        let name = format!("{below}{name}");
        if path.is_dir() {
            files(&path, &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

/// Somebody who sends what no client library would.
struct Knocker {
    host: String,
    credential: String,
    sent: usize,
    wrong: Vec<String>,
}

impl Knocker {
    fn new(program: &Program, credential: String) -> Self {
        let host = program.url.trim_start_matches("http://").to_owned();
        Self {
            host,
            credential,
            sent: 0,
            wrong: Vec::new(),
        }
    }

    fn send(&mut self, method: &str, path: &str) -> (u16, String) {
        self.sent += 1;
        let mut stream = TcpStream::connect(&self.host).expect("the server listens");
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).expect("a time limit");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{}\r\nconnection: close\r\n\r\n",
            self.host, self.credential
        );
        // Who is refused early may find the connection closed.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.unwrap_or(0), text)
    }

    /// There is nothing at this address.
    fn knock(&mut self, path: &str) {
        for method in ["GET", "HEAD"] {
            let (status, text) = self.send(method, path);
            if !NOTHING.contains(&status) || text.contains(MARKER) {
                self.wrong.push(format!("{method} {path:?}: {status}"));
            }
        }
    }

    /// There may be something at this address, but not the source.
    fn look(&mut self, path: &str) {
        let (status, text) = self.send("GET", path);
        let is_answer = NOTHING.contains(&status) || status == 200;
        if !is_answer || text.contains(MARKER) {
            self.wrong.push(format!("GET {path:?}: {status}"));
        }
    }

    /// A name with a prefix, in all disguises.
    fn try_name(&mut self, start: &str, name: &str) {
        for ending in ENDINGS {
            self.knock(&format!("{start}{name}{ending}"));
        }
        for ending in ODD {
            self.look(&format!("{start}{name}{ending}"));
        }
        let (first, rest) = name.split_at(1);
        for twisted in [
            name.to_uppercase(),
            format!("{}{rest}", first.to_uppercase()),
            format!("%{:02x}{rest}", first.as_bytes().first().expect("a letter")),
            format!("./{name}"),
            format!("../{name}"),
            format!("x/../{name}"),
            format!("%2e%2e/{name}"),
            format!("..%2f{name}"),
            format!("..\\{name}"),
            format!("/{name}"),
            format!("_{name}"),
            format!(".{name}"),
            format!("~{name}"),
            name.replace('/', "%2f"),
            name.replace('/', "\\"),
            name.replace('/', "//"),
        ] {
            if twisted != name {
                self.knock(&format!("{start}{twisted}"));
            }
        }
    }
}

#[test]
fn p1_no_disguise_of_a_name_shows_a_scripts_source() {
    let home = Home::new();
    let folder = home.scripts(&[]);
    planted(&examples(), &folder);
    let mut program = Program::serve(home, &folder);
    let admin = Person::first(&mut program);
    let mut page = Knocker::new(&program, format!("cookie: {}", admin.cookie()));
    let robot = Robot::new(&program, "rob", &["admins"]);
    let mut api = Knocker::new(&program, format!("authorization: {}", robot.credential()));
    let listed = robot.get("/api/v1/scripts").expect(200).json();
    let names: Vec<&str> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["name"].as_str())
        .collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        let known = page.send("GET", &format!("/scripts/{name}"));
        assert_eq!(known.0, 200, "{name}: the name itself is known");
        assert!(!known.1.contains(MARKER), "{name}");
        page.try_name("/scripts/", name);
        api.try_name("/api/v1/scripts/", name);
    }
    let mut lying = Vec::new();
    files(&folder, "", &mut lying);
    assert!(lying.len() >= 20, "{lying:?}");
    for file in lying {
        for start in [
            "/",
            "/scripts/",
            "/static/",
            "/static/0/",
            "/runs/",
            "/cgi-bin/",
            "/examples/",
        ] {
            page.knock(&format!("{start}{file}"));
        }
        api.knock(&format!("/api/v1/scripts/{file}"));
        api.knock(&format!("/api/v1/{file}"));
    }
    let sent = page.sent + api.sent;
    assert!(sent > 4000, "{sent}");
    let wrong = [page.wrong, api.wrong].concat();
    assert!(
        wrong.is_empty(),
        "{} of {sent}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
