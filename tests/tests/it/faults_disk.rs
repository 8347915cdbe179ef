//! Disks and descriptors that fail under a server that runs: nothing that was accepted is lost, reads
//! go on, and all recovers by itself when the cause is gone.

mod descriptors;
mod failing;
mod full;
mod kernel;
mod refusing;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::program::{Home, Program};
use crate::robot::{Robot, id};

const HELLO: &str =
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n";
/// Nothing takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(1);

/// `hello`, `short`, which ends after two seconds, and `talker`, which prints and writes the same
/// lines to a file on another disk.
struct Stage {
    home: Arc<Home>,
    scripts: PathBuf,
    /// Where `talker` writes to.
    copies: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let home = Home::new();
        let copies = home.state().with_extension("copies");
        fs::create_dir(&copies).expect("made");
        fs::set_permissions(&copies, Permissions::from_mode(0o777)).expect("chmod");
        let talk = format!(
            "seq 1 400 | while read i; do seq -f \"$i %g of a line that is long enough\" 1 400; \
             [ $((i % 20)) -ne 0 ] || sleep 0.1; done | tee {}/$STAGEDOOR_RUN_ID",
            copies.display()
        );
        let scripts = home.scripts(&[
            ("hello.sh", HELLO),
            (
                "short.sh",
                &HELLO.replace("echo hello", "echo begun; sleep 2; echo done"),
            ),
            ("talker.sh", &HELLO.replace("echo hello", &talk)),
        ]);
        Self {
            home,
            scripts,
            copies,
        }
    }

    fn serve(&self) -> Program {
        Program::serve(Arc::clone(&self.home), &self.scripts)
    }

    /// What the script wrote elsewhere is what Stagedoor has.
    #[track_caller]
    fn assert_whole(&self, ann: &Robot, run: &Value) {
        let ended = ann.until(run, |run| run["state"] == "ended");
        assert_eq!(
            (&ended["outcome"], &ended["epoch"]),
            (&json!("succeeded"), &json!(1)),
            "{ended}"
        );
        let written = fs::read(self.copies.join(id(run))).expect("its copy");
        let kept = ann.output(run, "stdout");
        assert!(written.len() > 5_000_000, "{} bytes", written.len());
        assert_eq!(kept.len(), written.len());
        assert!(kept == written, "the same bytes");
    }
}

fn probe(program: &Program, path: &str) -> u16 {
    http::get(&format!("{}{path}", program.url), &[]).status
}

/// Asks until it holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let step = Duration::from_millis(50);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if holds() {
            return;
        }
        thread::sleep(step);
    }
    panic!("a minute has gone by: {what}");
}

/// Starts runs until one is refused; those that were accepted, and the refusal. What a log has room
/// for already is still accepted on a full disk.
fn start_until_refused(ann: &Robot) -> (Vec<Value>, Answer) {
    let mut accepted = Vec::new();
    for _ in 0..2000 {
        let answer = ann.start("hello", &json!({}));
        if answer.status != 201 {
            return (accepted, answer);
        }
        accepted.push(answer.json());
    }
    panic!("2000 runs were accepted");
}

/// Problem details that say what is wrong, what to do and when to come again.
#[track_caller]
fn assert_explains(refusal: Answer, status: u16, parts: &[&str]) {
    let kind = refusal.header("content-type").map(str::to_owned);
    assert_eq!(kind.as_deref(), Some("application/problem+json"));
    let retry = refusal
        .header("retry-after")
        .and_then(|value| value.parse::<u32>().ok());
    assert!(retry.is_some_and(|seconds| seconds > 0), "{retry:?}");
    let said = refusal.expect(status).json();
    for part in parts {
        let detail = said["detail"].as_str().expect("a text");
        assert!(detail.contains(part), "{part:?} in {said}");
    }
}

/// All of them have ended well, and there is no other.
#[track_caller]
fn assert_all_ended(ann: &Robot, runs: &[Value]) {
    for run in runs {
        let ended = ann.until(run, |run| run["state"] == "ended");
        assert_eq!(
            (&ended["outcome"], &ended["epoch"]),
            (&json!("succeeded"), &json!(1)),
            "{ended}"
        );
    }
}
