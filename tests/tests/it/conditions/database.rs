//! A database that is damaged, cut, emptied, newer, not ours, or not to be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use super::{goes_on, refused, says, used};

/// Spoils a copy of the database, sees that the start refuses it and leaves it alone, puts it back.
fn spoilt(spoil: impl Fn(&Path), parts: &[&str]) {
    let (home, scripts) = used();
    let path = home.state().join("stagedoor.db");
    let good = fs::read(&path).expect("the database");
    spoil(&path);
    let bad = fs::read(&path).expect("the database");
    assert!(bad != good, "it is spoilt");
    let said = refused(&home, &scripts);
    says(&said, parts);
    says(&said, &[path.to_str().expect("text")]);
    assert!(
        fs::read(&path).expect("the database") == bad,
        "left as it is"
    );
    // In its place, so that owner and mode stay.
    let file = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .expect("opens");
    file.write_all_at(&good, 0).expect("restored");
    goes_on(&home, &scripts);
}

fn write_at(path: &Path, bytes: &[u8], at: u64) {
    let file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("opens");
    file.write_all_at(bytes, at).expect("written");
}

#[test]
fn a_damaged_database_is_refused_with_how_to_save_it() {
    spoilt(
        |path| write_at(path, &[0x5a; 3000], 4096),
        &["damaged", "backup", "recover"],
    );
}

#[test]
fn a_truncated_database_is_refused_with_how_to_save_it() {
    let cut = |path: &Path| {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(path)
            .expect("opens");
        file.set_len(3 * 4096).expect("cut");
    };
    spoilt(cut, &["damaged", "backup", "recover"]);
}

#[test]
fn an_emptied_database_is_not_taken_for_a_new_one() {
    let empty = |path: &Path| {
        fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(path)
            .expect("emptied");
    };
    spoilt(empty, &["is empty", "backup"]);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    spoilt(
        |path| write_at(path, &[b'x'; 200], 0),
        &["not a Stagedoor database", "backup"],
    );
}

/// The schema's version stands at offset 60 of the file (`SQLite`'s file format, section 1.3).
#[test]
fn a_database_of_a_newer_version_is_refused_with_both_versions() {
    spoilt(
        |path| write_at(path, &99_u32.to_be_bytes(), 60),
        &["version 99", "newer Stagedoor"],
    );
}

/// Whose database it is stands at offset 68.
#[test]
fn a_database_of_another_program_is_refused() {
    spoilt(
        |path| write_at(path, b"FTS!", 68),
        &["not a Stagedoor database", "another state directory"],
    );
}

#[test]
fn a_database_that_may_not_be_written_is_named_with_the_mend() {
    let (home, scripts) = used();
    let path = home.state().join("stagedoor.db");
    fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("chmod");
    says(&refused(&home, &scripts), &["stagedoor.db", "mode 600"]);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
    goes_on(&home, &scripts);
}
