//! No byte of an argument passes through a shell: hostile values arrive unchanged, or are refused
//! with a clear 4xx (W44). Never 500.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::program::Program;
use crate::robot::{Robot, id};

/// What a shell, an option parser or a template would act on.
const HOSTILE: &[&str] = &[
    ";id",
    "$(id)",
    "`id`",
    "| id",
    "& id &",
    "> /tmp/x",
    "*",
    "?",
    "[a-z]*",
    "~root",
    "$HOME",
    "${IFS}",
    "%s%n",
    "@file",
    "'\"\\",
    "a b  c",
    " leading and trailing ",
    "!!",
    "#comment",
    "{{7*7}}",
    "{a,b}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "ünïcödé 漢字 🦀",
    "\u{202e}reversed",
    "=cmd|'/c calc'!A1",
];

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes all");
        hex
    })
}

fn printed(ann: &Robot, args: &Value) -> String {
    let run = ann.run("diagnostics/arguments", args);
    assert_eq!(run["outcome"], "succeeded", "{args}: {run}");
    String::from_utf8(ann.output(&run, "stdout")).expect("hexadecimal text")
}

#[test]
fn w44_hostile_values_arrive_unchanged_by_every_way() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    for value in HOSTILE {
        let args = json!({
            "free": value, "plain": value, "glued": value, "each": [value, value],
            "variable": value, "line": value, "long": value,
        });
        let output = printed(&ann, &args);
        let arguments: Vec<&str> = output
            .lines()
            .filter(|line| line.starts_with("argument "))
            .filter_map(|line| line.rsplit(' ').next())
            .collect();
        let expected = [
            hex(value),
            hex("--plain"),
            hex(value),
            hex(&format!("--glued={value}")),
            hex("--each"),
            hex(value),
            hex("--each"),
            hex(value),
        ];
        assert_eq!(
            arguments[..expected.len()],
            expected,
            "{value:?} in\n{output}"
        );
        assert!(
            output.contains(&format!("environment PARAM_VARIABLE={}\n", hex(value))),
            "{value:?}\n{output}"
        );
        assert!(
            output.contains(&format!("input {}\n", hex(&format!("{value}\n")))),
            "{value:?}\n{output}"
        );
        assert!(
            output.contains(&format!("file {}\n", hex(value))),
            "{value:?}\n{output}"
        );
    }
}

#[test]
fn a_line_end_arrives_where_lines_are_allowed_and_is_refused_elsewhere() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let output = printed(&ann, &json!({"lines": "one\n;id\n"}));
    assert!(output.contains(&hex("one\n;id\n")), "{output}");
    ann.start("diagnostics/arguments", &json!({"free": "one\ntwo"}))
        .expect(422);
}

#[test]
fn a_long_text_passes_by_file_and_is_refused_as_an_argument() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let long = "x".repeat(128 * 1024);
    let output = printed(&ann, &json!({"long": long}));
    assert!(
        output.contains(&format!("file {}\n", hex(&long))),
        "the file did not arrive whole"
    );
    let fits = "x".repeat(128 * 1024 - 1);
    assert!(printed(&ann, &json!({"free": fits})).contains(&hex(&fits)));
    let refused = ann
        .start("diagnostics/arguments", &json!({"free": long}))
        .expect(422);
    assert!(
        refused.text().contains("file"),
        "it says what to do: {}",
        refused.text()
    );
}

#[test]
fn what_cannot_be_an_argument_is_refused_with_a_clear_answer() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let refused: &[(&str, Value)] = &[
        ("NUL", json!({"free": "a\0b"})),
        ("NUL in a file", json!({"long": "a\0b"})),
        ("a leading dash", json!({"plain": "-rf"})),
        (
            "a leading dash in a list",
            json!({"each": ["a", "--force"]}),
        ),
        ("an unknown argument", json!({"freee": "x"})),
        ("a fixed one", json!({"fixed": "x"})),
        ("a wrong type", json!({"free": {"a": 1}})),
        ("a list for one", json!({"free": ["a", "b"]})),
        ("an escape sequence", json!({"free": "\u{1b}[31m"})),
    ];
    for (what, args) in refused {
        let answer = ann.start("diagnostics/arguments", args);
        assert!(
            (400..500).contains(&answer.status),
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        let problem = answer.json();
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.len() > 10),
            "{what}: {problem}"
        );
    }
    let unknown = ann
        .start("diagnostics/arguments", &json!({"freee": "x"}))
        .text();
    assert!(
        unknown.contains("free"),
        "the nearest name is proposed: {unknown}"
    );
    let runs = ann.get("/api/v1/runs").expect(200).json();
    assert_eq!(runs["items"], json!([]), "nothing was started");
}

#[test]
fn bodies_that_are_not_what_they_say_are_refused() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let bodies: &[(&str, &[u8])] = &[
        ("no JSON", b"script=account"),
        (
            "invalid UTF-8",
            b"{\"script\": \"account\", \"args\": {\"part\": \"\xff\"}}",
        ),
        (
            "half a surrogate",
            b"{\"script\": \"account\", \"args\": {\"part\": \"\\ud800\"}}",
        ),
        (
            "a key twice",
            b"{\"script\": \"account\", \"script\": \"account\"}",
        ),
        (
            "an argument twice",
            b"{\"script\": \"account\", \"args\": {\"part\": \"--user\", \"part\": \"--group\"}}",
        ),
        (
            "an unknown key",
            b"{\"script\": \"account\", \"shell\": true}",
        ),
        ("nothing", b""),
        ("deep nesting", &[b'['; 10_000]),
    ];
    for (what, body) in bodies {
        let answer = ann.post_bytes("/api/v1/runs", body);
        assert!(
            (400..500).contains(&answer.status),
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
    }
    ann.post_bytes("/api/v1/runs", b"{\"script\": \"account\"}")
        .expect(201);
}

#[test]
fn the_environment_is_built_and_not_inherited() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let output = printed(&ann, &json!({}));
    let names: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("environment "))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        .collect();
    for needed in [
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "STAGEDOOR_RUN_ID",
        "STAGEDOOR_SCRIPT",
        "STAGEDOOR_USER",
    ] {
        assert!(names.contains(&needed), "{needed} in {names:?}");
    }
    for name in &names {
        let known = [
            "PATH",
            "HOME",
            "TMPDIR",
            "LANG",
            "TZ",
            "PYTHONDONTWRITEBYTECODE",
            "PYTHONNOUSERSITE",
            "PWD",
            "SHLVL",
            "_",
        ]
        .contains(name);
        assert!(
            known || name.starts_with("STAGEDOOR_"),
            "{name} came from somewhere"
        );
    }
    assert!(output.contains(&format!("environment STAGEDOOR_USER={}\n", hex("ann"))));
}

/// W24: a secret reaches the script, and nothing else.
#[test]
fn w24_a_secret_is_in_no_file_answer_or_log_after_its_run() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let secret = "s3cr3t-9f2a-never-again";
    let run = ann.run("sign-message", &json!({"message": "m", "key": secret}));
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(run["args"]["key"], "***");
    assert_eq!(run["args"]["message"], "m");
    let mut found = Vec::new();
    files_with(&program.state(), secret.as_bytes(), &mut found);
    assert_eq!(found, Vec::<String>::new());
    assert!(!program.log().contains(secret));
    let page = ann
        .get(&format!("/api/v1/runs/{}", id(&run)))
        .expect(200)
        .text();
    assert!(!page.contains(secret));
    // The search finds what is there: a message is kept.
    let marker = "kept-message-4711";
    ann.run("sign-message", &json!({"message": marker, "key": secret}));
    files_with(&program.state(), marker.as_bytes(), &mut found);
    assert!(!found.is_empty(), "the search looks where runs are kept");
}

/// The files below a folder that hold these bytes.
pub fn files_with(folder: &std::path::Path, bytes: &[u8], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_with(&path, bytes, found);
        } else if let Ok(content) = std::fs::read(&path)
            && content.windows(bytes.len()).any(|window| window == bytes)
        {
            found.push(path.display().to_string());
        }
    }
}
