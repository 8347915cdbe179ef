//! Stored secrets, as an operator sets them, a script gets them, and nobody else finds them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::hostile::files_with;
use crate::processes;
use crate::program::{Program, binary, command, stagedoor};
use crate::robot::{Robot, id};

pub const VALUE: &str = "violet-tractor-seventeen";
/// The value as the script prints it, each letter thirteen further, so that what it prints is no finding.
const TURNED: &str = "ivbyrg-genpgbe-friragrra";

/// Says where its credential is and, in other letters, what it holds; with an argument it stays.
pub const READER: (&str, &str) = (
    "reader.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# stop_grace = \"1s\"\n\
     # credentials = { password = \"ops/db\" }\n# [[param]]\n# name = \"stay\"\n# required = false\n# ///\n\
     echo \"at $CREDENTIALS_DIRECTORY/password\"\ntr a-z n-za-m < \"$CREDENTIALS_DIRECTORY/password\"\necho\n\
     [ -z \"$1\" ] || exec sleep 60\n",
);

pub fn set(program: &Program, name: &str, value: &str) -> String {
    program.manage(&["secret", "set", name], value)
}

fn printed(robot: &Robot, run: &Value) -> String {
    String::from_utf8_lossy(&robot.output(run, "stdout")).into_owned()
}

/// A run that has read its credential and goes on.
fn staying(robot: &Robot) -> Value {
    let run = robot.start("reader", &json!({"stay": "on"})).expect(201);
    let run = run.json();
    robot.until_printed(&run, TURNED);
    run
}

/// Is the script started, and does it get its credential?
pub fn works(program: &Program, who: &str) {
    let ann = Robot::new(program, who, &[]);
    let run = ann.run("reader", &json!({}));
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert!(printed(&ann, &run).ends_with(&format!("{TURNED}\n")));
}

/// Where the run's credential was put.
fn place(robot: &Robot, run: &Value) -> PathBuf {
    let printed = printed(robot, run);
    let line = printed.lines().next().expect("a line");
    line.strip_prefix("at ").expect("a path").into()
}

/// Every file that has the value, of the state directory and of where runs have their own files, which
/// is the third folder above a credential.
fn found(program: &Program, credential: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let runs = credential.ancestors().nth(3).expect("a folder of runs");
    files_with(&program.state(), VALUE.as_bytes(), &mut found);
    if runs.exists() && !runs.starts_with(program.state()) {
        files_with(runs, VALUE.as_bytes(), &mut found);
    }
    found
}

/// Is the value among the words or variables that any process was started with?
fn is_in_a_process() -> bool {
    let words = |pid| [processes::command_line(pid), processes::environment(pid)].concat();
    processes::numbers().any(|pid| words(pid).iter().any(|word| word.contains(VALUE)))
}

#[test]
fn w24_a_stored_secret_is_in_its_file_while_the_script_runs_and_nowhere_else_ever() {
    let program = Program::with_scripts(&[READER]);
    let ann = Robot::user(&program);
    let said = set(&program, "ops/db", &format!("{VALUE}\n"));
    assert!(said.contains("ops/db is set"), "{said}");
    let run = staying(&ann);
    let file = place(&ann, &run);
    let held = fs::metadata(&file).expect("its file");
    let mode = std::os::unix::fs::PermissionsExt::mode(&held.permissions());
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    for _ in 0..20 {
        assert!(!is_in_a_process());
        thread::sleep(Duration::from_millis(10));
    }
    // The search looks where the file is, and finds it there alone.
    assert_eq!(found(&program, &file), [file.display().to_string()]);
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &Value::Null)
        .expect(202);
    let run = ann.until(&run, |run| run["state"] == "ended");
    assert!(!file.exists());
    assert_eq!(found(&program, &file), Vec::<String>::new());
    let told = [
        program.log(),
        run.to_string(),
        program.manage(&["secret", "list"], ""),
        program.manage(&["audit-log", "export"], ""),
    ];
    for text in told {
        assert!(!text.contains(VALUE), "{text}");
    }
}

#[test]
fn w24_after_kill_9_of_the_server_or_of_the_runner_no_file_has_the_value() {
    let program = Program::with_scripts(&[READER]);
    set(&program, "ops/db", VALUE);
    let ann = Robot::user(&program);
    let run = staying(&ann);
    let file = place(&ann, &run);
    let program = program.crash_and_restart();
    let ann = Robot::new(&program, "bob", &["admins"]);
    assert_eq!(found(&program, &file), [file.display().to_string()]);
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &Value::Null)
        .expect(202);
    ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(found(&program, &file), Vec::<String>::new());

    let run = staying(&ann);
    let file = place(&ann, &run);
    assert_eq!(found(&program, &file), [file.display().to_string()]);
    let runner = processes::runner(&program.state()).expect("a runner");
    let program = program.crash_and_spoil(|_| {
        let runner = Pid::from_raw(i32::try_from(runner).expect("a number")).expect("a process");
        kill_process(runner, Signal::KILL).expect("killed");
    });
    let ann = Robot::new(&program, "eve", &["admins"]);
    let run = ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(run["outcome"], "lost", "{run}");
    assert_eq!(found(&program, &file), Vec::<String>::new());
    assert!(!program.log().contains(VALUE));
}

/// Though it is another value by the time that its output is masked, and another server that does it.
#[test]
fn w24_a_stored_secret_that_a_script_prints_is_masked_with_the_value_that_it_was_given() {
    let leak = READER.1.replace("tr a-z n-za-m <", "cat");
    let program = Program::with_scripts(&[("leak.sh", &leak)]);
    set(&program, "ops/db", VALUE);
    let ann = Robot::user(&program);
    let run = ann.start("leak", &json!({"stay": "on"})).expect(201).json();
    ann.until_printed(&run, "****");
    let file = place(&ann, &run);
    let shown = printed(&ann, &run);
    assert!(!shown.contains(VALUE), "{shown}");
    set(&program, "ops/db", "another");
    let program = program.crash_and_restart();
    let ann = Robot::new(&program, "bob", &["admins"]);
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &Value::Null)
        .expect(202);
    ann.until(&run, |run| run["state"] == "ended");
    let shown = printed(&ann, &run);
    assert!(shown.contains("****") && !shown.contains(VALUE), "{shown}");
    assert_eq!(found(&program, &file), Vec::<String>::new());
}

#[test]
fn a_secret_that_is_not_there_is_told_by_check_list_and_the_run_until_it_is_set() {
    let program = Program::with_scripts(&[READER]);
    let ann = Robot::user(&program);
    let folder = program.scripts().to_str().expect("a path").to_owned();
    let missing = "reader lists the stored secret `ops/db`, which is not there";
    let check = || program.manage(&["check", &folder], "");
    let list = || program.manage(&["secret", "list", "--folder", &folder], "");
    let refused = || {
        let run = ann.run("reader", &json!({}));
        assert_eq!(run["outcome"], "refused", "{run}");
        let reason = run["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.contains("`stagedoor secret set ops/db`"), "{reason}");
    };
    assert!(check().contains(missing), "{}", check());
    assert!(list().contains(missing), "{}", list());
    refused();
    set(&program, "ops/db", VALUE);
    let run = ann.run("reader", &json!({}));
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert!(printed(&ann, &run).ends_with(&format!("{TURNED}\n")));
    assert!(!check().contains(missing), "{}", check());
    let listed = list();
    assert!(listed.starts_with("ops/db "), "{listed}");
    assert!(
        listed.contains("by uid ") && listed.contains("listed by reader"),
        "{listed}"
    );
    let removed = program.manage(&["secret", "rm", "ops/db", "--folder", &folder], "");
    assert!(removed.contains(missing), "{removed}");
    refused();
}

#[test]
fn the_command_refuses_what_is_no_secret_and_says_why() {
    let program = Program::with_scripts(&[READER]);
    let state = program.state();
    let state = state.to_str().expect("a path");
    let large = "x".repeat((64 << 10) + 2);
    for (words, stdin, said) in [
        (["set", "ops/db"], "", "the value is empty"),
        (["set", "ops/db"], "\n", "the value is empty"),
        (["set", "ops/db"], large.as_str(), "larger than 64 KiB"),
        (["set", "../db"], "x", "not the name of a secret"),
        (["rm", "ops/db"], "", "there is no stored secret `ops/db`"),
    ] {
        let words = ["secret", words[0], words[1], "--state", state];
        let output = stagedoor(&words, stdin);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.contains(said), "{words:?}: {text}");
    }
    let largest = format!("{}\n", "x".repeat(64 << 10));
    set(&program, "ops/db", &largest);
    let log = program.manage(&["audit-log", "list"], "");
    assert_eq!(log.matches("secret_set").count(), 1, "{log}");
    assert!(log.contains("ops/db"), "{log}");
}

/// What a terminal shows of `stagedoor secret set ops/db` when this is typed once it has asked; and whether
/// it was done.
fn typed(program: &Program, what: &str) -> (String, bool) {
    let words = [
        binary().display().to_string(),
        "secret set ops/db --state".to_owned(),
        program.state().display().to_string(),
    ];
    let mut terminal = command(Path::new("script"))
        .args(["-qec", &words.join(" "), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a terminal");
    let mut keys = terminal.stdin.take().expect("keys");
    let mut screen = terminal.stdout.take().expect("a screen");
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while !shown.ends_with(b"Enter: ") && screen.read(&mut byte).expect("read") == 1 {
        shown.extend(byte);
    }
    keys.write_all(what.as_bytes()).expect("typed");
    screen.read_to_end(&mut shown).expect("read");
    let is_done = terminal.wait().expect("it ends").success();
    (String::from_utf8_lossy(&shown).into_owned(), is_done)
}

#[test]
fn a_value_is_asked_for_on_a_terminal_and_not_shown() {
    let program = Program::with_scripts(&[READER]);
    // Ctrl-C, after some of it.
    let (shown, is_done) = typed(&program, &format!("{VALUE}\u{3}"));
    assert!(!is_done && shown.contains("nothing was changed"), "{shown}");
    assert!(!shown.contains(VALUE), "{shown}");
    assert!(
        program
            .manage(&["secret", "list"], "")
            .contains("No stored secrets")
    );
    let (shown, is_done) = typed(&program, &format!("{VALUE}\n"));
    assert!(is_done && shown.contains("ops/db is set"), "{shown}");
    assert!(!shown.contains(VALUE), "{shown}");
    works(&program, "ann");
}

#[test]
fn of_what_is_pasted_at_a_terminal_one_whole_line_is_taken_or_nothing() {
    let program = Program::with_scripts(&[READER]);
    set(&program, "ops/db", VALUE);
    let lines = "more than one line; use < FILE";
    for (keys, why) in [
        ("first\nsecond\n".to_owned(), lines),
        ("first\nsecond".to_owned(), lines),
        (format!("{}\n", "x".repeat(4095)), "4095 bytes"),
        (format!("{}\n", "x".repeat(5000)), "4095 bytes"),
    ] {
        let (shown, is_done) = typed(&program, &keys);
        assert!(!is_done && shown.contains(why), "{shown}");
        assert!(!shown.contains("second"), "{shown}");
    }
    works(&program, "ann");
    let (shown, is_done) = typed(&program, &format!("{}\n", "x".repeat(4094)));
    assert!(is_done && shown.contains("ops/db is set"), "{shown}");
}
