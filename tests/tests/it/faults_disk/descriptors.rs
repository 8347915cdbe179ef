//! A server whose descriptors are used up.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{PATIENCE, Stage, assert_explains, probe};
use crate::program::{Program, as_root};
use crate::robot::{Robot, id};

/// The lowest number of a descriptor that is not open is what the limit counts; none, with the reason
/// printed, where that cannot be seen.
fn next_descriptor(program: &Program) -> Option<u64> {
    if !as_root() {
        println!("skipped: only root may count the descriptors of a confined server");
        return None;
    }
    let next = || {
        let open = fs::read_dir(format!("/proc/{}/fd", program.pid())).expect("its descriptors");
        let open: Vec<u64> = open
            .filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        (0..u64::MAX).find(|number| !open.contains(number))
    };
    // A connection of before may take a moment to be closed.
    let looks = (0..20).map(|_| {
        thread::sleep(Duration::from_millis(10));
        next()
    });
    looks.min().flatten()
}

/// Sets the limit of a running server. None lifts it again.
#[expect(
    clippy::disallowed_methods,
    reason = "only the server's own account may do it"
)]
fn limit(program: &Program, descriptors: Option<u64>) {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).expect("its status");
    let id = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let first = line.and_then(|line| line.split_whitespace().next());
        first.and_then(|id| id.parse().ok()).expect("an id")
    };
    let limits = fs::read_to_string(format!("/proc/{}/limits", program.pid())).expect("its limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let hard = line
        .and_then(|line| line.split_whitespace().nth(4))
        .expect("the hard limit");
    let soft = descriptors.map_or(hard.to_owned(), |number| number.to_string());
    let output = Command::new("prlimit")
        .uid(id("Uid:"))
        .gid(id("Gid:"))
        .arg(format!("--pid={}", program.pid()))
        .arg(format!("--nofile={soft}:"))
        .current_dir("/")
        .output()
        .expect("prlimit of util-linux");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn runs_wait_for_descriptors_and_lose_nothing() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let before = ann.run("hello", &json!({}));
    let Some(next) = next_descriptor(&program) else {
        return;
    };
    // One for a connection, and one more: too few for the two pipes of a run.
    limit(&program, Some(next + 2));
    let talker = ann.start("talker", &json!({})).expect(201).json();
    let hello = ann.start("hello", &json!({})).expect(201).json();
    program.until_logged("no descriptor is free", PATIENCE);
    let now = ann
        .get(&format!("/api/v1/runs/{}", id(&talker)))
        .expect(200)
        .json();
    assert_eq!(now["state"], "starting", "{now}");

    // One connection and nothing else: what needs a file says so.
    limit(&program, Some(next + 1));
    ann.get("/api/v1/runs").expect(200);
    let path = format!("/api/v1/runs/{}/output?stream=stdout", id(&before));
    assert_explains(ann.get(&path), 503, &["cannot read its files", "Try again"]);

    limit(&program, None);
    assert_eq!(ann.output(&before, "stdout"), b"hello\n");
    stage.assert_whole(&ann, &talker);
    let ended = ann.until(&hello, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(ann.output(&hello, "stdout"), b"hello\n");
}

#[test]
fn connections_wait_for_descriptors_and_are_served_then() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let Some(next) = next_descriptor(&program) else {
        return;
    };
    limit(&program, Some(next));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| ann.run("hello", &json!({})));
        program.until_logged("no connection can be accepted; they wait", PATIENCE);
        thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished(), "nobody has answered it");
        limit(&program, None);
        assert_eq!(waiting.join().expect("answered")["outcome"], "succeeded");
        assert_eq!(program.log().matches("they wait").count(), 1, "said once");
    });
    assert_eq!(probe(&program, "/readyz"), 200);
}
