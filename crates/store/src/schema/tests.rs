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

/// What [`MIGRATIONS`] lead to.
fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("a few")
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
        let path = file.expect("a file").path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
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
fn an_older_schema_is_upgraded_by_a_server_and_by_nobody_beside_one() {
    let (dir, path) = empty();
    let mut db = open_writer(&path).expect("opens");
    migrate(&mut db, &path, &MIGRATIONS[..2]).expect("version 2");
    drop(db);
    let before = std::fs::read(&path).expect("read");

    let error = Store::open_beside(dir.path()).expect_err("older");
    let text = error.to_string();
    assert!(
        text.contains("version 2") && text.contains("`stagedoor serve`"),
        "{text}"
    );
    assert_eq!(std::fs::read(&path).expect("read"), before);
    assert!(!backup_path(&path, 2).exists());

    drop(Store::open(dir.path()).expect("a server upgrades it"));
    drop(Store::open_beside(dir.path()).expect("then it is good for all"));
}

#[test]
fn who_comes_before_the_first_server_makes_the_database() {
    let parent = tempfile::tempdir().expect("a folder");
    drop(Store::open_beside(parent.path()).expect("made"));
    drop(Store::open(parent.path()).expect("opens"));
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
        text.contains("version 99") && text.contains(&format!("up to {}", newest())),
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

/// A database with enough rows for several pages, all of them in the file itself.
fn filled(rows: u32) -> (tempfile::TempDir, PathBuf) {
    let (dir, path) = empty();
    drop(Store::open(dir.path()).expect("opens"));
    let db = open_writer(&path).expect("opens");
    db.execute_batch("CREATE TABLE filler (x TEXT) STRICT")
        .expect("made");
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                INSERT INTO filler SELECT 'a row of some length with the number ' || i FROM n";
    db.execute(fill, [rows]).expect("filled");
    drop(db);
    Store::open(dir.path()).expect("whole, it opens");
    (dir, path)
}

fn refused_and_left_alone(dir: &Path, path: &Path) -> String {
    let before = std::fs::read(path).expect("read");
    let error = Store::open(dir).expect_err("damaged");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(std::fs::read(path).expect("read") == before, "left alone");
    error.to_string()
}

#[test]
fn a_truncated_database_is_refused_and_left_alone_however_large_it_is() {
    for rows in [2_000, 60_000] {
        truncated_is_refused(rows);
    }
}

fn truncated_is_refused(rows: u32) {
    let (dir, path) = filled(rows);
    let length = std::fs::metadata(&path).expect("there").len();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("opens");
    file.set_len(length / 2).expect("cut");
    let said = refused_and_left_alone(dir.path(), &path);
    assert!(
        said.contains("recover") && said.contains("backup"),
        "{said}"
    );
}

#[test]
fn a_database_with_garbage_in_its_middle_is_refused_and_left_alone() {
    use std::os::unix::fs::FileExt;
    let (dir, path) = filled(2_000);
    let length = std::fs::metadata(&path).expect("there").len();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("opens");
    file.write_all_at(&[0x5a; 4096], length - 4096)
        .expect("spoilt");
    refused_and_left_alone(dir.path(), &path);
}

#[test]
fn a_database_whose_first_bytes_are_damaged_is_refused_and_left_alone() {
    use std::os::unix::fs::FileExt;
    let (dir, path) = filled(2_000);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("opens");
    file.write_all_at(&[0x5a; 40], 0).expect("spoilt");
    let before = std::fs::read(&path).expect("read");
    let error = Store::open(dir.path()).expect_err("not a database");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(std::fs::read(&path).expect("read") == before);
}

#[test]
fn a_folder_in_the_place_of_the_database_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("stagedoor.db")).expect("made");
    let said = Store::open(dir.path()).expect_err("a folder").to_string();
    assert!(
        said.contains("stagedoor.db") && said.contains("move it away"),
        "{said}"
    );
}

/// As the first version wrote them.
const RUNS_OF_VERSION_1: &str = "\
    INSERT INTO runs (id, script, user_id, user_name, args, secrets, state, epoch, created_at, request_key) \
    VALUES (x'01936f5e7c0070008000000000000001', 'ops/backup', 7, 'ann', '{\"word\":\"a\"}', x'01', \
        'queued', 0, 1000, zeroblob(32)); \
    INSERT INTO runs (id, script, user_id, user_name, args, state, epoch, outcome, exit_code, created_at, \
        started_at, ended_at) \
    VALUES (x'01936f5e7c0070008000000000000002', 'ops/backup', 7, 'ann', '{}', 'ended', 1, 'succeeded', 0, \
        1000, 1001, 1002);";

#[tokio::test]
async fn a_database_of_version_1_is_upgraded_with_its_runs_and_kept_beside() {
    let (dir, path) = empty();
    let mut db = open_writer(&path).expect("opens");
    migrate(&mut db, &path, &MIGRATIONS[..1]).expect("version 1");
    db.execute_batch(RUNS_OF_VERSION_1).expect("written");
    drop(db);

    let store = Store::open(dir.path()).expect("upgraded");
    let run = store.run_of_request([0; 32]).await.expect("read");
    let run = run.expect("the run of that request");
    assert_eq!(
        (run.request_digest, run.args["word"].as_str()),
        (None, Some("a"))
    );
    let again = crate::RunRecord {
        id: stagedoor_domain::id::RunId::from_bytes([9; 16]),
        request_digest: Some([5; 32]),
        ..run.clone()
    };
    let same = store.insert_run(&again).await.expect("answered");
    let earlier = crate::Inserted::SameRequest {
        run: run.id,
        same_args: true,
    };
    assert_eq!(same, earlier, "what has no digest is compared without");
    assert_eq!(store.unfinished_runs().await.expect("read").len(), 1);
    drop(store);

    let old = Connection::open(backup_path(&path, 1)).expect("a backup");
    let runs: i64 = old
        .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
        .expect("counted");
    assert_eq!((version(&old), runs), (1, 2));
    assert!(old.prepare("SELECT request_digest FROM runs").is_err());
    let new = open_writer(&path).expect("opens");
    assert_eq!(version(&new), newest());
    new.prepare("SELECT request_digest FROM runs")
        .expect("the new column");
}

/// As the second version wrote them: one run of each of these outcomes, and one that goes on.
const RUNS_OF_VERSION_2: &str = "\
    INSERT INTO runs (id, script, user_id, user_name, args, state, epoch, outcome, created_at, ended_at) \
    VALUES (x'01936f5e7c0070008000000000000001', 'ops/backup', 7, 'ann', '{}', 'ended', 1, 'succeeded', 0, 1), \
        (x'01936f5e7c0070008000000000000002', 'ops/backup', 7, 'ann', '{}', 'ended', 1, 'failed', 0, 1), \
        (x'01936f5e7c0070008000000000000003', 'ops/backup', 7, 'ann', '{}', 'ended', 1, 'lost', 0, 1), \
        (x'01936f5e7c0070008000000000000004', 'ops/backup', 7, 'ann', '{}', 'queued', 0, NULL, 0, NULL);";

#[tokio::test]
async fn a_database_of_version_2_is_upgraded_and_each_outcome_is_found_as_before() {
    use stagedoor_domain::run::Outcome;
    let (dir, path) = empty();
    let mut db = open_writer(&path).expect("opens");
    migrate(&mut db, &path, &MIGRATIONS[..2]).expect("version 2");
    db.execute_batch(RUNS_OF_VERSION_2).expect("written");
    drop(db);

    let store = Store::open(dir.path()).expect("upgraded");
    for (outcome, last) in [
        (Outcome::Succeeded, 1),
        (Outcome::Failed, 2),
        (Outcome::Lost, 3),
    ] {
        let filter = crate::RunFilter {
            outcome: Some(outcome),
            ..crate::RunFilter::default()
        };
        let page = store.runs(&filter).await.expect("a page");
        let ids: Vec<u8> = page.items.iter().map(|run| run.id.as_bytes()[15]).collect();
        assert_eq!((ids, page.next), (vec![last], None), "{outcome:?}");
    }
    assert_eq!(store.unfinished_runs().await.expect("read").len(), 1);
    drop(store);

    let indexed = |db: &Connection| {
        let sql = "SELECT count(*) FROM runs INDEXED BY runs_by_outcome \
                   WHERE outcome IS NOT NULL AND outcome <> 'succeeded'";
        db.query_row(sql, [], |row| row.get::<_, i64>(0))
            .expect("counted")
    };
    let new = open_writer(&path).expect("opens");
    assert_eq!((version(&new), indexed(&new)), (newest(), 2));
    let whole: String = new
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(whole, "ok");
    let old = Connection::open(backup_path(&path, 2)).expect("a backup");
    assert_eq!((version(&old), indexed(&old)), (2, 2));
}
