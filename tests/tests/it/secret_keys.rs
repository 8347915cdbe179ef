//! The keys that seal stored secrets: where they are, who may give them, and how they are replaced.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::person::Person;
use crate::program::{Home, Program, binary, command, stagedoor};
use crate::robot::{PASSWORD, Robot};
use crate::secrets::{READER, VALUE, set, works};
use serde_json::json;

const KEY: &str = "q8Zr1vTt5yXnC3mWb7kLh2pJd9fGs4aE";
const OTHER: &str = "Zx7cV2bN9mQ4wE6rT1yU8iO3pA5sD0fG";

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
    let writable = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&path, writable).expect("chmod");
    fs::write(&path, keys.join("\n") + "\n").expect("written");
    fs::set_permissions(&path, mode).expect("chmod");
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
    assert_eq!(ring(&program.state()), [new.as_str()]);
    works(&program, "bob");
    // Killed when everything was sealed again.
    let program = program.crash_and_spoil(|state| write_ring(state, &[new.clone(), old]));
    works(&program, "cid");
    assert_eq!(ring(&program.state()), [new.as_str()]);
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

/// Whatever the command is doing when it is killed: writing the ring, sealing, forgetting.
#[test]
fn b39_a_rotation_that_is_killed_at_any_moment_leaves_every_secret_readable() {
    let program = Program::with_scripts(&[READER]);
    set(&program, "ops/db", VALUE);
    let ann = Robot::user(&program);
    let state = program.state();
    let (mut killed, mut finished) = (0, 0);
    let mut keys = std::collections::BTreeSet::from([ring(&state).remove(0)]);
    for step in 0..24 {
        let mut rotate = command(&binary())
            .args(["keys", "rotate", "--secrets", "--state"])
            .arg(&state)
            .stdout(Stdio::null())
            .spawn()
            .expect("stagedoor starts");
        // The last is left to its end, however slow the machine is.
        if step < 23 {
            thread::sleep(Duration::from_millis(4 * step));
            let _ = rotate.kill();
        }
        let ended = rotate.wait().expect("it ends");
        killed += u32::from(ended.signal() == Some(9));
        finished += u32::from(ended.success());
        let run = ann.run("reader", &json!({}));
        assert_eq!(run["outcome"], "succeeded", "{step}: {run}");
        keys.insert(ring(&state).remove(0));
    }
    assert_eq!(killed + finished, 24, "none of them failed");
    assert!(finished > 0 && keys.len() > 1, "{finished} finished");
    set(&program, "another", "x");
    program.manage(&["keys", "rotate", "--secrets"], "");
    assert_eq!(ring(&state).len(), 1);
    works(&program, "bob");
    let program = program.crash_and_restart();
    works(&program, "cid");
}

fn file(home: &Home, name: &str, text: &str, mode: u32) -> String {
    let path = home.dir().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
    fs::write(&path, text).expect("written");
    let mode = fs::Permissions::from_mode(mode);
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
    let _ = Robot::new(&program, "dan", &["admins"]);
    let mut dan = Person::stranger(&program);
    dan.sign_in("dan", PASSWORD);
    let page = dan.get("/admin/secrets").expect(200).text();
    assert!(
        page.contains("sealed with a key that is not here"),
        "{page}"
    );
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
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&ring, mode).expect("chmod");
    };
    let held = fs::metadata(&ring).expect("the ring").permissions();
    let mode = held.mode();
    assert_eq!(mode & 0o777, 0o400, "{mode:o}");
    set_mode(0o440);
    let said = refused(("TZ", "UTC"));
    assert!(said.contains("chmod 400"), "{said}");
    set_mode(0o400);
    drop(Program::serve(home, &scripts));
}
