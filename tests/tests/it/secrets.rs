//! Stored secrets, as an operator sets them, a script gets them, and nobody else finds them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::hostile::files_with;
use crate::processes;
use crate::program::{Home, Program, binary, command, stagedoor};
use crate::robot::{Robot, id};

const VALUE: &str = "violet-tractor-seventeen";
/// The value as the script prints it, each letter thirteen further, so that what it prints is no finding.
const TURNED: &str = "ivbyrg-genpgbe-friragrra";

/// Says where its credential is and, in other letters, what it holds; with an argument it stays.
const READER: (&str, &str) = (
    "reader.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# stop_grace = \"1s\"\n\
     # credentials = { password = \"ops/db\" }\n# [[param]]\n# name = \"stay\"\n# required = false\n# ///\n\
     echo \"at $CREDENTIALS_DIRECTORY/password\"\ntr a-z n-za-m < \"$CREDENTIALS_DIRECTORY/password\"\necho\n\
     [ -z \"$1\" ] || exec sleep 60\n",
);

fn set(program: &Program, name: &str, value: &str) -> String {
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

/// As somebody types it, who is asked first.
#[test]
fn a_value_is_asked_for_on_a_terminal_and_not_shown() {
    let program = Program::with_scripts(&[READER]);
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
    let (mut keys, mut screen) = (
        terminal.stdin.take().expect("keys"),
        terminal.stdout.take().expect("a screen"),
    );
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while !shown.ends_with(b"Enter: ") && screen.read(&mut byte).expect("read") == 1 {
        shown.push(byte[0]);
    }
    keys.write_all(format!("{VALUE}\n").as_bytes())
        .expect("typed");
    screen.read_to_end(&mut shown).expect("read");
    let ended = terminal.wait().expect("it ends");
    let shown = String::from_utf8_lossy(&shown);
    assert!(
        ended.success() && shown.contains("ops/db is set"),
        "{shown}"
    );
    assert!(!shown.contains(VALUE), "{shown}");
    let ann = Robot::user(&program);
    let run = ann.run("reader", &json!({}));
    assert!(
        printed(&ann, &run).ends_with(&format!("{TURNED}\n")),
        "{run}"
    );
}

/// The keys of the ring, as its lines have them, the newest first.
fn ring(state: &Path) -> Vec<String> {
    let text = fs::read_to_string(state.join("secrets.keys")).expect("the ring");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Puts these keys into the ring, as a command does that is killed then.
fn write_ring(state: &Path, keys: &[String]) {
    let path = state.join("secrets.keys");
    let mode = fs::metadata(&path).expect("the ring").permissions();
    let writable = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&path, writable).expect("chmod");
    fs::write(&path, keys.join("\n") + "\n").expect("written");
    fs::set_permissions(&path, mode).expect("chmod");
}

fn works(program: &Program, who: &str) {
    let ann = Robot::new(program, who, &[]);
    let run = ann.run("reader", &json!({}));
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert!(printed(&ann, &run).ends_with(&format!("{TURNED}\n")));
}

#[test]
fn b39_the_key_of_secrets_is_rotated_beside_a_server_and_the_old_one_is_gone() {
    let program = Program::with_scripts(&[READER]);
    set(&program, "ops/db", VALUE);
    works(&program, "ann");
    let before = ring(&program.state());
    let said = program.manage(&["keys", "rotate", "--secrets"], "");
    assert!(said.contains("1 is sealed again"), "{said}");
    let after = ring(&program.state());
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    works(&program, "bob");
    set(&program, "another", "x");
    let listed = program.manage(&["keys", "list"], "");
    assert!(listed.contains("seals stored secrets"), "{listed}");
    for line in before.iter().chain(&after) {
        let digits = line.split(' ').nth(1).expect("a key");
        assert!(!listed.contains(digits) && !program.log().contains(digits));
    }
    let log = program.manage(&["audit-log", "list", "--act", "keys_rotated"], "");
    assert!(log.contains("secrets"), "{log}");
    works(&program.crash_and_restart(), "eve");
}

#[test]
fn b39_a_rotation_that_was_killed_at_any_step_leaves_every_secret_readable() {
    let program = Program::with_scripts(&[READER]);
    set(&program, "ops/db", VALUE);
    let old = ring(&program.state()).remove(0);
    let new = format!("1 {}", "5a".repeat(32));
    // Killed when the new key was kept.
    write_ring(&program.state(), &[new.clone(), old.clone()]);
    works(&program, "ann");
    set(&program, "another", "x");
    let program = program.crash_and_restart();
    assert!(
        program
            .log()
            .contains("another key seals the stored secrets")
    );
    assert_eq!(ring(&program.state()), [new.clone()]);
    works(&program, "bob");
    // Killed when everything was sealed again.
    let program = program.crash_and_spoil(|state| write_ring(state, &[new.clone(), old]));
    works(&program, "cid");
    assert_eq!(ring(&program.state()), [new.clone()]);
    // The command goes on as well as the server does.
    let newer = format!("2 {}", "6b".repeat(32));
    write_ring(&program.state(), &[newer.clone(), new]);
    program.manage(&["keys", "rotate", "--secrets"], "");
    assert_eq!(ring(&program.state()), [newer]);
    works(&program, "dan");
}

#[test]
fn b38_secrets_of_the_ring_are_taken_over_by_an_operators_key() {
    let home = Home::new();
    let scripts = home.scripts(&[READER]);
    let program = Program::serve(Arc::clone(&home), &scripts);
    set(&program, "ops/db", VALUE);
    drop(program);
    let path = file(&home, "key", KEY, 0o400);
    let given = [("STAGEDOOR_SECRETS_KEY_FILE", path.as_str())];
    for who in ["ann", "bob"] {
        let program = Program::serve_in(Arc::clone(&home), &scripts, &given);
        assert!(!program.state().join("secrets.keys").exists());
        works(&program, who);
    }
}

const KEY: &str = "q8Zr1vTt5yXnC3mWb7kLh2pJd9fGs4aE";
const OTHER: &str = "Zx7cV2bN9mQ4wE6rT1yU8iO3pA5sD0fG";

fn file(home: &Home, name: &str, text: &str, mode: u32) -> String {
    let path = home.dir().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
    fs::write(&path, text).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(&path, mode).expect("chmod");
    path.to_str().expect("a path of text").to_owned()
}

#[test]
fn b38_an_operators_key_takes_the_place_of_the_ring_and_is_replaced_by_another_line() {
    let home = Home::new();
    let scripts = home.scripts(&[READER]);
    let path = file(&home, "given/stagedoor-secrets-key", KEY, 0o400);
    let folder = home.dir().join("given");
    let folder = folder.to_str().expect("a path");
    let as_credential = [("CREDENTIALS_DIRECTORY", folder)];
    let program = Program::serve_in(Arc::clone(&home), &scripts, &as_credential);
    assert!(!program.state().join("secrets.keys").exists());
    // A command that is not given the key sets nothing that the server could not open.
    let state = program.state();
    let state = state.to_str().expect("a path");
    let words = ["secret", "set", "ops/db", "--state", state];
    let refused = stagedoor(&words, VALUE);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("STAGEDOOR_SECRETS_KEY_FILE"), "{said}");
    let set_with = |path: &str| {
        let mut child = command(&binary())
            .args(words)
            .env("STAGEDOOR_SECRETS_KEY_FILE", path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("stagedoor starts");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(VALUE.as_bytes()).expect("read");
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    };
    set_with(&path);
    works(&program, "ann");
    drop(program);

    let two = file(&home, "two", &format!("{OTHER}\n{KEY}\n"), 0o400);
    let program = Program::serve_in(
        Arc::clone(&home),
        &scripts,
        &[("STAGEDOOR_SECRETS_KEY_FILE", &two)],
    );
    assert!(
        program
            .log()
            .contains("another key seals the stored secrets")
    );
    works(&program, "bob");
    drop(program);
    let one = file(&home, "one", OTHER, 0o400);
    let program = Program::serve_in(
        Arc::clone(&home),
        &scripts,
        &[("STAGEDOOR_SECRETS_KEY_FILE", &one)],
    );
    works(&program, "cid");
    drop(program);
    // Without the key everything else goes on.
    let program = Program::serve(home, &scripts);
    assert!(program.log().contains("sealed with a key that is not here"));
    let eve = Robot::new(&program, "eve", &[]);
    let run = eve.run("reader", &json!({}));
    let reason = run["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("sealed with the key"), "{run}");
}

#[test]
fn b38_a_key_of_secrets_that_is_weak_or_that_others_can_read_does_not_start() {
    let home = Home::new();
    let scripts = home.scripts(&[]);
    fs::create_dir_all(&scripts).expect("mkdir");
    let refused = |variable: (&str, &str)| {
        let mut serve = command(&binary());
        serve
            .arg("serve")
            .arg(&scripts)
            .arg("--state")
            .arg(home.state());
        serve
            .args(["--listen", "127.0.0.1:0"])
            .env(variable.0, variable.1);
        let output = serve.output().expect("it ends");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let named = |path: &str| refused(("STAGEDOOR_SECRETS_KEY_FILE", path));
    let said = named(&file(&home, "short", "short", 0o400));
    assert!(said.contains("head -c 32 /dev/urandom"), "{said}");
    let said = named(&file(&home, "open", KEY, 0o444));
    assert!(
        said.contains("open the stored secrets; run: chmod 600"),
        "{said}"
    );
    assert!(!said.contains(KEY), "{said}");
    let said = named("/nowhere/key");
    assert!(said.contains("/nowhere/key"), "{said}");
    let said = refused(("STAGEDOOR_SECRETS_KEY", KEY));
    assert!(said.contains("STAGEDOOR_SECRETS_KEY"), "{said}");
    assert!(!said.contains(KEY), "{said}");

    drop(Program::serve(Arc::clone(&home), &scripts));
    let ring = home.state().join("secrets.keys");
    let set_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&ring, mode).expect("chmod");
    };
    let held = fs::metadata(&ring).expect("the ring").permissions();
    let mode = std::os::unix::fs::PermissionsExt::mode(&held);
    assert_eq!(mode & 0o777, 0o400, "{mode:o}");
    set_mode(0o440);
    let said = refused(("TZ", "UTC"));
    assert!(said.contains("chmod 400"), "{said}");
    set_mode(0o400);
    drop(Program::serve(home, &scripts));
}
