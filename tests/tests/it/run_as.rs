//! `run_as`: scripts that run as another account of the machine (W43), as their author and the operator
//! meet it.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::person::Person;
use crate::program::{Home, Program, as_root, stagedoor};
use crate::robot::Robot;

/// An account that every Debian has; elsewhere these tests say that they were skipped.
const ACCOUNT: &str = "backup";

fn script(keys: &str, body: &str) -> String {
    format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# {keys}\n# ///\n{body}\n"
    )
}

fn permit(folder: &Path, accounts: &str) {
    let text = format!("[[permit]]\nfolder = \"ops\"\nrun_as = [{accounts}]\n");
    fs::write(folder.join("stagedoor.toml"), text).expect("written");
}

fn has_account() -> bool {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_there = text.lines().any(|line| line.starts_with("backup:"));
    if !is_there {
        println!("skipped: this machine has no account `{ACCOUNT}`");
    }
    is_there
}

fn check(folder: &Path) -> (Option<i32>, String) {
    let done = stagedoor(&["check", folder.to_str().expect("a path")], "");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.status.code(), text)
}

#[test]
fn w43_a_script_runs_as_the_account_that_it_names_where_the_operator_permits_it() {
    if !has_account() {
        return;
    }
    let home = Home::new();
    let who = script("run_as = \"backup\"", "id -un; echo $USER; cd; pwd");
    let folder = home.scripts(&[("ops/who.sh", &who), ("plain.sh", &script("", "id -un"))]);
    permit(&folder, "\"backup\"");
    let mut program = Program::serve(home, &folder);
    let mut ada = Person::first(&mut program);
    let robot = Robot::user(&program);
    let run = robot.run("ops/who", &json!({}));
    if !as_root() {
        let reason = run["reason"].as_str().unwrap_or_default();
        assert_eq!(run["outcome"], "refused", "{run}");
        assert!(reason.contains("started as root"), "{run}");
        assert!(
            program
                .log()
                .contains("only a server that was started as root")
        );
        assert_eq!(robot.run("plain", &json!({}))["outcome"], "succeeded");
        return;
    }
    let output = String::from_utf8_lossy(&robot.output(&run, "stdout")).into_owned();
    assert!(
        output.starts_with("backup\nbackup\n/var/tmp/stagedoor-"),
        "{output}"
    );
    assert_eq!(run["account"], "backup");
    let page = ada.get(&format!("/runs/{}", run["id"].as_str().expect("an id")));
    assert!(
        page.text().contains("<dt>Ran as</dt><dd>backup</dd>"),
        "{}",
        page.text()
    );
    let plain = robot.run("plain", &json!({}));
    assert_ne!(plain["account"], "backup", "{plain}");
    assert!(plain["account"].is_string(), "{plain}");
    // It is history: another server says it, too.
    let program = program.crash_and_restart();
    let again = Robot::new(&program, "bob", &["admins"]);
    let path = format!("/api/v1/runs/{}", run["id"].as_str().expect("an id"));
    assert_eq!(again.get(&path).expect(200).json()["account"], "backup");
}

#[test]
fn w43_no_definition_names_an_account_that_the_operator_does_not_permit_there() {
    let home = Home::new();
    let who = script("run_as = \"backup\"", "id -un");
    let root = script("run_as = \"root\"", "id -un");
    let folder = home.scripts(&[
        ("ops/who.sh", &who),
        ("ops/root.sh", &root),
        ("who.sh", &who),
        ("plain.sh", &script("", ":")),
    ]);
    permit(&folder, "\"games\"");
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1), "{text}");
    for said in [
        "does not permit scripts of this folder to run as `backup`",
        "`folder = \".\"` and `run_as = [\"backup\"]`",
        "`folder = \"ops\"` and `run_as = [\"backup\"]`",
        "no script runs as root",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let program = Program::serve(home, &folder);
    let ann = Robot::user(&program);
    for name in ["ops/who", "ops/root", "who"] {
        assert_eq!(ann.start(name, &json!({})).status, 404, "{name}");
    }
    assert_eq!(ann.run("plain", &json!({}))["outcome"], "succeeded");
}

#[test]
fn an_account_that_the_machine_does_not_have_keeps_nobody_else_from_running() {
    let home = Home::new();
    let lost = script("run_as = \"no-such-account\"", "id -un");
    let folder = home.scripts(&[("ops/lost.sh", &lost), ("plain.sh", &script("", ":"))]);
    permit(&folder, "\"no-such-account\"");
    let program = Program::serve(home, &folder);
    let ann = Robot::user(&program);
    let run = ann.run("ops/lost", &json!({}));
    assert_eq!(run["outcome"], "refused", "{run}");
    let reason = run["reason"].as_str().unwrap_or_default();
    let why = if as_root() {
        "no account `no-such-account`"
    } else {
        "started as root"
    };
    assert!(reason.contains(why), "{run}");
    assert_eq!(ann.run("plain", &json!({}))["outcome"], "succeeded");
}
