//! Bad input and bad luck: each with a message that says what, where and what to do; nothing lost,
//! nothing started twice.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::program::{Home, Program, examples, stagedoor};
use crate::robot::{Robot, id};

const HELLO: &str =
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n";

fn words(output: &std::process::Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_examples_have_no_errors() {
    let folder = examples();
    let output = stagedoor(&["check", folder.to_str().expect("text")], "");
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
}

#[test]
fn check_names_file_line_and_mend_of_every_error() {
    let home = Home::new();
    let folder = home.scripts(&[
        ("good.sh", HELLO),
        (
            "typo.sh",
            "#!/bin/sh\n# /// stagedoor\n# titel = \"x\"\n# ///\n",
        ),
        ("open.sh", "#!/bin/sh\n# /// stagedoor\n# title = \"x\"\n"),
        (
            "later.sh",
            "#!/bin/sh\n# /// stagedoor\n# terminal = true\n# ///\n",
        ),
        (
            "crlf.sh",
            "#!/bin/sh\r\n# /// stagedoor\r\n# title = \"x\"\r\n# ///\r\n",
        ),
    ]);
    let output = stagedoor(&["check", folder.to_str().expect("text")], "");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "typo.sh:3",
        "title",
        "open.sh",
        "later.sh",
        "not in this version yet",
        "crlf.sh",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    assert!(!said.contains("good.sh"), "{said}");
}

#[test]
fn a_broken_definition_disables_that_script_alone_and_a_mended_one_is_live_at_once() {
    let home = Home::new();
    let folder = home.scripts(&[
        ("good.sh", HELLO),
        ("bad.sh", "#!/bin/sh\n# /// stagedoor\n# titel = 1\n# ///\n"),
    ]);
    let program = Program::serve(home.clone(), &folder);
    let ann = Robot::user(&program);
    assert_eq!(ann.run("good", &json!({}))["outcome"], "succeeded");
    ann.start("bad", &json!({})).expect(404);
    home.scripts(&[("bad.sh", HELLO)]);
    assert_eq!(ann.run("bad", &json!({}))["outcome"], "succeeded");
}

#[test]
fn unknown_names_are_refused() {
    let program = Program::with_scripts(&[("hello.sh", HELLO)]);
    let ann = Robot::user(&program);
    ann.start("no/such/script", &json!({})).expect(404);
    ann.start("../hello", &json!({})).expect(404);
    ann.get("/api/v1/runs/01936f5e-7c00-7000-8000-000000000001")
        .expect(404);
    ann.get("/api/v1/scripts/hello").expect(200);
}

#[test]
fn what_cannot_be_started_is_not_published_and_check_says_why() {
    let home = Home::new();
    let folder = home.scripts(&[
        ("hello.sh", HELLO),
        (
            "no-such.sh",
            &HELLO.replace("/bin/sh", "/no/such/interpreter"),
        ),
        ("open.sh", HELLO),
        ("plain.sh", HELLO),
    ]);
    let mode = |name: &str, mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.join(name), permissions).expect("chmod");
    };
    mode("open.sh", 0o777);
    mode("plain.sh", 0o644);
    let program = Program::serve(home.clone(), &folder);
    let ann = Robot::user(&program);
    for name in ["no-such", "open", "plain"] {
        ann.start(name, &json!({})).expect(404);
    }
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
    let output = stagedoor(&["check", folder.to_str().expect("text")], "");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["no-such.sh", "/no/such/interpreter", "open.sh", "plain.sh"] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    mode("open.sh", 0o755);
    assert_eq!(ann.run("open", &json!({}))["outcome"], "succeeded");
}

/// Puts another file in the place of a script at once, as a deployment does.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).expect("a script");
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).expect("chmod");
    fs::rename(beside, path).expect("rename");
}

/// The queue has one place, and the waiting run's script is rewritten meanwhile.
#[test]
fn a_script_that_changed_between_the_click_and_the_start_is_refused() {
    let slow = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# limits = { running = 1 }\n# ///\n\
        echo begun; sleep 3\n";
    let program = Program::with_scripts(&[("slow.sh", slow)]);
    let ann = Robot::user(&program);
    let first = ann.start("slow", &json!({})).expect(201).json();
    ann.until_printed(&first, "begun");
    let second = ann.start("slow", &json!({})).expect(201).json();
    assert_eq!(second["state"], "queued", "{second}");
    replace(
        &program.scripts().join("slow.sh"),
        &slow.replace("echo begun", "echo changed"),
    );
    let ended = ann.until(&second, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "refused", "{ended}");
    assert!(
        ended["reason"]
            .as_str()
            .is_some_and(|r| r.contains("changed")),
        "{ended}"
    );
    assert_eq!(
        ann.until(&first, |run| run["state"] == "ended")["outcome"],
        "succeeded"
    );
}

#[test]
fn a_script_that_vanished_between_the_click_and_the_start_is_refused() {
    let slow = HELLO.replace(
        "# ///\necho hello",
        "# limits = { running = 1 }\n# ///\necho begun; sleep 2",
    );
    let program = Program::with_scripts(&[("slow.sh", &slow)]);
    let ann = Robot::user(&program);
    let first = ann.start("slow", &json!({})).expect(201).json();
    ann.until_printed(&first, "begun");
    let second = ann.start("slow", &json!({})).expect(201).json();
    fs::remove_file(program.scripts().join("slow.sh")).expect("it was there");
    let ended = ann.until(&second, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "refused", "{ended}");
    assert!(
        ended["reason"]
            .as_str()
            .is_some_and(|reason| reason.len() > 10),
        "{ended}"
    );
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let home = Home::new();
    let folder = home.scripts(&[("hello.sh", HELLO)]);
    let state = home.state();
    let output = stagedoor(
        &[
            "serve",
            folder.to_str().expect("text"),
            "--state",
            state.to_str().expect("text"),
            "--listen",
            &address,
        ],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains(&address) && words(&output).contains("--listen"),
        "{}",
        words(&output)
    );
}

#[test]
fn a_second_server_on_the_same_state_is_refused_and_the_first_goes_on() {
    let program = Program::with_scripts(&[("hello.sh", HELLO)]);
    let ann = Robot::user(&program);
    let (folder, state) = (program.scripts().to_path_buf(), program.state());
    let output = stagedoor(
        &[
            "serve",
            folder.to_str().expect("text"),
            "--state",
            state.to_str().expect("text"),
            "--listen",
            "127.0.0.1:0",
        ],
        "",
    );
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains(state.to_str().expect("text")),
        "{}",
        words(&output)
    );
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
}

#[test]
fn listening_beyond_loopback_needs_a_decision() {
    let home = Home::new();
    let folder = home.scripts(&[("hello.sh", HELLO)]);
    let state = home.state();
    let output = stagedoor(
        &[
            "serve",
            folder.to_str().expect("text"),
            "--state",
            state.to_str().expect("text"),
            "--listen",
            "0.0.0.0:0",
        ],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("allow_plain_http"),
        "{}",
        words(&output)
    );
}

/// The runner holds the script and its pipes; the new server takes them over.
#[test]
fn a_run_goes_on_when_the_server_dies_and_no_byte_is_lost() {
    let count = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\n\
        i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; [ $((i % 10)) -ne 0 ] || sleep 0.1; done\n";
    let program = Program::with_scripts(&[("count.sh", count)]);
    let ann = Robot::user(&program);
    let run = ann.start("count", &json!({})).expect(201).json();
    ann.until_printed(&run, "line 20");
    let program = program.crash_and_restart();
    let bob = Robot::new(&program, "bob", &["admins"]);
    let ended = bob.until(&run, |run| run["state"] == "ended");
    assert_eq!(
        (&ended["outcome"], &ended["epoch"]),
        (&json!("succeeded"), &json!(1)),
        "{ended}"
    );
    let printed = String::from_utf8(bob.output(&run, "stdout")).expect("text");
    let expected: Vec<String> = (1..=400).map(|i| format!("line {i}")).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_stopped_server_lets_runs_go_on_and_the_next_one_takes_them_over() {
    let home = Home::new();
    let slow = HELLO.replace("echo hello", "echo begun; sleep 3; echo done");
    let folder = home.scripts(&[("slow.sh", &slow)]);
    let program = Program::serve(home.clone(), &folder);
    let ann = Robot::user(&program);
    let run = ann.start("slow", &json!({})).expect(201).json();
    ann.until_printed(&run, "begun");
    assert_eq!(program.stop(), Some(0));
    let program = Program::serve(home, &folder);
    let bob = Robot::new(&program, "bob", &["admins"]);
    assert_eq!(
        bob.until(&run, |run| run["state"] == "ended")["outcome"],
        "succeeded"
    );
    assert_eq!(bob.output(&run, "stdout"), b"begun\ndone\n");
}

#[test]
fn the_same_request_key_starts_one_run() {
    let program = Program::with_scripts(&[("hello.sh", HELLO)]);
    let ann = Robot::user(&program);
    let body = json!({"script": "hello"}).to_string();
    let first = ann
        .post_with_key("/api/v1/runs", &body, "key-1")
        .expect(201)
        .json();
    let second = ann
        .post_with_key("/api/v1/runs", &body, "key-1")
        .expect(201)
        .json();
    let third = ann
        .post_with_key("/api/v1/runs", &body, "key-2")
        .expect(201)
        .json();
    assert_eq!(id(&first), id(&second));
    assert_ne!(id(&first), id(&third));
}

#[test]
fn w28_a_run_that_takes_too_long_times_out_with_all_it_started() {
    let stuck = HELLO.replace(
        "# ///\necho hello",
        "# timeout = \"1s\"\n# stop_grace = \"1s\"\n# ///\ntrap '' TERM; sleep 30 & wait; sleep 30",
    );
    let program = Program::with_scripts(&[("stuck.sh", &stuck)]);
    let ann = Robot::user(&program);
    let run = ann.run("stuck", &json!({}));
    assert_eq!(run["outcome"], "timed_out", "{run}");
}

#[test]
fn what_one_may_not_view_answers_like_an_unknown_name() {
    let secret = HELLO.replace("everyone", "ops");
    let program = Program::with_scripts(&[("hello.sh", HELLO), ("secret.sh", &secret)]);
    let ann = Robot::user(&program);
    let (hidden, unknown) = (
        ann.start("secret", &json!({})),
        ann.start("nothing", &json!({})),
    );
    assert_eq!(
        (hidden.status, hidden.text()),
        (404, unknown.expect(404).text())
    );
    assert!(
        !ann.get("/api/v1/scripts")
            .expect(200)
            .text()
            .contains("secret")
    );
    let oscar = Robot::new(&program, "oscar", &["ops"]);
    assert_eq!(oscar.run("secret", &json!({}))["outcome"], "succeeded");
}

#[test]
fn w39_w43_scripts_run_as_an_account_of_their_own_when_started_as_root() {
    let who = HELLO
        .replace("echo hello", "id -u; cat \"$1\"")
        .replace("# ///\nid", "# [[param]]\n# name = \"file\"\n# ///\nid");
    let program = Program::with_scripts(&[("who.sh", &who)]);
    let ann = Robot::user(&program);
    let key = program.state().join("vault.key");
    let run = ann.run("who", &json!({"file": key.to_str().expect("text")}));
    let output = String::from_utf8_lossy(&ann.output(&run, "stdout")).into_owned();
    let uid = output.lines().next().unwrap_or_default().to_owned();
    if crate::program::as_root() {
        assert_ne!(uid, "0", "a script does not run as root");
        assert_ne!(
            run["exit_code"], 0,
            "a script cannot read the server's key: {output}"
        );
    } else {
        assert_eq!(uid, rustix::process::geteuid().as_raw().to_string());
    }
}
