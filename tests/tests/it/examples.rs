//! Every example does what it says, through the API with a token of a user in no group.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::program::Program;
use crate::robot::{Robot, id};

/// One run of an example.
struct Case {
    script: &'static str,
    /// JSON.
    args: &'static str,
    outcome: &'static str,
    /// None when a signal ended it.
    exit: Option<i64>,
    /// Parts of what it prints.
    printed: &'static [&'static str],
}

const fn ok(script: &'static str, args: &'static str, printed: &'static [&'static str]) -> Case {
    Case {
        script,
        args,
        outcome: "succeeded",
        exit: Some(0),
        printed,
    }
}

const fn ends(
    script: &'static str,
    args: &'static str,
    (outcome, exit): (&'static str, Option<i64>),
    printed: &'static [&'static str],
) -> Case {
    Case {
        script,
        args,
        outcome,
        exit,
        printed,
    }
}

#[rustfmt::skip] // a table
const CASES: &[Case] = &[
    ok("disk-report", r#"{"limit": 100}"#, &["Mounted on", "Nothing is above 100 %"]),
    ok("disk-report", r#"{"inodes": true}"#, &["Inodes"]),
    ok("search-log", r#"{"text": "timed out", "context": 1}"#, &["of 240 lines match"]),
    ends("search-log", r#"{"log": "mail.log", "text": "no such text"}"#, ("succeeded", Some(1)), &["0 of 120"]),
    ends("search-log", r#"{"text": "(", "regex": true}"#, ("failed", Some(2)), &[]),
    ok("sales-table", "{}", &["region,sales,sum,average\neast,"]),
    ok("sales-table", r#"{"by": "month", "at_least": 1}"#, &["month,sales", "2026-01,"]),
    ok("sales-report", "{}", &["<h1>Sales by region</h1>", "<svg ", "<td>north</td>"]),
    ok("sales-report", r#"{"by": "month"}"#, &["<td>2026-01</td>"]),
    ok("slow-job", r#"{"steps": 2, "pause": 0.1}"#, &["\rStep 2 of 2: 100 %", "All 2 steps"]),
    ok("colours", "{}", &["\u{1b}[31m", ";48;5;255m", "\u{1b}[38;2;"]),
    ok("colours", r#"{"show": ["styles"]}"#, &["\u{1b}[1mbold"]),
    ok("resolve-host", r#"{"host": "localhost", "family": "ahostsv4"}"#, &["127.0.0.1\n"]),
    ok("count-words", r#"{"text": "a b a\nc\n", "top": 1}"#, &["2 lines, 4 words", "2  a"]),
    ok("account", "{}", &["uid="]),
    ok("account", r#"{"part": "--user"}"#, &["\n"]),
    ok("time-here", r#"{"format": "+%s"}"#, &["\n"]),
    ok("time-elsewhere", r#"{"zone": "Asia/Tokyo"}"#, &["T"]),
    ok("release", r#"{"target": "production", "version": "1.2.3", "ticket": "OPS-1", "tell": ["a@example.org"]}"#,
        &["Release 1.2.3 to production (rehearsal)", "Ticket OPS-1", "Would tell a@example.org"]),
    ok("backups/estimate", "{}", &["in all, 3 files"]),
    ok("backups/rehearse", "{}", &["data/shop.log", "equals the original"]),
    ok("backups/rehearse", r#"{"compression": "none", "list": false}"#, &["bytes and equals the original"]),
    ok("diagnostics/arguments", r#"{"free": "-x"}"#, &["argument 0 2d78\n"]),
    ends("diagnostics/fails", "{}", ("failed", Some(3)), &["Connecting"]),
    ok("diagnostics/fails", r#"{"code": 0}"#, &["Connecting"]),
    ends("diagnostics/fails", r#"{"how": "signal", "signal": "SEGV"}"#, ("signalled", None), &["Connecting"]),
    ok("diagnostics/stubborn", r#"{"seconds": 1}"#, &["still here after 1 s"]),
    ok("diagnostics/every-type", "{}", &["greeting = \"hello from the definition\""]),
    ok("diagnostics/flood", "{}", &["0000000001  abc", "0000020000  abc"]),
    ok("sign-message", r#"{"message": "hello", "key": "hunter2hunter2"}"#, &["sha256=25bb28ec"]),
];

#[test]
fn every_example_ends_as_it_says_and_prints_what_it_says() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    for Case {
        script,
        args,
        outcome,
        exit,
        printed,
    } in CASES
    {
        let args: Value = serde_json::from_str(args).expect("JSON");
        let run = ann.run(script, &args);
        let output = String::from_utf8(ann.output(&run, "stdout")).expect("text");
        let errors = String::from_utf8_lossy(&ann.output(&run, "stderr")).into_owned();
        assert_eq!(
            run["outcome"], *outcome,
            "{script} {args}: {run}\n{output}\n{errors}"
        );
        assert_eq!(
            run["exit_code"].as_i64(),
            *exit,
            "{script} {args}: {run}\n{errors}"
        );
        for part in *printed {
            assert!(
                output.contains(part),
                "{script} {args} did not print {part:?}:\n{output}\n{errors}"
            );
        }
    }
}

#[test]
fn the_catalog_holds_every_example_and_each_is_tried() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let items = ann.get("/api/v1/scripts").expect(200).json();
    let listed: BTreeSet<&str> = items["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["name"].as_str())
        .collect();
    let tried: BTreeSet<&str> = CASES.iter().map(|case| case.script).collect();
    assert_eq!(listed, tried);
    assert!(listed.len() >= 12);
}

#[test]
fn every_type_of_field_arrives_as_it_was_given() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let args = json!({
        "text": "grün & <b>", "multiline": "one\r\ntwo", "choice": "blue", "suggested": "four",
        "email": "ann@example.org", "secret": "s3cr3t-9f2a", "integer": -4, "number": 0.25, "flag": false,
        "count": 2, "date": "2026-11-21", "time": "14:30", "datetime": "2026-11-21T14:30",
        "duration": "1h30m", "url": "https://example.org/a?b=c", "hostname": "db1.example.org",
        "ip": "::1", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "path": "host.conf",
        "json": "{\"a\": [1, 2]}", "repeat": ["x", "y z"], "spread": [3, 4], "join": ["network", "cpu"],
        "variable": "-v", "line": "typed", "steering": true, "steered": "shown", "positional": "word",
    });
    let run = ann.run("diagnostics/every-type", &args);
    let output = String::from_utf8(ann.output(&run, "stdout")).expect("text");
    assert_eq!(
        run["outcome"],
        "succeeded",
        "{output}{:?}",
        String::from_utf8(ann.output(&run, "stderr"))
    );
    for line in [
        "text = \"grün & <b>\"",
        "multiline = \"one\\ntwo\"",
        "choice = \"blue\"",
        "suggested = \"four\"",
        "secret = \"11 bytes\"",
        "integer = \"-4\"",
        "number = \"0.25\"",
        "flag = false",
        "count = 2",
        "date = \"21.11.2026\"",
        "path = \"/etc/host.conf\"",
        "repeat = [\"x\", \"y z\"]",
        "spread = [\"3\", \"4\"]",
        "join = \"network:cpu\"",
        "variable = \"-v\"",
        "line = \"typed\"",
        "steered = \"shown\"",
        "fixed = \"from the author\"",
        "positional = \"word\"",
        "ipv6 = \"2001:db8::1\"",
    ] {
        assert!(
            output.lines().any(|printed| printed == line),
            "{line} in\n{output}"
        );
    }
    assert_eq!(run["args"]["secret"], "***");
}

#[test]
fn ten_megabytes_arrive_byte_for_byte_and_by_range() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let run = ann.run("diagnostics/flood", &json!({"megabytes": 10}));
    let output = ann.output(&run, "stdout");
    assert_eq!(output.len(), 10_000_000);
    for (at, line) in output.chunks(50).enumerate() {
        let expected = format!("{:010}  abcdefghijklmnopqrstuvwxyz-0123456789\n", at + 1);
        assert_eq!(line, expected.as_bytes(), "line {}", at + 1);
    }
    let path = format!("/api/v1/runs/{}/output?stream=stdout", id(&run));
    let part = ann.get_range(&path, "bytes=50-99").expect(206);
    assert_eq!(
        part.text(),
        "0000000002  abcdefghijklmnopqrstuvwxyz-0123456789\n"
    );
    assert_eq!(part.header("content-range"), Some("bytes 50-99/10000000"));
}

#[test]
fn a_script_that_ignores_the_polite_signal_ends_all_the_same() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let run = ann
        .start("diagnostics/stubborn", &json!({"seconds": 20}))
        .expect(201)
        .json();
    ann.until_printed(&run, "and ignore TERM");
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &json!({}))
        .expect(202);
    let ended = ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "cancelled", "{ended}");
    assert_eq!(
        ended["signal"], 9,
        "TERM was ignored, so it was KILL: {ended}"
    );
    assert!(!String::from_utf8_lossy(&ann.output(&run, "stdout")).contains("Nobody stopped me"));
}

#[test]
fn a_script_that_listens_to_the_polite_signal_may_tidy_up() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let run = ann
        .start("slow-job", &json!({"steps": 100, "pause": 1}))
        .expect(201)
        .json();
    ann.until_printed(&run, "Step 1 of 100");
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &json!({}))
        .expect(202);
    let ended = ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "cancelled", "{ended}");
    assert!(String::from_utf8_lossy(&ann.output(&run, "stdout")).contains("I tidy up"));
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &json!({}))
        .expect(409);
}
