//! Whoever reads what a command prints may go away (`| head -1`): the command ends as if all had been read, and
//! what it was to do is done.

use std::fs::File;
use std::io::{Read as _, pipe};
use std::process::Stdio;

use crate::program::{Home, Program, binary, command};

const PLAIN: &str = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\n:\n";

/// Its exit code and what it says on standard error.
fn ended(words: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let (mut messages, stderr) = pipe().expect("a pipe");
    let mut started = command(&binary());
    started.args(words).stdin(Stdio::null());
    let mut child = started
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .expect("stagedoor starts");
    // It keeps the other end of the pipe open.
    drop(started);
    let mut text = String::new();
    messages.read_to_string(&mut text).expect("its messages");
    (child.wait().expect("it ends").code(), text)
}

fn unread(words: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    ended(words, writer.into())
}

#[test]
fn a_reader_who_goes_away_ends_no_command_before_it_is_done() {
    let home = Home::new();
    let folder = home.scripts(&[
        ("plain.sh", PLAIN),
        ("broken.sh", &PLAIN.replace("run", "rum")),
    ]);
    let program = Program::serve(home, &folder);
    program.manage(&["secret", "set", "ops/db"], "hunter2");
    assert!(program.manage(&["secret", "list"], "").contains("ops/db"));
    let (folder, state) = (folder.display().to_string(), program.state());
    let state = state.to_str().expect("a path");
    for (words, code) in [
        (&["check", &folder][..], 1),
        (
            &["check", "--explain", "plain", &folder, "--state", state],
            0,
        ),
        (&["routes"], 0),
        (&["routes", "--json"], 0),
        (&["--help"], 0),
        (&["user", "list", "--state", state], 0),
        (&["audit-log", "list", "--state", state], 0),
        (&["audit-log", "export", "--state", state], 0),
        (&["secret", "rm", "ops/db", "--state", state], 0),
    ] {
        let (ended, said) = unread(words);
        assert_eq!(ended, Some(code), "{words:?}: {said}");
        for loud in ["panicked", "roken pipe"] {
            assert!(!said.contains(loud), "{words:?}: {said}");
        }
    }
    assert!(!program.manage(&["secret", "list"], "").contains("ops/db"));
}

/// The twin: what somebody waits for, and what cannot be written to him, is no success.
#[test]
fn what_cannot_be_written_to_a_full_disk_is_told() {
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .expect("there")
    };
    let (code, said) = ended(&["routes"], full().into());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("could be written") && !said.contains("panicked"),
        "{said}"
    );
    let (code, said) = ended(&["routes"], Stdio::null());
    assert_eq!(code, Some(0), "{said}");
}
