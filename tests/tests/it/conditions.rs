//! Bad conditions at the start: each is found, named with what to do about it, mended where that is
//! safe, and nothing is thrown away.

mod database;
mod place;
mod runner_socket;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::program::{Home, Program, stagedoor};
use crate::robot::Robot;

const HELLO: &str =
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n";
const SOON: Duration = Duration::from_secs(30);

fn home() -> (Arc<Home>, PathBuf) {
    let home = Home::new();
    let scripts = home.scripts(&[("hello.sh", HELLO)]);
    (home, scripts)
}

/// A state directory that has been used: one account, one run.
fn used() -> (Arc<Home>, PathBuf) {
    let (home, scripts) = home();
    let program = Program::serve(Arc::clone(&home), &scripts);
    assert_eq!(
        Robot::user(&program).run("hello", &json!({}))["outcome"],
        "succeeded"
    );
    assert_eq!(program.stop(), Some(0));
    (home, scripts)
}

/// What a server says that does not start.
#[track_caller]
fn refused(home: &Home, scripts: &Path) -> String {
    let state = home.state();
    let words = [
        "serve",
        scripts.to_str().expect("text"),
        "--state",
        state.to_str().expect("text"),
        "--listen",
        "127.0.0.1:0",
    ];
    let output = stagedoor(&words, "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

/// It starts, and what was there is there still: the account and its run.
#[track_caller]
fn goes_on(home: &Arc<Home>, scripts: &Path) -> Program {
    let program = Program::serve(Arc::clone(home), scripts);
    let accounts = program.manage(&["user", "list"], "");
    assert!(accounts.contains("ann"), "{accounts}");
    let token = Robot::new(&program, "bob", &["admins"]);
    assert_eq!(
        token.get("/api/v1/runs").expect(200).json()["items"][0]["script"],
        "hello"
    );
    assert_eq!(token.run("hello", &json!({}))["outcome"], "succeeded");
    program
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} in {said}");
    }
}
