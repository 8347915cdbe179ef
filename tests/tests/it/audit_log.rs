//! The audit log of the real program: what an evening leaves in it, who finds it changed, and what
//! another program reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::browser::{Browser, JavaScript};
use crate::form::Form;
use crate::journeys::set_up;
use crate::person::Person;
use crate::program::{Home, Program, command, stagedoor};
use crate::robot::{PASSWORD, Robot};

const SCRIPTS: [(&str, &str); 2] = [
    (
        "quick.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho done\n",
    ),
    (
        "slow.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\nexec sleep 60\n",
    ),
];

fn verify(state: &Path) -> Output {
    let state = state.to_str().expect("a path of text");
    stagedoor(&["audit-log", "verify", "--state", state], "")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn assert_whole(state: &Path) -> String {
    let output = verify(state);
    let text = said(&output);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

fn exported(program: &Program) -> Vec<Value> {
    let text = program.manage(&["audit-log", "export"], "");
    let read = |line: &str| serde_json::from_str(line).expect(line);
    text.lines().map(read).collect()
}

fn end_of(records: &[Value]) -> String {
    let last = records.last().expect("records");
    format!("{}:{}", last["seq"], last["hash"].as_str().expect("a hash"))
}

#[test]
fn v16_each_act_of_an_evening_is_in_the_log_with_who_did_it_and_the_log_is_whole() {
    let home = Home::new();
    let mut program = Program::serve(Arc::clone(&home), &home.scripts(&SCRIPTS));
    let mut admin = Person::first(&mut program);
    let mut wrong = Person::stranger(&program);
    assert_eq!(wrong.sign_in("admin", "not the password").status, 401);
    let robot = Robot::new(&program, "ci", &["admins"]);
    let run = robot.start("slow", &json!({})).expect(201).json();
    robot.post(
        &format!("/api/v1/runs/{}/stop", crate::robot::id(&run)),
        &json!({}),
    );
    program.manage(&["user", "disable", "ci"], "");
    program.hang_up();
    program.until_logged(
        "read the settings again",
        std::time::Duration::from_secs(20),
    );
    let page = admin.get("/").expect(200).text();
    assert_eq!(admin.send(&Form::of(&page, "/logout")).status, 303);
    assert_eq!(program.stop(), Some(0));

    assert_whole(&home.state());
    let state = home.state();
    let words = [
        "audit-log",
        "export",
        "--state",
        state.to_str().expect("a path"),
    ];
    let text = said(&stagedoor(&words, ""));
    let mut seen = BTreeMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).expect(line);
        let word = |name: &str| record[name].as_str().expect(name).to_owned();
        *seen
            .entry((word("act"), word("outcome"), word("actor")))
            .or_insert(0) += 1;
    }
    for (act, outcome, actor) in [
        ("server_started", "done", "server"),
        ("set_up", "done", "stranger"),
        ("sign_in", "done", "user"),
        ("sign_in", "refused", "stranger"),
        ("user_added", "done", "command_line"),
        ("token_created", "done", "command_line"),
        ("run_started", "done", "token"),
        ("run_stopped", "done", "token"),
        ("user_disabled", "done", "command_line"),
        ("settings_reloaded", "done", "server"),
        ("sign_out", "done", "user"),
        ("server_stopped", "done", "server"),
    ] {
        let key = (act.to_owned(), outcome.to_owned(), actor.to_owned());
        assert_eq!(seen.remove(&key), Some(1), "{key:?} in {text}");
    }
    assert!(seen.is_empty(), "{seen:?}");
    for secret in [PASSWORD, "not the password", robot.token()] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn w41_a_log_that_was_touched_is_found_and_the_record_is_named() {
    let home = Home::new();
    let program = Program::serve(Arc::clone(&home), &home.scripts(&SCRIPTS));
    let robot = Robot::user(&program);
    for _ in 0..3 {
        robot.run("quick", &json!({}));
    }
    let state = program.state();
    let text = assert_whole(&state);
    let end = text
        .split("elsewhere: ")
        .nth(1)
        .expect("an end")
        .trim()
        .to_owned();
    program.manage(&["audit-log", "verify", "--end", &end], "");
    let records = exported(&program);
    assert_eq!(end_of(&records), end);
    program.stop();

    let file = state.join("logs/audit.jsonl");
    let whole = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, whole.replacen("\"seq\":2,", "\"seq\": 2,", 1)).expect("written");
    let found = verify(&state);
    assert_eq!(found.status.code(), Some(1));
    assert!(
        said(&found).contains("line 2: record 2 reads otherwise"),
        "{}",
        said(&found)
    );
    std::fs::write(&file, whole).expect("written");
    assert_whole(&state);

    let db = Connection::open(state.join("stagedoor.db")).expect("opens");
    db.execute("UPDATE audit_log SET target = 'other' WHERE seq = 3", [])
        .expect("changed");
    let found = verify(&state);
    assert_eq!(found.status.code(), Some(1));
    assert!(
        said(&found).contains("record 3 was changed"),
        "{}",
        said(&found)
    );
}

#[test]
fn after_kill_9_the_next_server_writes_the_lines_that_are_missing() {
    let mut program = Program::with_scripts(&SCRIPTS);
    for round in 0..3 {
        let robot = Robot::new(&program, &format!("ann{round}"), &[]);
        for _ in 0..20 {
            robot.start("quick", &json!({})).expect(201);
        }
        program = program.crash_and_spoil(|state| {
            // As if it had died earlier, too.
            let file = state.join("logs/audit.jsonl");
            let text = std::fs::read_to_string(&file).expect("a file");
            std::fs::write(&file, &text[..text.len() - 10 * (round + 1)]).expect("written");
        });
        assert_whole(&program.state());
    }
    let starts = exported(&program);
    let starts = starts
        .iter()
        .filter(|record| record["act"] == "run_started");
    assert_eq!(starts.count(), 60, "what was answered is recorded");
}

/// Where `tools/setup-tests` puts a reader of Zeek's logs.
fn reader() -> PathBuf {
    let path = crate::tree::root().join("target/zeek-reader/bin/python");
    assert!(path.exists(), "{}: run tools/setup-tests", path.display());
    path
}

const READ: &str = "\
import json, sys
from parsezeeklogs import read_zeek
for record in read_zeek(sys.argv[1]):
    print(json.dumps(dict(record), default=str))
";

#[test]
fn f3_zeek_s_readers_read_each_record_whatever_stands_in_it() {
    let home = Home::new();
    let program = Program::serve(home, &crate::program::examples());
    let hostile = [
        "a\tb\tc",
        "one\n#close\t2026-01-01-00-00-00\n#separator x",
        "\\x09 and \\\\ and \\n",
        "-",
        "(empty)",
        "\"><svg onload=alert(1)>",
        "\u{202e}cba\u{2028}\u{85}\u{1b}[2J",
    ];
    let state = program.state();
    let db = Connection::open(state.join("stagedoor.db")).expect("opens");
    for text in hostile {
        // A record that nobody signed is exported as any other.
        db.execute(
            "INSERT INTO audit_log (at, actor, act, target, outcome, detail, prev, hash) \
             VALUES (1795291200007, 'server', 'sign_in', ?1, 'done', '{}', zeroblob(32), zeroblob(32))",
            [text],
        )
        .expect("inserted");
    }
    let path = program.state().join("stagedoor_audit.log");
    let path = path.to_str().expect("a path of text");
    program.manage(
        &["audit-log", "export", "--format", "zeek", "--output", path],
        "",
    );
    let output = command(&reader())
        .args(["-c", READ, path])
        .output()
        .expect("it reads");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let read: Vec<Value> = said(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let targets: Vec<&str> = read
        .iter()
        .filter(|record| record["act"] == "sign_in")
        .map(|record| record["target"].as_str().expect("a text"))
        .collect();
    assert_eq!(targets, hostile);
    assert_eq!(read[0]["act"], "server_started");
}

#[test]
fn the_page_of_the_audit_log_fits_a_phone_and_works_without_javascript() {
    let mut program = Program::with_examples();
    let browser = Browser::new(JavaScript::Off);
    set_up(&browser, &mut program);
    let robot = Robot::new(&program, "ci", &["admins"]);
    robot.run("colours", &json!({}));
    Person::stranger(&program).sign_in("admin", "not the password");
    let long = "x-".repeat(50);
    program.manage(&["token", "create", "--user", "ci", "--name", &long], "");
    browser.goto(&format!("{}/admin/audit-log?act=all", program.url));
    browser.wait_for_text("table.audit", "run started");
    browser.wait_for_text("table.audit", "by token 1");
    browser.goto(&format!("{}/admin/audit-log", program.url));
    // On a phone the filter is folded.
    let is_seen = || browser.look("return document.querySelector('#user').checkVisibility()");
    assert_eq!(is_seen(), true);
    browser.pretend((390, 844), false);
    assert_eq!(is_seen(), false);
    browser.click(".fold summary");
    browser.fill("user", "admin");
    browser.click("form.filter button");
    browser.wait("only what admin did", |b| {
        b.text("table.audit")
            .is_some_and(|text| text.contains("sign in") && !text.contains("token created"))
    });
    browser.goto(&format!("{}/admin/audit-log", program.url));
    fits(&browser);
}

/// In two sizes, light and dark, with pictures of it.
fn fits(browser: &Browser) {
    let folder = crate::tree::root().join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for the pictures");
    for (label, size) in [("wide", (1280, 900)), ("phone", (390, 844))] {
        for (scheme, dark) in [("light", false), ("dark", true)] {
            browser.pretend(size, dark);
            let over = browser.look("return document.documentElement.scrollWidth - innerWidth");
            assert!(
                over.as_i64().is_some_and(|px| px <= 0),
                "{label}: {over} px"
            );
            let inside = "const t = document.querySelector('.audit').parentElement;
                          return t.scrollWidth - t.clientWidth";
            assert_eq!(browser.look(inside), 0, "{label}: the table fits too");
            let file = folder.join(format!("audit-log-{label}-{scheme}.png"));
            std::fs::write(file, browser.picture()).expect("a picture");
        }
    }
}
