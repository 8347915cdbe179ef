use super::*;
use crate::Store;
use crate::audit::AuditLog;
use crate::audit::key;
use crate::connection::open_reader;
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::time::Timestamp;

fn lines_of(dir: &Path) -> Lines {
    let key = key::of_old(dir).expect("a key");
    Lines::of(dir, key.chain())
}

#[tokio::test]
async fn a_large_file_is_put_aside_and_few_are_kept_and_all_of_them_are_checked() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path()).expect("opens");
    drop(store);
    let store = Store::open(dir.path()).expect("opens");
    for _ in 0..30 {
        let entry = Entry::new(Act::UserAdded, Origin::server(), Timestamp::default());
        store.record(entry).await.expect("recorded");
    }
    drop(store);
    fs::remove_dir_all(dir.path().join(FOLDER)).expect("removed");
    let db = open_reader(&dir.path().join("stagedoor.db")).expect("opens");
    for last in [3, 7, 12, 18, 25, 30] {
        let mut lines = lines_of(dir.path());
        let mut open = lines.locked().expect("opens");
        let (text, _) = lines_behind(&db, open.last).expect("read");
        let due = usize::try_from(last - open.last).expect("more");
        let some: String = text.split_inclusive('\n').take(due).collect();
        open.file.write_all(some.as_bytes()).expect("written");
        lines.put_away(&open).expect("put aside");
    }
    let names: Vec<Option<i64>> = all(dir.path())
        .expect("read")
        .iter()
        .map(|path| first_by_name(path))
        .collect();
    assert_eq!(names, [Some(8), Some(13), Some(19), Some(26)]);
    assert!(lines_of(dir.path()).catch_up(&db).expect("written"));
    let found = AuditLog::open(dir.path()).expect("opens").verify();
    let found = found.expect("read");
    assert!(found.is_whole() && found.lines == 23, "{found:?}");
}

#[tokio::test]
async fn who_puts_the_file_aside_is_followed_by_who_had_it_open() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path()).expect("opens");
    let entry = || Entry::new(Act::UserAdded, Origin::server(), Timestamp::default());
    store.record(entry()).await.expect("recorded");
    let db = open_reader(&dir.path().join("stagedoor.db")).expect("opens");
    let mut early = lines_of(dir.path());
    assert!(early.catch_up(&db).expect("written"));
    let mut small = Lines {
        largest: 1,
        ..lines_of(dir.path())
    };
    assert!(small.catch_up(&db).expect("put aside"));
    assert!(!current(dir.path()).exists());
    store.record(entry()).await.expect("recorded");
    assert!(early.catch_up(&db).expect("written"));
    assert_eq!(last(dir.path()).expect("read"), 2);
    drop(store);
    let found = AuditLog::open(dir.path()).expect("opens").verify();
    assert!(found.expect("read").is_whole());
}
