//! Failures that are put into a server that runs (P6): an answer says that something failed and
//! gives it a name, under which exactly one line of the log has the rest.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::http::Answer;
use crate::person::Person;
use crate::program::{Home, Program};
use crate::robot::{PASSWORD, Robot};

const HELLO: &str =
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n";
/// Of the inside of the program, of its files, and of its queries.
const INSIDE: [&str; 16] = [
    "panicked at",
    "src/",
    ".rs:",
    "RUST_BACKTRACE",
    "backtrace",
    "os error",
    "sqlite",
    "SQLite",
    "rusqlite",
    "malformed",
    "not a database",
    "SELECT",
    "INSERT",
    "/tmp/",
    "stagedoor.db",
    "errno",
];

/// The name that an answer gives to a failure.
fn request_id(answer: &Answer) -> String {
    let text = answer.text();
    let (begin, end) = if text.starts_with('{') {
        ("\"request\":\"", '"')
    } else {
        ("give them this: <code>", '<')
    };
    let rest = text.split_once(begin).map(|(_, rest)| rest);
    let id = rest.and_then(|rest| rest.split(end).next());
    id.unwrap_or_else(|| panic!("no id: {text}")).to_owned()
}

/// It tells nothing of the inside, and its name leads to one line that tells why.
#[track_caller]
fn is_closed_and_found(program: &Program, answer: &Answer) {
    let text = answer.text();
    let told = INSIDE.iter().find(|word| text.contains(**word));
    assert_eq!(told, None, "{text}");
    let id = request_id(answer);
    program.until_logged(&id, Duration::from_secs(30));
    let log = program.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
    assert_eq!(lines.len(), 1, "{id}: {lines:?}");
    let event: serde_json::Value = serde_json::from_str(lines[0]).expect("JSON");
    assert_eq!(
        (&event["request"], &event["status"]),
        (&json!(id), &json!(answer.status))
    );
    assert!(
        event["cause"]
            .as_str()
            .is_some_and(|cause| cause.len() > 10),
        "{event}"
    );
}

/// Puts folders where files were, so that nothing in it can be read.
fn unreadable(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            unreadable(&entry.path());
        } else {
            fs::remove_file(entry.path()).expect("removed");
            fs::create_dir(entry.path()).expect("made");
        }
    }
}

#[test]
fn p6_a_database_and_output_that_broke_meanwhile_tell_nothing_and_leave_one_line_each() {
    let program = Program::with_scripts(&[("hello.sh", HELLO)]);
    let ann = Robot::new(&program, "ann", &["admins"]);
    let run = ann.run("hello", &json!({}));
    let mut person = Person::stranger(&program);
    assert_eq!(person.sign_in("ann", PASSWORD).status, 303);
    let run = format!("/api/v1/runs/{}", crate::robot::id(&run));
    let lines = format!("{run}/lines?stream=stdout&from=0&n=10");
    ann.get(&lines).expect(200);

    unreadable(&program.state().join("output"));
    let answer = ann.get(&lines);
    assert!(answer.status >= 500, "{}", answer.text());
    is_closed_and_found(&program, &answer);

    for ending in ["", "-wal", "-shm"] {
        let file = program.state().join(format!("stagedoor.db{ending}"));
        let size = fs::metadata(&file).map_or(0, |data| data.len());
        fs::write(&file, vec![b'x'; usize::try_from(size).expect("a size")]).expect("written");
    }
    let answers = [
        ann.get("/api/v1/runs"),
        ann.get("/api/v1/users"),
        ann.start("hello", &json!({})),
        person.get("/runs"),
        person.get("/admin/users"),
        person.get("/admin/audit-log"),
    ];
    let failed: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.status >= 500)
        .collect();
    assert!(
        failed.len() >= 3,
        "{:?}",
        answers.map(|answer| answer.status)
    );
    for answer in failed {
        is_closed_and_found(&program, answer);
    }
}

#[test]
fn p6_a_script_that_cannot_be_read_fails_without_saying_where_it_lies() {
    let home = Home::new();
    let folder = home.scripts(&[("hello.sh", HELLO), ("shut.sh", HELLO)]);
    let program = Program::serve(home, &folder);
    let ann = Robot::user(&program);
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
    for (name, mode) in [("shut.sh", 0o000), ("hello.sh", 0o100)] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).expect("chmod");
    }
    for script in ["shut", "hello"] {
        let started = ann.post(
            "/api/v1/runs?wait=60",
            &json!({"script": script, "args": {}}),
        );
        let text = started.text();
        let told = INSIDE.iter().find(|word| text.contains(**word));
        assert_eq!(told, None, "{text}");
        assert_ne!(started.status, 500, "{text}");
        let outcome = text.contains("\"outcome\":\"succeeded\"");
        assert!(!outcome, "{text}");
    }
}
