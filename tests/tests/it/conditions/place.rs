//! The state directory: what it is, whose it is, and what it lies on.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::{HELLO, SOON, goes_on, home, refused, says, used};
use crate::program::{Home, Program, as_root};
use crate::robot::Robot;
use crate::small_disk::SmallDisk;

/// `TMPFS_MAGIC` of `linux/magic.h`.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

#[test]
fn a_state_directory_in_memory_works_and_says_that_it_does_not_last() {
    let (home, scripts) = home();
    let Some(_disk) = SmallDisk::mount(&home.state(), "16m") else {
        return;
    };
    let program = Program::serve(Arc::clone(&home), &scripts);
    says(
        &program.log(),
        &["tmpfs", "lost when this machine restarts", "--state"],
    );
    assert_eq!(
        Robot::user(&program).run("hello", &json!({}))["outcome"],
        "succeeded"
    );
}

#[test]
fn a_state_directory_on_a_disk_draws_no_warning() {
    let (home, scripts) = used();
    let kind = rustix::fs::statfs(home.state()).expect("a file system");
    let program = goes_on(&home, &scripts);
    if kind.f_type == TMPFS {
        println!("skipped: temporary files lie in memory here");
        return;
    }
    assert!(!program.log().contains("tmpfs"), "{}", program.log());
}

#[test]
fn a_full_disk_at_the_start_is_named_and_what_is_there_is_kept() {
    let (home, scripts) = home();
    let Some(disk) = SmallDisk::mount(&home.state(), "4m") else {
        return;
    };
    // A first start with no room at all leaves nothing half made behind.
    disk.fill();
    says(
        &refused(&home, &scripts),
        &["full", home.state().to_str().expect("text"), "room"],
    );
    disk.free();
    let program = Program::serve(Arc::clone(&home), &scripts);
    assert_eq!(
        Robot::user(&program).run("hello", &json!({}))["outcome"],
        "succeeded"
    );
    assert_eq!(program.stop(), Some(0));

    disk.fill();
    says(&refused(&home, &scripts), &["full"]);
    disk.free();
    goes_on(&home, &scripts);
}

#[test]
fn a_disk_that_is_mounted_read_only_is_named() {
    let (home, scripts) = home();
    let Some(disk) = SmallDisk::mount(&home.state(), "4m") else {
        return;
    };
    let program = Program::serve(Arc::clone(&home), &scripts);
    assert_eq!(
        Robot::user(&program).run("hello", &json!({}))["outcome"],
        "succeeded"
    );
    assert_eq!(program.stop(), Some(0));
    assert!(disk.remount("ro"), "nobody writes to it");
    says(
        &refused(&home, &scripts),
        &["mounted read-only", "mount it writable"],
    );
    assert!(disk.remount("rw"));
    goes_on(&home, &scripts);
}

#[test]
fn a_state_directory_that_is_a_file_or_a_link_to_nowhere_is_named() {
    let (home, scripts) = home();
    fs::write(home.state(), "mine").expect("written");
    says(&refused(&home, &scripts), &["is not a folder", "--state"]);
    assert_eq!(fs::read_to_string(home.state()).expect("kept"), "mine");
    fs::remove_file(home.state()).expect("removed");
    symlink("/no/such/folder", home.state()).expect("a link");
    says(&refused(&home, &scripts), &["/no/such/folder"]);
}

#[test]
fn a_state_directory_behind_the_operators_own_link_is_used() {
    let (home, scripts) = used();
    let there = home.state().with_extension("moved");
    fs::rename(home.state(), &there).expect("moved");
    symlink(&there, home.state()).expect("a link");
    goes_on(&home, &scripts);
}

#[test]
fn a_state_directory_that_others_may_enter_is_closed_and_that_is_said() {
    let (home, scripts) = used();
    fs::set_permissions(home.state(), Permissions::from_mode(0o777)).expect("chmod");
    let program = goes_on(&home, &scripts);
    says(&program.log(), &["closed it to them", "777"]);
    let mode = fs::metadata(home.state()).expect("there").mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_state_directory_without_write_permission_is_named_with_the_mend() {
    let (home, scripts) = used();
    fs::set_permissions(home.state(), Permissions::from_mode(0o500)).expect("chmod");
    says(
        &refused(&home, &scripts),
        &[
            "may not write",
            "chmod 700",
            home.state().to_str().expect("text"),
        ],
    );
    fs::set_permissions(home.state(), Permissions::from_mode(0o700)).expect("chmod");
    goes_on(&home, &scripts);
}

#[test]
fn w39_a_state_directory_or_a_file_in_it_of_another_account_is_named_with_both() {
    if !as_root() {
        println!("skipped: to give files away needs root");
        return;
    }
    let (home, scripts) = used();
    let state = home.state();
    let owner = fs::metadata(&state).expect("there").uid();
    let give = |path: &Path, uid| std::os::unix::fs::chown(path, Some(uid), None).expect("chown");
    for path in [
        state.clone(),
        state.join("stagedoor.db"),
        state.join("secret.key"),
        state.join("output"),
    ] {
        give(&path, 65534);
        let said = refused(&home, &scripts);
        says(
            &said,
            &[
                "uid 65534",
                &format!("uid {owner}"),
                "chown",
                path.to_str().expect("text"),
            ],
        );
        assert_eq!(
            fs::metadata(&path).expect("there").uid(),
            65534,
            "left as it is"
        );
        give(&path, owner);
    }
    goes_on(&home, &scripts);
}

/// The whole way: a run goes on while no server is there, and somebody spoils its chunk index.
#[test]
fn a_spoilt_index_of_a_live_run_costs_no_byte() {
    let count = HELLO.replace(
        "echo hello",
        "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; echo error $i >&2; sleep 0.01; done",
    );
    let home = Home::new();
    let scripts = home.scripts(&[("count.sh", &count)]);
    let program = Program::serve(Arc::clone(&home), &scripts);
    let ann = Robot::user(&program);
    let run = ann.start("count", &json!({})).expect(201).json();
    ann.until_printed(&run, "line 120");
    let program = program.crash_and_spoil(|state| {
        let index = files_below(&state.join("output"), ".chunks");
        assert_eq!(index.len(), 1, "one live run");
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&index[0])
            .expect("opens");
        file.write_all(&[0xee; 400]).expect("spoilt");
    });
    program.until_logged(
        "the order of output and errors of this run did not fit",
        SOON,
    );
    let bob = Robot::new(&program, "bob", &["admins"]);
    let ended = bob.until(&run, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    for (stream, word) in [("stdout", "line"), ("stderr", "error")] {
        let expected: Vec<_> = (1..=300).map(|i| format!("{word} {i}")).collect();
        let printed = bob.output(&run, stream);
        let printed = String::from_utf8(printed).expect("text");
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    }
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let shelves = fs::read_dir(folder)
        .expect("a folder")
        .filter_map(Result::ok);
    shelves
        .flat_map(|shelf| {
            fs::read_dir(shelf.path())
                .expect("a shelf")
                .filter_map(Result::ok)
        })
        .map(|file| file.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}
