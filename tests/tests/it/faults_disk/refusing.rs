//! A kernel that says for a while: the disk is read-only, all files of the system are open, no memory
//! is free.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::kernel::Refusing;
use super::{
    PATIENCE, Stage, assert_all_ended, assert_explains, probe, start_until_refused, until,
};
use crate::kill_loops::server::now;
use crate::processes;
use crate::robot::{Robot, id};

/// Whatever changes a file that is open already, or makes a new one. What goes to a client or to the
/// log is sent by other calls.
const CHANGES: &str = "pwrite64,pwritev,splice,ftruncate,fallocate,fsync,fdatasync,mkdirat,mkdir";

/// An answer tells that the disk has it: where the disk takes its time, so does the answer.
#[test]
fn a_start_is_answered_once_it_is_on_the_disk() {
    const LATE: Duration = Duration::from_secs(3);
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    ann.run("hello", &json!({}));
    let Some(delaying) = Refusing::delaying(program.pid(), "fsync,fdatasync", LATE) else {
        return;
    };
    let asked = now();
    ann.start("hello", &json!({})).expect(201);
    let took = asked.elapsed();
    drop(delaying);
    assert!(
        took >= LATE,
        "it was promised after {took:?}, before it was on the disk"
    );
}

#[test]
fn a_disk_that_becomes_read_only_refuses_runs_keeps_reading_and_loses_nothing() {
    refuses_runs_keeps_reading_and_loses_nothing("EROFS");
}

#[test]
fn a_disk_that_reports_errors_refuses_runs_keeps_reading_and_loses_nothing() {
    refuses_runs_keeps_reading_and_loses_nothing("EIO");
}

fn refuses_runs_keeps_reading_and_loses_nothing(error: &str) {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let before = ann.run("hello", &json!({}));
    let talker = ann.start("talker", &json!({})).expect(201).json();
    let short = ann.start("short", &json!({})).expect(201).json();
    ann.until_printed(&talker, "20 400 of");
    ann.until_printed(&short, "begun");
    let Some(refusing) = Refusing::calls(program.pid(), CHANGES, error) else {
        return;
    };
    program.until_logged("output cannot be written; the script waits", PATIENCE);
    let (mut accepted, refusal) = start_until_refused(&ann);
    let status = refusal.status;
    assert!([503, 507].contains(&status), "{}", refusal.text());
    assert_explains(refusal, status, &["disk", "Nothing was changed"]);
    until("the probe notices", || probe(&program, "/readyz") == 503);
    assert_eq!(ann.output(&before, "stdout"), b"hello\n");
    ann.get("/api/v1/runs").expect(200);
    let now = ann
        .get(&format!("/api/v1/runs/{}", id(&talker)))
        .expect(200)
        .json();
    assert_eq!(now["state"], "running", "the script waits: {now}");
    // It ends meanwhile; that is written when the disk takes it.
    thread::sleep(Duration::from_secs(3));

    drop(refusing);
    until("the probe recovers", || probe(&program, "/readyz") == 200);
    stage.assert_whole(&ann, &talker);
    accepted.extend([
        short.clone(),
        ann.start("hello", &json!({})).expect(201).json(),
    ]);
    assert_all_ended(&ann, &accepted);
    assert_eq!(ann.output(&short, "stdout"), b"begun\ndone\n");
    let listed = ann.get("/api/v1/runs?limit=200").expect(200).json();
    let listed = listed["items"].as_array().expect("runs").len();
    assert_eq!(listed, accepted.len() + 2);
}

/// The table of open files belongs to the whole system, so all who open one are refused.
#[test]
fn a_system_with_too_many_open_files_lets_connections_and_runs_wait() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let before = ann.run("hello", &json!({}));
    let Some(refusing) = Refusing::calls(program.pid(), "open,openat", "ENFILE") else {
        return;
    };
    ann.get("/api/v1/runs").expect(200);
    let path = format!("/api/v1/runs/{}/output?stream=stdout", id(&before));
    assert_explains(ann.get(&path), 503, &["cannot read its files", "Try again"]);
    let talker = ann.start("talker", &json!({})).expect(201).json();
    program.until_logged("output cannot be written; the script waits", PATIENCE);
    drop(refusing);
    assert_eq!(ann.output(&before, "stdout"), b"hello\n");
    stage.assert_whole(&ann, &talker);

    let refusing = Refusing::calls(program.pid(), "accept,accept4", "ENFILE").expect("as before");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| ann.run("hello", &json!({})));
        program.until_logged("no connection can be accepted; they wait", PATIENCE);
        thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished(), "nobody has answered it");
        drop(refusing);
        assert_eq!(waiting.join().expect("answered")["outcome"], "succeeded");
    });
    assert_eq!(probe(&program, "/readyz"), 200);
}

#[test]
fn a_kernel_without_memory_refuses_runs_and_all_goes_on_when_there_is_some() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let before = ann.run("hello", &json!({}));
    let short = ann.start("short", &json!({})).expect(201).json();
    ann.until_printed(&short, "begun");
    let calls = format!("{CHANGES},open,openat");
    let Some(refusing) = Refusing::calls(program.pid(), &calls, "ENOMEM") else {
        return;
    };
    let (mut accepted, refusal) = start_until_refused(&ann);
    assert_explains(refusal, 503, &["Nothing was changed", "Try again"]);
    let path = format!("/api/v1/runs/{}/output?stream=stdout", id(&before));
    assert_explains(ann.get(&path), 503, &["cannot read its files", "Try again"]);
    ann.get("/api/v1/runs").expect(200);
    assert_eq!(probe(&program, "/healthz"), 200);
    thread::sleep(Duration::from_secs(3));

    drop(refusing);
    until("the probe recovers", || probe(&program, "/readyz") == 200);
    accepted.extend([
        short.clone(),
        ann.start("hello", &json!({})).expect(201).json(),
    ]);
    assert_all_ended(&ann, &accepted);
    assert_eq!(ann.output(&short, "stdout"), b"begun\ndone\n");
}

/// Whoever cannot get the memory for a large request may end of it. What was accepted goes on all the
/// same, and the next server has it.
#[test]
fn a_server_that_gets_no_more_memory_loses_nothing() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let talker = ann.start("talker", &json!({})).expect(201).json();
    ann.until_printed(&talker, "20 400 of");
    let short: Vec<_> = (0..3)
        .map(|_| ann.start("short", &json!({})).expect(201).json())
        .collect();
    let calls = "mmap,mremap,mprotect,brk";
    let Some(refusing) = Refusing::calls(program.pid(), calls, "ENOMEM") else {
        return;
    };
    let large = json!({"none": "x".repeat(900_000)});
    let answers: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| ann.start("hello", &large)))
            .collect();
        // Where the connection breaks, there is no answer.
        asking.into_iter().map(|one| one.join().ok()).collect()
    });
    for answer in answers.iter().flatten() {
        assert!([413, 422, 503].contains(&answer.status), "{answer:?}");
    }
    drop(refusing);
    let program = if answers.iter().all(Option::is_some) {
        program
    } else {
        program.crash_and_restart()
    };
    let bob = Robot::new(&program, "bob", &["admins"]);
    stage.assert_whole(&bob, &talker);
    assert_all_ended(&bob, &short);
    assert_eq!(bob.run("hello", &json!({}))["outcome"], "succeeded");
}

/// The runner makes the pipes of a run before it starts anything.
#[test]
fn a_run_that_gets_no_pipe_was_never_started_and_says_why() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
    let runner = processes::runner(&program.state()).expect("a runner");
    let Some(refusing) = Refusing::calls(runner, "pipe,pipe2", "ENFILE") else {
        return;
    };
    let refused = ann.run("hello", &json!({}));
    assert_eq!(refused["outcome"], "refused", "{refused}");
    let reason = refused["reason"].as_str().expect("a reason");
    assert!(reason.contains("open files"), "{reason}");
    drop(refusing);
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
}
