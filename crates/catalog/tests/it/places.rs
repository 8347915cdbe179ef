//! Where definitions may stand, and what is never published.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use stagedoor_catalog::{Catalog, Options};
use stagedoor_domain::script::Launch;

use crate::folder::{ScriptFolder, StandingClock, shell};

#[test]
fn scripts_are_found_in_every_place() {
    let folder = ScriptFolder::with(&[
        ("a.sh", &shell("")),
        (
            "deep/er/b.py",
            "#!/usr/bin/env sh\n# /// script\n# dependencies = []\n# [tool.stagedoor]\n# title = 'B'\n# ///\n",
        ),
        (
            "c.js",
            "#!/bin/sh\n// /// stagedoor\n// title = 'C'\n// ///\n",
        ),
        ("d", "#!/bin/sh\n"),
        ("d.stagedoor.toml", "title = 'D'\n"),
        ("e.stagedoor.toml", "command = ['ls']\n"),
        ("data.csv", "1,2\n"),
        ("undeclared.sh", "#!/bin/sh\n"),
    ]);
    let mut names = folder.names();
    names.sort();
    assert_eq!(names, ["a", "c", "d", "deep/er/b", "e"]);
    assert_eq!(folder.check().problems, []);
    assert_eq!(
        folder.script("d").launch,
        Launch::File {
            file: "d".to_owned(),
            interpreter: vec![]
        }
    );
    assert_eq!(folder.script("deep/er/b").folder, "deep/er");
}

#[test]
fn a_file_beside_a_script_replaces_its_header() {
    let folder = ScriptFolder::with(&[
        ("a.sh", &shell("title = 'header'")),
        ("a.sh.stagedoor.toml", "title = 'beside'\n"),
    ]);
    assert_eq!(folder.script("a").title, "beside");
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn names_that_begin_with_underscore_or_dot_are_never_published() {
    let script = shell("");
    let folder = ScriptFolder::with(&[
        ("_helper.sh", &script),
        (".hidden.sh", &script),
        ("_lib/a.sh", &script),
        (".git/a.sh", &script),
        ("_x.stagedoor.toml", "command = ['ls']"),
        ("ok.sh", &script),
    ]);
    assert_eq!(folder.names(), ["ok"]);
    assert_eq!(folder.check().problems, []);
}

#[test]
fn links_are_not_followed_wherever_they_lead() {
    let outside = ScriptFolder::with(&[("secret.sh", &shell("")), ("dir/x.sh", &shell(""))]);
    let folder = ScriptFolder::with(&[
        ("real.sh", &shell("")),
        ("b.stagedoor.toml", "command = ['ls']\ndocs = 'linked.md'\n"),
    ]);
    symlink(outside.path("secret.sh"), folder.path("out.sh")).expect("a link");
    symlink("real.sh", folder.path("in.sh")).expect("a link");
    symlink(outside.path("dir"), folder.path("sub")).expect("a link");
    symlink(outside.path("secret.sh"), folder.path("linked.md")).expect("a link");
    assert_eq!(folder.names(), ["real"]);
    let checked = folder.check();
    assert_eq!(checked.problems.len(), 1);
    assert!(checked.problems[0].message.contains("symbolic link"));
    let skipped: Vec<&str> = checked.skipped.iter().map(|s| s.file.as_str()).collect();
    assert_eq!(skipped, ["in.sh", "linked.md", "out.sh", "sub"]);
}

#[test]
fn a_file_named_for_a_link_is_told() {
    let folder = ScriptFolder::with(&[("run.stagedoor.toml", "title = 'x'")]);
    symlink("/bin/ls", folder.path("run")).expect("a link");
    let problems = folder.check().problems;
    assert!(
        problems[0].message.contains("symbolic link"),
        "{problems:?}"
    );
    assert!(
        problems[0]
            .mend
            .as_ref()
            .is_some_and(|m| m.contains("command"))
    );
}

#[test]
fn fifos_and_folders_with_odd_names_do_no_harm() {
    let folder = ScriptFolder::with(&[("ok.sh", &shell("")), ("dir.sh/x.txt", "")]);
    let path = folder.path("pipe.sh");
    rustix_mkfifo(&path);
    assert_eq!(folder.names(), ["ok"]);
}

fn rustix_mkfifo(path: &std::path::Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o755), 0).expect("a FIFO");
}

#[test]
fn everything_executable_is_published_to_admins_when_asked_for() {
    let folder = ScriptFolder::with(&[
        (
            "_folder.stagedoor.toml",
            "[defaults]\naccess = { run = ['everyone'] }\n",
        ),
        ("plain.sh", "#!/bin/sh\n"),
        ("declared.sh", &shell("")),
        ("notes.txt", "x"),
        ("broken.sh", "no shebang\n"),
    ]);
    folder.chmod("notes.txt", 0o644);
    assert_eq!(folder.names(), ["declared"]);
    let options = Options {
        all: true,
        ..Options::new(Arc::new(StandingClock::default()))
    };
    let snapshot = Catalog::open_path(folder.root(), options)
        .expect("a catalog")
        .snapshot();
    let names: Vec<String> = snapshot.scripts().map(|s| s.name.to_string()).collect();
    assert_eq!(names, ["declared", "plain"]);
    let by_title = |title: &str| {
        snapshot
            .scripts()
            .find(|s| s.title == title)
            .expect("there")
            .clone()
    };
    assert!(by_title("Plain").access.rules.is_empty());
    assert!(!by_title("Declared").access.rules.is_empty());
    assert!(snapshot.skipped().iter().any(|s| s.file == "broken.sh"));
}

#[test]
fn scripts_stand_in_the_order_of_folders_then_their_own() {
    let folder = ScriptFolder::with(&[
        ("z/_folder.stagedoor.toml", "order = 1"),
        ("z/a.sh", &shell("")),
        ("a/_folder.stagedoor.toml", "order = 2"),
        ("a/b.sh", &shell("order = 1")),
        ("a/a.sh", &shell("order = 2")),
        ("top.sh", &shell("")),
    ]);
    assert_eq!(folder.names(), ["top", "z/a", "a/b", "a/a"]);
}

#[test]
fn a_command_beside_its_definition_is_started_from_there() {
    let folder = ScriptFolder::with(&[
        ("sub/tool", "#!/bin/sh\n"),
        ("sub/one.stagedoor.toml", "command = ['./tool']"),
        ("sub/two.stagedoor.toml", "command = ['./tool', '--fast']"),
    ]);
    let one = folder.script("sub/one");
    assert_eq!(
        one.launch,
        Launch::File {
            file: "tool".to_owned(),
            interpreter: vec![]
        }
    );
    assert!(one.fingerprint.is_some());
    let argv = vec![
        folder.path("sub/tool").to_str().expect("text").to_owned(),
        "--fast".to_owned(),
    ];
    assert_eq!(folder.script("sub/two").launch, Launch::Command { argv });
}

#[test]
fn a_folder_above_that_nobody_may_enter_does_not_matter() {
    // As root the modes bind nobody; the descriptor alone must do all the same.
    let folder = ScriptFolder::with(&[("in/er/a.sh", &shell(""))]);
    let root = stagedoor_catalog::open_folder(&folder.path("in")).expect("a folder");
    folder.chmod("in", 0o700);
    let catalog =
        Catalog::open(root, &folder.path("in"), crate::folder::options()).expect("a catalog");
    std::fs::rename(folder.path("in"), folder.path("elsewhere")).expect("moved");
    folder.write("elsewhere/er/b.sh", &shell(""));
    let names: Vec<String> = catalog
        .snapshot()
        .scripts()
        .map(|s| s.name.to_string())
        .collect();
    assert_eq!(names, ["er/a", "er/b"]);
}
