//! Whatever is done to the log behind our back is found, and the first record of it is named.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rusqlite::Connection;
use stagedoor_domain::audit::Act;
use stagedoor_store::{AuditLog, Fault, LineWrong, Verified};

use crate::audit::by_uid;
use crate::world::{World, world};

/// A log of nine records that nobody writes to any more.
struct Log(World);

async fn log() -> Log {
    let mut world = world();
    for n in 0..9 {
        let entry = by_uid(Act::UserAdded).on(format!("user {n}"));
        world.store.record(entry).await.expect("recorded");
    }
    world.close();
    Log(world)
}

impl Log {
    fn file(&self) -> PathBuf {
        self.0.dir.path().join("logs/audit.jsonl")
    }

    fn sql(&self, sql: &str) {
        let db = Connection::open(self.0.dir.path().join("stagedoor.db")).expect("opens");
        db.execute_batch(sql).expect(sql);
    }

    fn edit(&self, change: impl FnOnce(Vec<&str>) -> Vec<&str>) {
        let text = fs::read_to_string(self.file()).expect("a file");
        let lines = change(text.split_inclusive('\n').collect());
        fs::write(self.file(), lines.concat()).expect("written");
    }

    fn verified(&self) -> Verified {
        let log = AuditLog::open(self.0.dir.path()).expect("opens");
        log.verify().expect("read")
    }

    fn fault(&self) -> Option<Fault> {
        self.verified().record
    }

    fn wrong(&self) -> Option<(u64, LineWrong)> {
        let fault = self.verified().line?;
        Some((fault.line, fault.what))
    }
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_whole_to_its_end() {
    let log = log().await;
    let found = log.verified();
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.records, found.lines, found.end.0), (9, 9, 9));
    assert_eq!(found.end.1.len(), 64);
}

#[tokio::test]
async fn a_log_without_a_record_is_whole() {
    let mut world = world();
    world.close();
    let found = AuditLog::open(world.dir.path()).expect("opens").verify();
    let found = found.expect("read");
    assert!(found.is_whole(), "{found:?}");
}

#[tokio::test]
async fn a_record_of_which_anything_was_changed_is_named() {
    for change in [
        "at = at + 1",
        "actor = 'server'",
        "user_name = 'ann'",
        "user_id = 0",
        "number = 0",
        "address = '127.0.0.1'",
        "act = 'user_removed'",
        "target = target || ' '",
        "outcome = 'refused'",
        "detail = '{ }'",
        "prev = zeroblob(32)",
        "hash = zeroblob(32)",
    ] {
        let log = log().await;
        log.sql(&format!("UPDATE audit_log SET {change} WHERE seq = 4"));
        assert_eq!(log.fault(), Some(Fault::Changed(4)), "{change}");
    }
}

#[tokio::test]
async fn records_that_were_removed_are_named_wherever_they_stood() {
    for (gone, fault) in [
        ("seq = 1", Fault::Removed(1, 1)),
        ("seq = 4", Fault::Removed(4, 4)),
        ("seq IN (4, 5, 8)", Fault::Removed(4, 5)),
        ("seq = 9", Fault::CutOff(9, 9)),
        ("seq > 6", Fault::CutOff(7, 9)),
        ("seq > 0", Fault::CutOff(1, 9)),
    ] {
        let log = log().await;
        log.sql(&format!("DELETE FROM audit_log WHERE {gone}"));
        assert_eq!(log.fault(), Some(fault), "{gone}");
    }
}

#[tokio::test]
async fn a_record_that_was_removed_is_found_though_the_others_closed_ranks() {
    let log = log().await;
    log.sql(
        "DELETE FROM audit_log WHERE seq = 4; UPDATE audit_log SET seq = seq - 1 WHERE seq > 4",
    );
    assert_eq!(log.fault(), Some(Fault::Moved { at: 4, from: 5 }));
}

#[tokio::test]
async fn of_two_records_that_changed_places_the_first_is_named_with_where_it_was() {
    for (a, b) in [(3, 7), (3, 4), (1, 9)] {
        let log = log().await;
        log.sql(&format!(
            "UPDATE audit_log SET seq = -1 WHERE seq = {a}; \
             UPDATE audit_log SET seq = {a} WHERE seq = {b}; \
             UPDATE audit_log SET seq = {b} WHERE seq = -1;"
        ));
        assert_eq!(
            log.fault(),
            Some(Fault::Moved { at: a, from: b }),
            "{a} {b}"
        );
    }
}

const COPY: &str = "INSERT INTO audit_log SELECT 5, at, actor, user_id, user_name, number, address, \
    act, 'forged', outcome, detail, prev, hash FROM audit_log WHERE seq = 4";

#[tokio::test]
async fn a_record_that_was_put_between_others_is_named() {
    let log = log().await;
    log.sql(&format!(
        "UPDATE audit_log SET seq = seq + 101 WHERE seq > 4; \
         UPDATE audit_log SET seq = seq - 100 WHERE seq > 100; {COPY}"
    ));
    assert_eq!(log.fault(), Some(Fault::Changed(5)));
}

#[tokio::test]
async fn a_record_that_was_put_at_the_end_is_named() {
    let log = log().await;
    log.sql(&COPY.replace("SELECT 5", "SELECT 10"));
    assert_eq!(log.fault(), Some(Fault::Changed(10)));
}

#[tokio::test]
async fn the_end_cannot_be_set_back_without_the_key() {
    let cut = "DELETE FROM audit_log WHERE seq > 6; UPDATE audit_head SET seq = 6, \
               hash = (SELECT hash FROM audit_log WHERE seq = 6)";
    let log = log().await;
    log.sql(cut);
    assert_eq!(log.fault(), Some(Fault::NoEnd));
    log.sql("DELETE FROM audit_head");
    assert_eq!(log.fault(), Some(Fault::NoEnd));
    // The file remembers too.
    assert_eq!(log.wrong(), Some((7, LineWrong::NotInDatabase(7))));
}

#[tokio::test]
async fn who_sets_everything_back_to_an_earlier_end_is_told_by_the_file() {
    let log = log().await;
    let earlier = tempfile::tempdir().expect("a folder");
    for name in ["stagedoor.db", "audit.key"] {
        fs::copy(log.0.dir.path().join(name), earlier.path().join(name)).expect("copied");
    }
    let store = stagedoor_store::Store::open(log.0.dir.path()).expect("opens");
    let entry = by_uid(Act::UserDisabled);
    store.record(entry).await.expect("recorded");
    drop(store);
    assert!(log.verified().is_whole());
    fs::copy(
        earlier.path().join("stagedoor.db"),
        log.0.dir.path().join("stagedoor.db"),
    )
    .expect("copied");
    assert_eq!(log.fault(), None, "it is a log of ours, only an old one");
    assert_eq!(log.wrong(), Some((10, LineWrong::NotInDatabase(10))));
}

#[tokio::test]
async fn a_line_that_was_edited_is_named_with_its_record() {
    let log = log().await;
    let text = fs::read_to_string(log.file()).expect("a file");
    fs::write(log.file(), text.replace("user 3", "user 4")).expect("written");
    assert_eq!(log.wrong(), Some((4, LineWrong::Differs(4))));
    assert_eq!(log.fault(), None, "the rows are as they were");
    fs::write(log.file(), text).expect("written back");
    assert!(log.verified().is_whole());
}

#[tokio::test]
async fn lines_that_are_gone_doubled_moved_or_no_records_are_named() {
    type Change = fn(&mut Vec<&str>);
    let changes: [(Change, (u64, LineWrong)); 6] = [
        (
            |lines| drop(lines.drain(3..4)),
            (4, LineWrong::Missing(4, 4)),
        ),
        (
            |lines| drop(lines.drain(..2)),
            (1, LineWrong::Missing(1, 2)),
        ),
        (|lines| lines.truncate(7), (8, LineWrong::Missing(8, 9))),
        (
            |lines| lines.insert(3, lines[2]),
            (4, LineWrong::OutOfPlace(3)),
        ),
        (|lines| lines.swap(3, 4), (4, LineWrong::Missing(4, 4))),
        (|lines| lines.insert(3, "oops\n"), (4, LineWrong::NoRecord)),
    ];
    for (change, wrong) in changes {
        let log = log().await;
        log.edit(|mut lines| {
            change(&mut lines);
            lines
        });
        assert_eq!(log.wrong(), Some(wrong));
        assert_eq!(log.fault(), None, "the rows are as they were");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_missed() {
    let log = log().await;
    fs::remove_file(log.file()).expect("removed");
    assert_eq!(log.wrong(), Some((1, LineWrong::Missing(1, 9))));
}

#[tokio::test]
async fn another_key_makes_every_record_a_stranger() {
    let log = log().await;
    let key = log.0.dir.path().join("audit.key");
    fs::remove_file(&key).expect("removed");
    let lost = AuditLog::open(log.0.dir.path()).expect_err("no key");
    assert!(
        lost.to_string().contains("restore it from a backup"),
        "{lost}"
    );
    let refused = stagedoor_store::Store::open(log.0.dir.path()).expect_err("no key");
    assert!(refused.to_string().contains("audit.key"), "{refused}");
    fs::write(&key, [7; 32]).expect("written");
    let open = AuditLog::open(log.0.dir.path()).expect_err("others may read it");
    assert!(open.to_string().contains("chmod 400"), "{open}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("chmod");
    assert_eq!(log.fault(), Some(Fault::Changed(1)));
}

const EMPTIED: &str = "DELETE FROM audit_log; UPDATE audit_head SET seq = 0, hash = zeroblob(32), \
    mark = zeroblob(0);";

#[tokio::test]
async fn w41_a_log_that_was_emptied_is_told_from_one_that_was_never_written() {
    let rows = "DELETE FROM audit_log";
    let none = "DELETE FROM audit_log; DELETE FROM audit_head";
    for (change, with_file, fault) in [
        (rows, false, Fault::CutOff(1, 9)),
        (rows, true, Fault::CutOff(1, 9)),
        (EMPTIED, false, Fault::NoEnd),
        (EMPTIED, true, Fault::NoEnd),
        (none, true, Fault::NoEnd),
    ] {
        let log = log().await;
        log.sql(change);
        if with_file {
            fs::remove_dir_all(log.0.dir.path().join("logs")).expect("removed");
        }
        assert_eq!(log.fault(), Some(fault), "{change} {with_file}");
    }
}

#[tokio::test]
async fn w41_nothing_is_begun_anew_behind_a_log_that_was_emptied() {
    let log = log().await;
    log.sql(EMPTIED);
    fs::remove_dir_all(log.0.dir.path().join("logs")).expect("removed");
    // A server that goes on, and one that is started again.
    for n in 0..2 {
        let store = stagedoor_store::Store::open(log.0.dir.path()).expect("opens");
        for _ in 0..2 {
            let entry = by_uid(Act::UserDisabled);
            store.record(entry).await.expect("recorded");
        }
        drop(store);
        assert_eq!(log.fault(), Some(Fault::DoesNotFollow(1)), "{n}");
    }
}

#[tokio::test]
async fn w41_an_end_that_was_set_back_is_not_gone_on_from_unseen() {
    let log = log().await;
    log.sql(
        "DELETE FROM audit_log WHERE seq > 6; UPDATE audit_head SET seq = 6, \
         hash = (SELECT hash FROM audit_log WHERE seq = 6)",
    );
    fs::remove_dir_all(log.0.dir.path().join("logs")).expect("removed");
    let store = stagedoor_store::Store::open(log.0.dir.path()).expect("opens");
    let entry = by_uid(Act::UserDisabled);
    store.record(entry).await.expect("recorded");
    drop(store);
    assert_eq!(log.fault(), Some(Fault::DoesNotFollow(7)));
}

/// As the version before left a state directory: the key alone in its file, an empty log without mark.
fn of_before(log: &Log) {
    let key = log.0.dir.path().join("audit.key");
    let bytes = fs::read(&key).expect("a key");
    fs::remove_file(&key).expect("removed");
    fs::write(&key, bytes.get(..32).expect("a key")).expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("chmod");
}

#[tokio::test]
async fn a_state_directory_of_the_version_before_goes_on_and_is_no_way_around() {
    let open = |log: &Log| stagedoor_store::Store::open(log.0.dir.path()).expect("opens");
    // Without a record yet.
    let mut world = world();
    world.close();
    let log = Log(world);
    log.sql("UPDATE audit_head SET mark = zeroblob(0)");
    of_before(&log);
    assert!(log.verified().is_whole(), "as it was");
    let store = open(&log);
    assert!(log.verified().is_whole());
    store
        .record(by_uid(Act::UserAdded))
        .await
        .expect("recorded");
    drop(store);
    assert!(log.verified().is_whole());
    log.sql(EMPTIED);
    fs::remove_dir_all(log.0.dir.path().join("logs")).expect("removed");
    assert_eq!(log.fault(), Some(Fault::NoEnd));
    drop(open(&log));
    assert_eq!(log.fault(), Some(Fault::NoEnd), "opening it mends nothing");

    // With records.
    let log = self::log().await;
    of_before(&log);
    assert!(log.verified().is_whole());
    drop(open(&log));
    assert!(log.verified().is_whole());
    log.sql(EMPTIED);
    drop(open(&log));
    assert_eq!(log.fault(), Some(Fault::NoEnd));
}
