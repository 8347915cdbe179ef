//! Old records go from the front of the log, and what is left is still proved.

use std::fs;

use rusqlite::Connection;
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{AuditLog, Fault, LineWrong, Old, Store, Trimmed, Verified};

use crate::world::{World, at, world};

/// A record of this moment.
async fn record(store: &Store, millis: i64) {
    let entry = Entry::new(Act::UserAdded, Origin::command_line(1000), at(millis));
    store.record(entry).await.expect("recorded");
}

/// Nine records, a millisecond after each other.
async fn nine() -> World {
    let world = world();
    for n in 1..=9 {
        record(&world.store, n).await;
    }
    world
}

async fn try_to_trim(store: &Store, before: Timestamp, most: u32) -> Trimmed {
    let settled = at(5000);
    trim_old(store, Old { before, settled }, most).await
}

async fn trim_old(store: &Store, old: Old, most: u32) -> Trimmed {
    let entry = Entry::new(Act::LogTrimmed, Origin::server(), at(100));
    let trimmed = store.trim_audit_log(entry, old, most).await;
    trimmed.expect("answered")
}

async fn trim(store: &Store, before: Timestamp, most: u32) -> usize {
    match try_to_trim(store, before, most).await {
        Trimmed::Removed(removed) => removed,
        other => unreachable!("{other:?}"),
    }
}

fn verified(world: &World) -> Verified {
    let log = AuditLog::open(world.dir.path()).expect("opens");
    log.verify().expect("read")
}

fn sql(world: &World, sql: &str) {
    let db = Connection::open(world.dir.path().join("stagedoor.db")).expect("opens");
    db.execute_batch(sql).expect(sql);
}

#[tokio::test]
async fn w41_what_is_old_goes_and_a_record_says_so_and_the_rest_is_proved() {
    let mut world = nine().await;
    assert_eq!(trim(&world.store, at(1), 99).await, 0, "nothing is older");
    assert_eq!(world.records(), 9, "and nothing is recorded");
    assert_eq!(trim(&world.store, at(5), 99).await, 4);
    record(&world.store, 200).await;
    let found = verified(&world);
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.records, found.start.first, found.end.0), (7, 5, 11));
    world.close();
    let log = AuditLog::open(world.dir.path()).expect("opens");
    let mut told = None;
    let each = log.each(|record| {
        if record.act == "log_trimmed" {
            told = Some(record);
        }
        Ok::<(), ()>(())
    });
    each.expect("read").expect("all");
    let told = told.expect("a record of it");
    assert_eq!((told.seq, told.target.as_str()), (10, "record 4"));
    assert_eq!(
        (&told.detail["removed"], &told.detail["first"]),
        (&4.into(), &5.into())
    );
    let removed = found.start.removed().expect("something was");
    assert_eq!(
        (removed.0, told.detail["before"].as_str()),
        (4, Some(removed.1.as_str()))
    );
}

#[tokio::test]
async fn a_front_that_somebody_cut_off_is_told_from_one_that_was_removed_by_age() {
    for (cut, fault) in [
        ("seq < 4", Fault::Removed(1, 3)),
        ("seq < 10", Fault::Removed(1, 9)),
    ] {
        let world = nine().await;
        sql(&world, &format!("DELETE FROM audit_log WHERE {cut}"));
        record(&world.store, 200).await;
        assert_eq!(verified(&world).record, Some(fault), "{cut}");
    }
    for (cut, fault) in [
        ("seq = 5", Fault::Removed(5, 5)),
        ("seq < 8", Fault::Removed(5, 7)),
        // With the record that says where the log begins.
        ("seq < 8 OR seq = 10", Fault::Removed(1, 7)),
    ] {
        let world = nine().await;
        assert_eq!(trim(&world.store, at(5), 99).await, 4);
        assert!(verified(&world).is_whole());
        sql(&world, &format!("DELETE FROM audit_log WHERE {cut}"));
        assert_eq!(verified(&world).record, Some(fault), "{cut}");
    }
}

#[tokio::test]
async fn nobody_without_the_key_says_that_the_log_begins_later() {
    let world = nine().await;
    assert_eq!(trim(&world.store, at(3), 99).await, 2);
    // As far as the record says; then the record says more.
    sql(
        &world,
        "UPDATE audit_log SET detail = replace(detail, '\"first\":3', '\"first\":6') WHERE seq = 10; \
         DELETE FROM audit_log WHERE seq < 6;",
    );
    let (first, last, by) = (1, 5, 10);
    let fault = Fault::NotTold { first, last, by };
    assert_eq!(verified(&world).record, Some(fault));
}

#[tokio::test]
async fn a_removal_that_was_touched_is_named_and_one_that_was_put_there_begins_no_log() {
    const PUT_THERE: &str = "INSERT INTO audit_log SELECT 12, at, actor, user_id, user_name, number, address, \
         act, target, outcome, detail, prev, hash FROM audit_log WHERE act = 'log_trimmed' LIMIT 1";
    let told = |first, by| {
        let last = 4;
        Some(Fault::NotTold { first, last, by })
    };
    for (touch, fault) in [
        (
            "UPDATE audit_log SET target = 'eve' WHERE seq = 11",
            told(3, 11),
        ),
        (
            "UPDATE audit_log SET target = 'eve' WHERE seq IN (10, 11)",
            told(1, 10),
        ),
        // What cannot be read at all.
        (
            "PRAGMA ignore_check_constraints = 1; UPDATE audit_log SET hash = x'010203' WHERE seq = 11",
            told(3, 11),
        ),
        (
            "UPDATE audit_log SET detail = CAST(x'ff' AS TEXT) WHERE seq = 11",
            told(3, 11),
        ),
        (PUT_THERE, Some(Fault::Moved { at: 12, from: 10 })),
    ] {
        let world = nine().await;
        for (before, removed) in [(3, 2), (5, 2)] {
            assert_eq!(trim(&world.store, at(before), 99).await, removed);
        }
        assert!(verified(&world).is_whole());
        sql(&world, touch);
        let found = verified(&world);
        assert_eq!(found.record, fault, "{touch}");
        if fault == Some(Fault::Moved { at: 12, from: 10 }) {
            assert_eq!(found.start.first, 5);
            continue;
        }
        // And nothing more goes from a log that begins nobody knows where.
        let trimmed = try_to_trim(&world.store, at(8), 99).await;
        assert_eq!(Some(trimmed), fault.map(Trimmed::NotWhole), "{touch}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_and_those_behind_it_have_their_lines() {
    let mut world = nine().await;
    assert!(verified(&world).is_whole());
    sql(
        &world,
        "UPDATE audit_log SET detail = CAST(x'ff' AS TEXT) WHERE seq = 4",
    );
    record(&world.store, 200).await;
    let found = verified(&world);
    assert_eq!(found.record, Some(Fault::Changed(4)));
    let wrong = found.line.map(|fault| fault.what);
    assert_eq!(wrong, Some(LineWrong::Differs(4)));
    world.close();
    // The file is made again from the rows.
    let file = world.dir.path().join("logs/audit.jsonl");
    fs::remove_file(&file).expect("removed");
    let store = Store::open(world.dir.path()).expect("opens");
    drop(store);
    assert_eq!(
        fs::read_to_string(&file).expect("a file").lines().count(),
        9
    );
    sql(
        &world,
        "PRAGMA ignore_check_constraints = 1; \
         UPDATE audit_log SET hash = x'010203' WHERE seq = 4",
    );
    let log = AuditLog::open(world.dir.path()).expect("opens");
    assert_eq!(log.hash_of(4).expect("read"), None);
    assert!(log.hash_of(5).expect("read").is_some());
    let found = verified(&world);
    assert_eq!(found.record, Some(Fault::Changed(4)));
    let wrong = found.line.map(|fault| fault.what);
    assert_eq!(wrong, Some(LineWrong::Missing(4, 4)));
}

#[tokio::test]
async fn records_that_were_removed_do_not_come_back() {
    let world = nine().await;
    let path = world.dir.path().join("stagedoor.db");
    let db = Connection::open(&path).expect("opens");
    db.execute_batch("CREATE TEMP TABLE old AS SELECT * FROM audit_log WHERE seq = 4")
        .expect("copied");
    assert_eq!(trim(&world.store, at(5), 99).await, 4);
    db.execute_batch("INSERT INTO audit_log SELECT * FROM old")
        .expect("put back");
    assert_eq!(verified(&world).record, Some(Fault::Changed(4)));
}

#[tokio::test]
async fn all_may_be_old_and_much_goes_in_steps_that_are_each_proved() {
    let world = nine().await;
    record(&world.store, 2000).await;
    for removed in [4, 4, 1, 0] {
        assert_eq!(trim(&world.store, at(50), 4).await, removed);
        let found = verified(&world);
        assert!(found.is_whole(), "{found:?}");
    }
    let found = verified(&world);
    assert_eq!((found.records, found.start.first, found.end.0), (4, 10, 13));
    record(&world.store, 4000).await;
    // The records of the removals grow old as well.
    assert_eq!(trim(&world.store, at(3000), 99).await, 4);
    let found = verified(&world);
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.records, found.start.first), (2, 14));
}

#[tokio::test]
async fn a_clock_by_which_all_is_old_removes_nothing() {
    let world = nine().await;
    assert_eq!(try_to_trim(&world.store, at(10), 99).await, Trimmed::AllOld);
    // What is written by that clock does not speak for it.
    record(&world.store, 2000).await;
    for (settled, trimmed) in [(2000, Trimmed::AllOld), (2001, Trimmed::Removed(9))] {
        assert_eq!(verified(&world).records, 10, "and nothing is recorded");
        let (before, settled) = (at(10), at(settled));
        let old = Old { before, settled };
        assert_eq!(trim_old(&world.store, old, 99).await, trimmed);
    }
}

#[tokio::test]
async fn removal_ends_at_the_first_record_that_is_not_old() {
    let world = world();
    for millis in [1, 2, 900, 3, 4, 901] {
        record(&world.store, millis).await;
    }
    assert_eq!(trim(&world.store, at(500), 99).await, 2);
    assert_eq!(trim(&world.store, at(500), 99).await, 0);
    assert!(verified(&world).is_whole());
}

#[tokio::test]
async fn what_was_touched_is_not_removed_however_old_it_says_it_is() {
    for (touch, fault) in [
        ("target = 'eve' WHERE seq = 2", Fault::Changed(2)),
        // Not even old; so are those before it, by their own word.
        ("at = 0 WHERE seq BETWEEN 5 AND 9", Fault::Changed(5)),
        ("at = 0", Fault::Changed(1)),
    ] {
        let world = nine().await;
        record(&world.store, 200).await;
        sql(&world, &format!("UPDATE audit_log SET {touch}"));
        let before = world.records();
        let trimmed = try_to_trim(&world.store, at(8), 99).await;
        assert_eq!(trimmed, Trimmed::NotWhole(fault.clone()), "{touch}");
        assert_eq!(world.records(), before, "{touch}");
        assert_eq!(verified(&world).record, Some(fault), "{touch}");
    }
}

#[tokio::test]
async fn files_of_lines_go_when_every_record_in_them_was_removed() {
    let mut world = nine().await;
    let logs = world.dir.path().join("logs");
    let names = || {
        let mut names: Vec<String> = fs::read_dir(&logs)
            .expect("a folder")
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    };
    world.close();
    let aside = "audit-0000000000000001.jsonl";
    for (before, left, lines) in [
        // The file begins with what was removed: it is put aside once.
        (at(5), vec![aside.to_owned()], 10),
        // Still some of its records are there.
        (at(8), vec!["audit.jsonl".to_owned(), aside.to_owned()], 11),
        // None of its records is, and the next file has begun to go.
        (at(1000), vec!["audit-0000000000000011.jsonl".to_owned()], 3),
    ] {
        let store = Store::open(world.dir.path()).expect("opens");
        if before == at(1000) {
            record(&store, 2000).await;
        }
        assert!(trim(&store, before, 99).await > 0);
        drop(store);
        let mut left = left;
        left.sort();
        assert_eq!(names(), left, "{before:?}");
        let found = verified(&world);
        assert!(found.is_whole(), "{found:?}");
        assert_eq!(found.lines, lines);
    }
}
