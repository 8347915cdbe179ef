//! A disk that is full, then has room again.

use serde_json::{Value, json};

use super::{
    PATIENCE, Stage, assert_all_ended, assert_explains, probe, start_until_refused, until,
};
use crate::person::Person;
use crate::program::Program;
use crate::robot::{PASSWORD, Robot, id};
use crate::small_disk::SmallDisk;

#[test]
fn a_full_disk_refuses_runs_keeps_reading_and_loses_nothing() {
    let stage = Stage::new();
    let Some(disk) = SmallDisk::mount(&stage.home.state(), "24m") else {
        return;
    };
    let mut program = stage.serve();
    let mut person = Person::first(&mut program);
    let ann = Robot::user(&program);
    let before = ann.run("hello", &json!({}));
    let talker = ann.start("talker", &json!({})).expect(201).json();
    let short = ann.start("short", &json!({})).expect(201).json();
    ann.until_printed(&talker, "20 400 of");
    ann.until_printed(&short, "begun");
    assert_eq!(probe(&program, "/readyz"), 200);

    disk.fill();
    program.until_logged("output cannot be written; the script waits", PATIENCE);
    let (mut accepted, refusal) = start_until_refused(&ann);
    assert_explains(refusal, 507, &["full", "Nothing was changed", "room"]);
    until("the probe notices", || probe(&program, "/readyz") == 503);
    assert_eq!(probe(&program, "/healthz"), 200);

    // Reads go on, for programs and for people.
    assert_eq!(ann.output(&before, "stdout"), b"hello\n");
    ann.get("/api/v1/runs").expect(200);
    ann.get("/api/v1/scripts").expect(200);
    let now = ann
        .get(&format!("/api/v1/runs/{}", id(&talker)))
        .expect(200)
        .json();
    assert_eq!(now["state"], "running", "the script waits: {now}");
    person.get("/runs").expect(200);
    person.get("/scripts/hello").expect(200);
    let mut other = Person::stranger(&program);
    let answer = other.sign_in("ann", PASSWORD);
    assert_eq!(answer.status, 507, "{}", answer.text());
    assert!(answer.text().contains("full"), "{}", answer.text());
    // It ends meanwhile; that is written when there is room.
    std::thread::sleep(std::time::Duration::from_secs(3));

    disk.free();
    until("the probe recovers", || probe(&program, "/readyz") == 200);
    stage.assert_whole(&ann, &talker);
    program.until_logged("output is written again", PATIENCE);
    accepted.extend([
        short.clone(),
        ann.start("hello", &json!({})).expect(201).json(),
    ]);
    assert_all_ended(&ann, &accepted);
    assert_eq!(ann.output(&short, "stdout"), b"begun\ndone\n");
    assert_eq!(other.sign_in("ann", PASSWORD).status, 303);
    // No run was made by a request that was refused.
    let listed = ann.get("/api/v1/runs?limit=200").expect(200).json();
    let listed = listed["items"].as_array().expect("runs").len();
    assert_eq!(listed, accepted.len() + 2);
}

/// A server whose disk became full while a script of `ann` talks, and now waits; and that run.
fn fill_under_a_talker(stage: &Stage, disk: &SmallDisk) -> (Program, Robot, Value) {
    let program = stage.serve();
    let ann = Robot::user(&program);
    let talker = ann.start("talker", &json!({})).expect(201).json();
    ann.until_printed(&talker, "20 400 of");
    disk.fill();
    program.until_logged("output cannot be written; the script waits", PATIENCE);
    (program, ann, talker)
}

/// The next server finds what the one that died could not write.
#[test]
fn a_server_that_dies_on_a_full_disk_is_replaced_without_loss() {
    let stage = Stage::new();
    let Some(disk) = SmallDisk::mount(&stage.home.state(), "24m") else {
        return;
    };
    let (program, _, talker) = fill_under_a_talker(&stage, &disk);
    let program = program.crash_and_spoil(|_| disk.free());
    let bob = Robot::new(&program, "bob", &["admins"]);
    stage.assert_whole(&bob, &talker);
}

/// A run can be ended whatever the disk says, and who ended it learns that this is not written yet.
#[test]
fn a_stop_on_a_full_disk_ends_the_run_and_is_written_when_there_is_room() {
    let stage = Stage::new();
    let Some(disk) = SmallDisk::mount(&stage.home.state(), "24m") else {
        return;
    };
    let (_program, ann, talker) = fill_under_a_talker(&stage, &disk);
    let stop = format!("/api/v1/runs/{}/stop", id(&talker));
    let (_, refusal) = start_until_refused(&ann);
    assert_eq!(refusal.status, 507);
    let told = ann.post(&stop, &json!({}));
    assert_explains(told, 503, &["told to end", "cannot be written"]);
    let path = format!("/api/v1/runs/{}", id(&talker));
    let now = ann.get(&path).expect(200).json();
    assert_eq!(now["state"], "stopping", "{now}");
    disk.free();
    let ended = ann.until(&talker, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "cancelled", "{ended}");
    let again = ann.post(&stop, &json!({}));
    assert_eq!(again.status, 409, "{}", again.text());
}
