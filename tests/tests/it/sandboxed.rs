//! What holds a script, as its author, its users and an attacker who may write one meet it (W43).

use std::fs;

use serde_json::{Value, json};

use crate::person::Person;
use crate::program::{Home, Program, stagedoor};
use crate::robot::Robot;

fn script(keys: &str, body: &str) -> String {
    format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# {keys}\n# ///\n{body}\n"
    )
}

fn printed(robot: &Robot, run: &Value) -> String {
    String::from_utf8_lossy(&robot.output(run, "stdout")).into_owned()
}

/// The API of a run, and its page, name what held it.
#[test]
fn w43_a_run_says_what_held_its_script() {
    let strict = script("sandbox = { level = \"strict\" }", "echo held");
    let mut program =
        Program::with_scripts(&[("strict.sh", &strict), ("plain.sh", &script("", ":"))]);
    let mut ada = Person::first(&mut program);
    let robot = Robot::user(&program);
    let run = robot.run("strict", &json!({}));
    assert_eq!(run["outcome"], "succeeded", "{run}");
    let sandbox = &run["sandbox"];
    assert_eq!(sandbox["level"], "strict");
    for measure in ["privileges", "calls", "strict_calls", "network_off"] {
        let held = sandbox["held"].as_array().expect("a list");
        assert!(held.contains(&json!(measure)), "{measure}: {sandbox}");
    }
    let page = ada
        .get(&format!("/runs/{}", run["id"].as_str().expect("an id")))
        .text();
    assert!(page.contains("Sandbox: strict"), "{page}");
    assert!(page.contains("cannot use the network"), "{page}");
    let plain = robot.run("plain", &json!({}));
    assert_eq!(plain["sandbox"]["level"], "standard");
    assert!(
        !plain["sandbox"].to_string().contains("network_off"),
        "{plain}"
    );
    // It is history: another server says it, too.
    let program = program.crash_and_restart();
    let again = Robot::new(&program, "bob", &["admins"]);
    let path = format!("/api/v1/runs/{}", run["id"].as_str().expect("an id"));
    assert_eq!(again.get(&path).expect(200).json()["sandbox"], *sandbox);
}

/// Beside the account of scripts, which is not Stagedoor's when it was started by root.
#[test]
fn w43_a_script_finds_nothing_of_stagedoors_own() {
    if !rustix::process::geteuid().is_root() {
        return println!(
            "skipped: one account does everything here; attacks::reach shows what is hidden from it"
        );
    }
    let home = Home::new();
    let state = home.state();
    let body = format!(
        "cat {0}/* {0}/*/* 2>/dev/null && echo read; ls {0} && echo listed; \
         (: > {0}/x) && echo written; [ -r {0}/runner.sock ] && echo socket; \
         cat /proc/$PPID/environ /proc/$PPID/mem 2>/dev/null && echo memory; \
         kill -9 $PPID && echo killed; ls -d {1} >/dev/null && echo beside",
        state.display(),
        home.dir().display()
    );
    let folder = home.scripts(&[("thief.sh", &script("", &body))]);
    let program = Program::serve(home, &folder);
    let ann = Robot::user(&program);
    let run = ann.run("thief", &json!({}));
    assert_eq!(printed(&ann, &run), "beside\n", "{run}");
    assert_eq!(run["outcome"], "succeeded");
}

/// A definition cannot give itself more than the operator permits.
#[test]
fn w43_less_than_the_standard_sandbox_needs_a_permit() {
    let home = Home::new();
    let free = script(
        "sandbox = { level = \"none\" }",
        "grep NoNewPrivs /proc/self/status",
    );
    let folder = home.scripts(&[("ops/free.sh", &free), ("ops/plain.sh", &script("", ":"))]);
    let check = || stagedoor(&["check", folder.to_str().expect("a path")], "");
    let refused = check();
    let text = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("`none` is weaker than `standard`"), "{text}");
    let program = Program::serve(home.clone(), &folder);
    let ann = Robot::user(&program);
    assert_eq!(ann.start("ops/free", &json!({})).status, 404);
    assert_eq!(ann.run("ops/plain", &json!({}))["outcome"], "succeeded");
    assert_eq!(program.stop(), Some(0));

    let permit = "[[permit]]\nfolder = \"ops\"\nsandbox = \"none\"\n";
    fs::write(folder.join("stagedoor.toml"), permit).expect("written");
    assert!(check().status.success());
    let program = Program::serve(home, &folder);
    let ann = Robot::new(&program, "bob", &[]);
    let run = ann.run("ops/free", &json!({}));
    assert_eq!(printed(&ann, &run), "NoNewPrivs:\t0\n", "{run}");
    assert_eq!(run["sandbox"]["level"], "none");
    let held = ann.run("ops/plain", &json!({}));
    let privileges = held["sandbox"]["held"].as_array().expect("a list");
    assert!(privileges.contains(&json!("privileges")), "{held}");
}

/// The outcome says which limit it was, its value, and where to change it.
#[test]
fn a_run_that_went_beyond_a_limit_says_which() {
    let large = script(
        "limits = { file_size = \"1MiB\" }",
        "exec dd if=/dev/zero of=$HOME/x bs=65536 count=64",
    );
    let busy = script("limits = { cpu = \"1s\" }", "while :; do :; done");
    let program = Program::with_scripts(&[("large.sh", &large), ("busy.sh", &busy)]);
    let ann = Robot::user(&program);
    for (name, limit, value) in [
        ("large", "limits.file_size", "1 MiB"),
        ("busy", "limits.cpu", "1.0 s"),
    ] {
        let run = ann.run(name, &json!({}));
        assert_eq!(run["outcome"], "over_limit", "{run}");
        let reason = run["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(limit) && reason.contains(value), "{run}");
    }
}

/// A script is alone with its refusal where a limit is of each process or file: its page says so.
#[test]
fn a_run_that_failed_by_itself_names_the_limits_that_only_it_was_told_of() {
    let permit = "[[permit]]\nfolder = \"ops\"\nsandbox = \"none\"\n";
    let many = script(
        "limits = { open_files = 16 }",
        "exec 13</dev/null 14</dev/null 15</dev/null 16</dev/null",
    );
    let free = script("sandbox = { level = \"none\" }", "exit 3");
    let home = Home::new();
    let deaf = script(
        "limits = { cpu = \"1s\" }",
        "trap '' XCPU; while :; do :; done",
    );
    let tiny = script(
        "limits = { memory = \"1MiB\" }",
        "exec /usr/bin/python3 -c 'print(1)'",
    );
    let folder = home.scripts(&[
        ("many.sh", &many),
        ("ops/free.sh", &free),
        ("deaf.sh", &deaf),
        ("tiny.sh", &tiny),
    ]);
    fs::write(folder.join("stagedoor.toml"), permit).expect("written");
    let mut program = Program::serve(home, &folder);
    let mut ada = Person::first(&mut program);
    let robot = Robot::user(&program);
    let mut ended = |name: &str, outcomes: &[&str]| {
        let run = robot.run(name, &json!({}));
        let outcome = run["outcome"].as_str().expect("an outcome");
        assert!(outcomes.contains(&outcome), "{run}");
        ada.get(&format!("/runs/{}", run["id"].as_str().expect("an id")))
            .text()
    };
    // Who does not heed the signal of that limit is killed by one that tells nothing.
    let page = ended("deaf", &["signalled"]);
    assert!(page.contains("<code>limits.cpu</code>"), "{page}");
    // Too little for any program to begin.
    let page = ended("tiny", &["over_limit", "failed", "signalled"]);
    assert!(page.contains("<code>limits.memory</code>"), "{page}");

    let mut page_of = |name: &str| ended(name, &["failed"]);
    let told = "It may have met a limit of which only it is told: <code>limits.open_files</code>";
    let page = page_of("many");
    assert!(page.contains(told), "{page}");
    assert!(page.contains("What bounds this run’s script"), "{page}");

    let page = page_of("ops/free");
    assert!(!page.contains("only it is told"), "{page}");
    // What nobody asked for is not missed, and what is missing is not claimed.
    assert!(!page.contains("not all of it"), "{page}");
    let missing = "That it cannot reach Stagedoor&#39;s own files";
    assert!(page.contains(missing), "{page}");
}
