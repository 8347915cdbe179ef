//! Old records go from the front of the log, and what is left is still proved.

use std::fs;

use rusqlite::Connection;
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{AuditLog, Fault, Store, Verified};

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

async fn trim(store: &Store, before: Timestamp, most: u32) -> usize {
    let entry = Entry::new(Act::LogTrimmed, Origin::server(), at(100));
    let trimmed = store.trim_audit_log(entry, before, most).await;
    trimmed.expect("trimmed")
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
    assert_eq!(told.detail.get("not_whole"), None);
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
    assert_eq!(verified(&world).record, Some(Fault::Removed(1, 5)));
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
    for removed in [4, 4, 1, 0] {
        assert_eq!(trim(&world.store, at(50), 4).await, removed);
        let found = verified(&world);
        assert!(found.is_whole(), "{found:?}");
    }
    let found = verified(&world);
    assert_eq!((found.records, found.start.first, found.end.0), (3, 10, 12));
    // The records of the removals grow old as well.
    assert_eq!(trim(&world.store, at(1000), 99).await, 3);
    let found = verified(&world);
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.records, found.start.first), (1, 13));
}

#[tokio::test]
async fn removal_ends_at_the_first_record_that_is_not_old() {
    let world = world();
    for millis in [1, 2, 900, 3, 4] {
        record(&world.store, millis).await;
    }
    assert_eq!(trim(&world.store, at(500), 99).await, 2);
    assert_eq!(trim(&world.store, at(500), 99).await, 0);
    assert!(verified(&world).is_whole());
}

#[tokio::test]
async fn what_was_touched_before_it_was_removed_is_told_for_as_long_as_the_record_stays() {
    let world = nine().await;
    sql(&world, "UPDATE audit_log SET target = 'eve' WHERE seq = 2");
    assert_eq!(verified(&world).record, Some(Fault::Changed(2)));
    assert_eq!(trim(&world.store, at(5), 99).await, 4);
    let log = AuditLog::open(world.dir.path()).expect("opens");
    let mut told = Vec::new();
    let each = log.each(|record| {
        told.extend(record.detail.get("not_whole").cloned());
        Ok::<(), ()>(())
    });
    each.expect("read").expect("all");
    assert_eq!(told, ["record 2 was changed, or put there"]);
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
        (at(1000), vec!["audit-0000000000000011.jsonl".to_owned()], 2),
    ] {
        let store = Store::open(world.dir.path()).expect("opens");
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
