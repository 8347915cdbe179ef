use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::Store;
use crate::connection::{open_writer, prepare_file};

const FIRST: &str = "CREATE TABLE first (x INTEGER) STRICT; INSERT INTO first VALUES (7);";
const SECOND: &str = "ALTER TABLE first ADD COLUMN y INTEGER;";

fn empty() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = prepare_file(dir.path()).expect("a file");
    (dir, path)
}

fn version(db: &Connection) -> u32 {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
        .expect("a version")
}

#[test]
fn an_empty_folder_gets_a_database_that_only_its_owner_can_read() {
    let parent = tempfile::tempdir().expect("a folder");
    let dir = parent.path().join("state");
    let store = Store::open(&dir).expect("opens");
    let mode = |path: &Path| {
        std::fs::metadata(path)
            .expect("exists")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&dir), 0o700);
    for file in std::fs::read_dir(&dir).expect("a folder") {
        assert_eq!(mode(&file.expect("a file").path()), 0o600);
    }
    drop(store);
    Store::open(&dir).expect("opens again");
}

#[test]
fn a_file_that_others_could_read_is_closed_to_them() {
    let (dir, path) = empty();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    Store::open(dir.path()).expect("opens");
    let mode = std::fs::metadata(&path)
        .expect("exists")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_newer_schema_is_refused_with_both_versions_and_left_alone() {
    let (dir, path) = empty();
    drop(Store::open(dir.path()).expect("opens"));
    let db = open_writer(&path).expect("opens");
    db.pragma_update(None, "user_version", 99).expect("set");
    drop(db);
    let before = std::fs::read(&path).expect("read");

    let error = Store::open(dir.path()).expect_err("newer");
    let text = error.to_string();
    assert!(
        text.contains("version 99") && text.contains("up to 1"),
        "{text}"
    );
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let (dir, path) = empty();
    let db = Connection::open(&path).expect("opens");
    db.execute_batch("CREATE TABLE theirs (x)").expect("made");
    drop(db);
    let before = std::fs::read(&path).expect("read");
    let error = Store::open(dir.path()).expect_err("foreign");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read(&path).expect("read"), before);

    std::fs::write(
        &path,
        "a text, and not short enough to be taken for nothing\n".repeat(99),
    )
    .expect("written");
    let error = Store::open(dir.path()).expect_err("no database");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[test]
fn an_upgrade_keeps_the_data_and_a_backup_of_the_older_version() {
    let (_dir, path) = empty();
    let mut db = open_writer(&path).expect("opens");
    migrate(&mut db, &path, &[FIRST]).expect("first");
    assert!(!backup_path(&path, 0).exists(), "nothing to back up");
    migrate(&mut db, &path, &[FIRST, SECOND]).expect("second");

    let row = |db: &Connection, sql| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    assert_eq!(version(&db), 2);
    assert_eq!(row(&db, "SELECT x FROM first"), Ok(Some(7)));
    assert_eq!(row(&db, "SELECT y FROM first"), Ok(None));

    let backup = backup_path(&path, 1);
    let mode = std::fs::metadata(&backup)
        .expect("a backup")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let old = Connection::open(&backup).expect("opens");
    assert_eq!(version(&old), 1);
    assert_eq!(row(&old, "SELECT x FROM first"), Ok(Some(7)));
    assert!(row(&old, "SELECT y FROM first").is_err());
}

#[test]
fn a_migration_that_fails_changes_nothing_and_can_be_tried_again() {
    let (_dir, path) = empty();
    let mut db = open_writer(&path).expect("opens");
    migrate(&mut db, &path, &[FIRST]).expect("first");
    let broken = "ALTER TABLE first ADD COLUMN y INTEGER; SELECT * FROM nowhere;";
    migrate(&mut db, &path, &[FIRST, broken]).expect_err("broken");
    assert_eq!(version(&db), 1);
    assert!(db.prepare("SELECT y FROM first").is_err());
    migrate(&mut db, &path, &[FIRST, SECOND]).expect("mended");
    assert_eq!(version(&db), 2);
}
