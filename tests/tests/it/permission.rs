//! `stagedoor grant`, `group`, `may` and `user delete` beside a server that is at work.

use std::process::Output;

use crate::person::Person;
use crate::program::{Home, Program, stagedoor};

const SCRIPT: (&str, &str) = (
    "ops/backup.sh",
    "#!/bin/sh\n# /// stagedoor\n# title = \"Backup\"\n# access = { view = [\"dev\"], output = [\"user:dan\"] }\n# ///\necho done\n",
);
const SETTINGS: (&str, &str) = (
    "stagedoor.toml",
    "[[grant]]\ngroup = \"ops\"\nscripts = \"ops/*\"\nmay = [\"run\"]\n\n\
     [[grant]]\ngroup = \"wardens\"\nmay = [\"admin\"]\n",
);
const PASSWORD: &str = "four words are better";

fn served() -> Program {
    let home = Home::new();
    let folder = home.scripts(&[SCRIPT, SETTINGS]);
    let program = Program::serve(home, &folder);
    for (name, group) in [
        ("root", "admins"),
        ("ann", "ops"),
        ("dan", "dev"),
        ("wim", "wardens"),
    ] {
        let words = ["user", "add", name, "--group", group, "--password-stdin"];
        program.manage(&words, PASSWORD);
    }
    program
}

/// With the state and the folder of this server.
fn ask(program: &Program, words: &[&str]) -> Output {
    let (state, folder) = (program.state(), program.scripts().to_owned());
    let mut all = words.to_vec();
    all.extend(["--state", state.to_str().expect("text")]);
    all.extend(["--folder", folder.to_str().expect("text")]);
    stagedoor(&all, "")
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

#[test]
fn may_says_yes_or_no_and_which_rule_decides() {
    let program = served();
    program.manage(
        &[
            "grant",
            "add",
            "--group",
            "everyone",
            "--scripts",
            "ops/*",
            "--may",
            "stop",
        ],
        "",
    );
    for (words, code, why) in [
        (
            "ann view ops/backup",
            0,
            "the grant in stagedoor.toml, line 1: ops may run: ops/*",
        ),
        (
            "ann run ops/backup",
            0,
            "the grant in stagedoor.toml, line 1",
        ),
        ("ann output ops/backup", 1, "no: "),
        ("ann schedule ops/backup", 1, "no: "),
        (
            "ann stop ops/backup",
            0,
            "grant 1: everyone may stop: ops/*",
        ),
        (
            "dan view ops/backup",
            0,
            "`access` in ops/backup.sh, line 4: view = dev",
        ),
        ("dan output ops/backup", 0, "output = user:dan"),
        ("dan run ops/backup", 1, "no: "),
        ("root schedule ops/backup", 0, "a member of `admins`"),
        ("root admin", 0, "a member of `admins`"),
        (
            "wim admin",
            0,
            "the grant in stagedoor.toml, line 6: wardens may administer",
        ),
        ("wim view ops/backup", 1, "no: "),
        ("ann admin", 1, "no: "),
        ("ann run ops/other", 1, "there is no script `ops/other`"),
        ("eve run ops/backup", 1, "there is no user `eve`"),
        ("ann fly ops/backup", 1, "is no action"),
        ("ann run", 1, "name the script too"),
        ("ann admin ops/backup", 1, "leave it out"),
    ] {
        let mut all = vec!["may"];
        all.extend(words.split(' '));
        let output = ask(&program, &all);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{words}: {text}");
        assert!(text.contains(why), "{words}: {text}");
        assert_eq!(text.starts_with("yes: "), code == 0, "{words}: {text}");
    }
    program.manage(&["user", "disable", "ann"], "");
    let output = ask(&program, &["may", "ann", "run", "ops/backup"]);
    assert!(said(&output).contains("disabled"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_running_server_knows_at_the_next_request_what_the_command_line_has_changed() {
    let program = served();
    let mut dan = Person::stranger(&program);
    crate::person::led_to(&dan.sign_in("dan", PASSWORD));
    let runs = |dan: &mut Person| {
        let page = dan.get("/scripts/ops/backup");
        (page.status, page.text().contains(">Run</button>"))
    };
    assert_eq!(runs(&mut dan), (200, false), "he may look only");
    let words = [
        "grant",
        "add",
        "--group",
        "dev",
        "--scripts",
        "*",
        "--may",
        "run",
    ];
    assert!(
        program
            .manage(&words, "")
            .contains("Grant 1: dev may run: *")
    );
    assert_eq!(runs(&mut dan), (200, true));
    program.manage(&["grant", "remove", "1"], "");
    assert_eq!(runs(&mut dan), (200, false));
    for (command, may_run) in [("add", true), ("remove", false)] {
        program.manage(&["group", command, "ops", "dan"], "");
        assert_eq!(
            dan.get("/").status,
            303,
            "new rights come with a new session"
        );
        crate::person::led_to(&dan.sign_in("dan", PASSWORD));
        assert_eq!(runs(&mut dan), (200, may_run));
    }
    program.manage(&["user", "delete", "dan", "--yes"], "");
    assert_eq!(dan.get("/").status, 303, "his session is over");
}

#[test]
fn a_rename_says_which_files_still_have_the_old_name() {
    let program = served();
    let listed = said(&ask(&program, &["group", "list"]));
    for line in [
        "dan",
        "`access` in ops/backup.sh, line 4",
        "the grant in stagedoor.toml, line 6",
    ] {
        assert!(listed.contains(line), "{listed}");
    }
    let renamed = said(&ask(&program, &["group", "rename", "dev", "crew"]));
    assert!(renamed.contains("dev is called crew now"), "{renamed}");
    assert!(
        renamed.contains("`access` in ops/backup.sh, line 4"),
        "{renamed}"
    );
    let renamed = said(&ask(&program, &["group", "rename", "crew", "mates"]));
    assert!(!renamed.contains("by hand"), "{renamed}");
    let refused = ask(&program, &["group", "rename", "mates", "ops"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("already a group"),
        "{}",
        said(&refused)
    );
}

#[test]
fn grants_that_give_nobody_anything_are_told_by_check_and_at_the_start() {
    let program = served();
    let folder = program.scripts().to_owned();
    let check = |state: &str| {
        let folder = folder.to_str().expect("text");
        let output = stagedoor(&["check", folder, "--state", state], "");
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let state = program.state();
    let state = state.to_str().expect("text");
    assert!(!check(state).contains("grant"), "{}", check(state));
    for words in [
        [
            "grant",
            "add",
            "--group",
            "ops",
            "--scripts",
            "nix/*",
            "--may",
            "run",
        ],
        [
            "grant",
            "add",
            "--group",
            "nobodys",
            "--scripts",
            "*",
            "--may",
            "run",
        ],
    ] {
        program.manage(&words, "");
    }
    let told = check(state);
    for line in [
        "warning: grant 1: no script fits `nix/*`",
        "warning: grant 2: nobody is in the group `nobodys`",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert!(
        !check("/nonexistent/state").contains("grant"),
        "no accounts, no word of them"
    );
    let program = program.crash_and_restart();
    program.until_logged(
        "nobody is in the group `nobodys`",
        std::time::Duration::from_secs(10),
    );
}

#[test]
fn the_last_administrator_stays_and_a_user_is_deleted_only_when_it_is_said_twice() {
    let program = served();
    for words in [
        &["user", "disable", "root"][..],
        &["user", "delete", "root", "--yes"],
        &["user", "groups", "root", "--group", "ops"],
    ] {
        let mut all = words.to_vec();
        let state = program.state();
        all.extend(["--state", state.to_str().expect("text")]);
        let output = stagedoor(&all, "");
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(
            said(&output).contains("the only administrator"),
            "{}",
            said(&output)
        );
    }
    let left = ask(&program, &["group", "remove", "admins", "root"]);
    assert!(
        said(&left).contains("the only administrator"),
        "{}",
        said(&left)
    );
    let state = program.state();
    let unsure = stagedoor(
        &[
            "user",
            "delete",
            "ann",
            "--state",
            state.to_str().expect("text"),
        ],
        "",
    );
    assert_eq!(unsure.status.code(), Some(1));
    assert!(said(&unsure).contains("--yes"), "{}", said(&unsure));
    assert!(program.manage(&["user", "list"], "").contains("ann"));
    program.manage(&["user", "delete", "ann", "--yes"], "");
    assert!(!program.manage(&["user", "list"], "").contains("ann"));
}

#[test]
fn what_the_command_line_changes_is_recorded_with_who_sat_there() {
    let program = served();
    for words in [
        &[
            "grant",
            "add",
            "--group",
            "dev",
            "--scripts",
            "*",
            "--may",
            "run",
        ][..],
        &["grant", "remove", "1"],
        &["group", "add", "dev", "ann"],
        &["group", "remove", "dev", "ann"],
        &["group", "rename", "dev", "devs"],
        &["token", "create", "--user", "ann"],
        &["token", "revoke", "1"],
        &["user", "disable", "ann"],
        &["user", "enable", "ann"],
        &["user", "delete", "ann", "--yes"],
    ] {
        program.manage(words, "");
    }
    let mut root = Person::stranger(&program);
    crate::person::led_to(&root.sign_in("root", PASSWORD));
    let log = root.get("/api/v1/audit-log?limit=200").expect(200).json();
    let items = log["items"].as_array().expect("a list");
    let by_hand = items.iter().filter(|item| item["actor"] == "command_line");
    let acts: Vec<&str> = by_hand.filter_map(|item| item["act"].as_str()).collect();
    for act in [
        "user_added",
        "grant_added",
        "grant_removed",
        "groups_set",
        "group_renamed",
        "token_created",
        "token_revoked",
        "user_disabled",
        "user_enabled",
        "user_removed",
    ] {
        assert!(acts.contains(&act), "{act} is not in {acts:?}");
    }
}
