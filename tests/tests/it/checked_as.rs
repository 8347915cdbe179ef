//! `check` started by root: it says what the server that root starts finds with the account that it goes on
//! as, and what the account of a script meets.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::person::Person;
use crate::program::{Home, Program, as_root, stagedoor};
use crate::robot::Robot;

fn script(keys: &str) -> String {
    format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# {keys}\n# ///\n:\n"
    )
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

fn asked(words: &[&str], folder: &Path) -> (Option<i32>, String) {
    let words = [&["check"], words, &[folder.to_str().expect("a path")]].concat();
    let done = stagedoor(&words, "");
    let text = [done.stdout, done.stderr].concat();
    (
        done.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn skipped() -> bool {
    if !as_root() {
        println!("skipped: only root can see more than the server that it starts");
    }
    !as_root()
}

/// Each with the same words from `check`, and with none once it is mended.
#[test]
fn w43_what_the_servers_account_cannot_read_check_says_as_root_too() {
    if skipped() {
        return;
    }
    let home = Home::new();
    let plain = script("");
    let closed = home.dir().join("closed");
    fs::create_dir_all(closed.join("venv/bin")).expect("made");
    fs::copy("/bin/true", closed.join("tool")).expect("copied");
    let venv = home.dir().join("venv");
    fs::create_dir_all(venv.join("bin")).expect("made");
    symlink(closed.join("tool"), venv.join("bin/python")).expect("a link");
    let command = format!(
        "access = {{ run = [\"everyone\"] }}\ncommand = [\"{}/tool\", \"x\"]\n",
        closed.display()
    );
    let python = script(&format!("venv = \"{}\"", venv.display()));
    let folder = home.scripts(&[
        ("private.sh", &*plain),
        ("hidden.sh", &plain),
        ("deep/inside.sh", &plain),
        ("tool.stagedoor.toml", &command),
        ("python.py", &python),
        ("plain.sh", &plain),
    ]);
    mode(&folder.join("tool.stagedoor.toml"), 0o644);
    fs::write(folder.join("stagedoor.toml"), "").expect("written");
    mode(&folder.join("stagedoor.toml"), 0o400);
    mode(&folder.join("private.sh"), 0o700);
    mode(&folder.join("hidden.sh"), 0o711);
    mode(&folder.join("deep"), 0o700);
    mode(&closed, 0o700);
    let (code, text) = asked(&[], &folder);
    assert_eq!(code, Some(1), "{text}");
    let passed = format!("`{}` is closed to it", closed.display());
    for words in [
        "private.sh: the file cannot be read",
        "let the account 7373 read it (chmod o+rx private.sh)",
        "hidden.sh: the file cannot be read",
        "deep: the folder cannot be listed",
        "let the account 7373 read and enter it (chmod o+rx deep)",
        "the account 7373 may not reach",
        &passed,
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(text.matches(&passed).count(), 2, "{text}");
    assert!(!text.contains("there is no"), "{text}");
    // The settings are for root alone, and nobody takes them for a script.
    assert!(!text.contains("stagedoor.toml is not looked at"), "{text}");
    let names = ["private", "hidden", "deep/inside", "tool", "python"];
    for name in ["private", "tool", "python"] {
        let (code, text) = asked(&["--explain", name], &folder);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("is not published"), "{text}");
    }
    let mut program = Program::serve(Arc::clone(&home), &folder);
    let page = Person::first(&mut program).get("/admin/health");
    for words in [
        "the account 7373 read it (chmod o+rx private.sh)",
        "the account 7373 read and enter it (chmod o+rx deep)",
        "is closed to it",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let robot = Robot::user(&program);
    for name in names {
        assert_eq!(robot.start(name, &json!({})).status, 404, "{name}");
    }
    assert_eq!(robot.run("plain", &json!({}))["outcome"], "succeeded");
    drop((robot, program));
    for file in ["private.sh", "hidden.sh", "deep"] {
        mode(&folder.join(file), 0o755);
    }
    mode(&closed, 0o755);
    let (code, text) = asked(&[], &folder);
    assert_eq!(code, Some(0), "{text}");
    let program = Program::serve(home, &folder);
    let robot = Robot::new(&program, "bob", &[]);
    for name in names {
        assert_eq!(
            robot.run(name, &json!({}))["outcome"],
            "succeeded",
            "{name}"
        );
    }
}

#[test]
fn w43_what_the_scripts_account_may_not_execute_is_told_as_the_run_is_refused() {
    if skipped() {
        return;
    }
    let home = Home::new();
    let folder = home.scripts(&[
        ("ops/named.sh", &*script("run_as = \"backup\"")),
        ("usual.sh", &script("")),
        (
            "nowhere.sh",
            &script("working_directory = \"/nonexistent\""),
        ),
    ]);
    let text = "[[permit]]\nfolder = \"ops\"\nrun_as = [\"backup\"]\n";
    fs::write(folder.join("stagedoor.toml"), text).expect("written");
    for file in ["ops/named.sh", "usual.sh"] {
        std::os::unix::fs::chown(folder.join(file), None, Some(7373)).expect("chgrp");
        mode(&folder.join(file), 0o750);
    }
    let (code, text) = asked(&[], &folder);
    assert_eq!(code, Some(0), "{text}");
    let program = Program::serve(Arc::clone(&home), &folder);
    let robot = Robot::user(&program);
    for (name, words) in [
        (
            "ops/named",
            "by the account `backup`, as which it runs: let everybody (chmod o+rx ops/named.sh)",
        ),
        ("usual", "(chmod o+rx usual.sh)"),
        (
            "nowhere",
            "`/nonexistent`, and there is no such folder: make it (mkdir /nonexistent)",
        ),
    ] {
        let run = robot.run(name, &json!({}));
        assert_eq!(run["outcome"], "refused", "{run}");
        let why = run["reason"].as_str().expect("a reason");
        assert!(why.contains(words), "{words}: {why}");
        let warned = format!("warning: each run of `{name}` is refused: {why}");
        assert!(text.contains(&warned), "{warned}: {text}");
        let (code, text) = asked(&["--explain", name], &folder);
        assert_eq!(code, Some(1), "{text}");
        assert!(
            text.contains(&format!("would be refused: {why}")),
            "{why}: {text}"
        );
    }
    for file in ["ops/named.sh", "usual.sh"] {
        mode(&folder.join(file), 0o755);
    }
    fs::write(
        folder.join("nowhere.sh"),
        script("working_directory = \"/tmp\""),
    )
    .expect("written");
    let (_, text) = asked(&[], &folder);
    assert!(!text.contains("refused"), "{text}");
    for name in ["ops/named", "usual", "nowhere"] {
        assert_eq!(
            robot.run(name, &json!({}))["outcome"],
            "succeeded",
            "{name}"
        );
        let (code, text) = asked(&["--explain", name], &folder);
        assert_eq!(code, Some(0), "{text}");
    }
}

/// Its interpreter starts, and then finds that out: that is no refusal, and no success.
#[test]
fn w43_a_script_that_its_interpreter_may_not_read_is_told_as_one_that_fails() {
    if skipped() {
        return;
    }
    let home = Home::new();
    let folder = home.scripts(&[("read.sh", &*script("interpreter = \"sh\""))]);
    let file = folder.join("read.sh");
    std::os::unix::fs::chown(&file, None, Some(7373)).expect("chgrp");
    mode(&file, 0o640);
    let (_, text) = asked(&[], &folder);
    assert!(text.contains("warning: each run of `read` fails"), "{text}");
    let (code, text) = asked(&["--explain", "read"], &folder);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("would be started, and fail") && text.contains("chmod o+r read.sh"),
        "{text}"
    );
    let program = Program::serve(home, &folder);
    let robot = Robot::user(&program);
    assert_eq!(robot.run("read", &json!({}))["outcome"], "failed");
    mode(&file, 0o644);
    let (code, text) = asked(&["--explain", "read"], &folder);
    assert_eq!(code, Some(0), "{text}");
    let (_, text) = asked(&[], &folder);
    assert!(!text.contains("each run of"), "{text}");
    assert_eq!(robot.run("read", &json!({}))["outcome"], "succeeded");
}
