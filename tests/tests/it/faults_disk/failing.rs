//! A disk that refuses writes although it has room.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use serde_json::json;

use super::{
    PATIENCE, Stage, assert_all_ended, assert_explains, probe, start_until_refused, until,
};
use crate::robot::{Robot, id};
use crate::small_disk::SmallDisk;

/// Files that nobody can write to, not even who has them open. The marks go with it.
struct Refusing(Vec<PathBuf>);

impl Refusing {
    /// None, with the reason printed, where the file system or the rights do not allow it.
    fn writes_to(files: Vec<PathBuf>) -> Option<Self> {
        assert!(!files.is_empty(), "something to mark");
        for file in &files {
            if let Err(error) = mark(file, true) {
                println!(
                    "skipped: {} cannot be marked immutable: {error}",
                    file.display()
                );
                return None;
            }
        }
        Some(Self(files))
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = mark(file, false);
        }
    }
}

fn mark(file: &Path, immutable: bool) -> rustix::io::Result<()> {
    let file = File::open(file).expect("there");
    let mut flags = ioctl_getflags(&file)?;
    flags.set(IFlags::IMMUTABLE, immutable);
    ioctl_setflags(&file, flags)
}

#[test]
fn a_database_that_cannot_be_written_refuses_runs_and_recovers() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let short = ann.start("short", &json!({})).expect(201).json();
    ann.until_printed(&short, "begun");
    let files = ["stagedoor.db", "stagedoor.db-wal"].map(|name| program.state().join(name));
    let Some(refusing) = Refusing::writes_to(files.to_vec()) else {
        return;
    };
    let (mut accepted, refusal) = start_until_refused(&ann);
    assert_explains(refusal, 503, &["disk", "Nothing was changed", "Try again"]);
    assert_eq!(probe(&program, "/readyz"), 503);
    ann.get("/api/v1/runs").expect(200);
    // It ends meanwhile, and that is not forgotten.
    std::thread::sleep(std::time::Duration::from_secs(3));

    drop(refusing);
    until("the probe recovers", || probe(&program, "/readyz") == 200);
    accepted.extend([short, ann.start("hello", &json!({})).expect(201).json()]);
    assert_all_ended(&ann, &accepted);
    let listed = ann.get("/api/v1/runs").expect(200).json();
    assert_eq!(
        listed["items"].as_array().expect("runs").len(),
        accepted.len()
    );
}

#[test]
fn a_segment_that_cannot_be_written_lets_its_script_wait_and_loses_no_byte() {
    let stage = Stage::new();
    let program = stage.serve();
    let ann = Robot::user(&program);
    let talker = ann.start("talker", &json!({})).expect(201).json();
    ann.until_printed(&talker, "20 400 of");
    let shelves = fs::read_dir(program.state().join("output")).expect("shelves");
    let files = shelves
        .flat_map(|shelf| fs::read_dir(shelf.expect("a shelf").path()).expect("files"))
        .map(|file| file.expect("a file").path())
        .filter(|path| path.to_string_lossy().contains(id(&talker)));
    let Some(refusing) = Refusing::writes_to(files.collect()) else {
        return;
    };
    program.until_logged("output cannot be written; the script waits", PATIENCE);
    let now = ann
        .get(&format!("/api/v1/runs/{}", id(&talker)))
        .expect(200)
        .json();
    assert_eq!(now["state"], "running", "{now}");
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
    drop(refusing);
    stage.assert_whole(&ann, &talker);
}

/// The kernel stops to write after an error of the disk, whatever is open.
#[test]
fn a_disk_that_fails_refuses_runs_keeps_reading_and_the_next_server_finds_what_was_accepted() {
    let stage = Stage::new();
    let Some(disk) = SmallDisk::image(&stage.home.state()) else {
        return;
    };
    let program = stage.serve();
    let ann = Robot::user(&program);
    let mut accepted: Vec<_> = (0..20).map(|_| ann.run("hello", &json!({}))).collect();
    if !disk.fail() {
        println!("skipped: this kernel does not let a disk fail on demand");
        return;
    }
    let (more, refusal) = start_until_refused(&ann);
    accepted.extend(more);
    let status = refusal.status;
    assert!([503, 507].contains(&status), "{}", refusal.text());
    assert_explains(refusal, status, &["disk", "Nothing was changed"]);
    assert_eq!(probe(&program, "/readyz"), 503);
    let listed = ann.get("/api/v1/runs").expect(200).json();
    assert_eq!(
        listed["items"].as_array().expect("runs").len(),
        accepted.len()
    );

    assert_eq!(program.stop(), Some(0));
    disk.mount_again();
    let program = stage.serve();
    let bob = Robot::new(&program, "bob", &["admins"]);
    assert_all_ended(&bob, &accepted);
    let listed = bob.get("/api/v1/runs").expect(200).json();
    assert_eq!(
        listed["items"].as_array().expect("runs").len(),
        accepted.len()
    );
    assert_eq!(bob.run("hello", &json!({}))["outcome"], "succeeded");
}
