//! A disk that is full: the store says so, loses nothing, and goes on when there is room.

use std::path::Path;
use std::process::Command;

use stagedoor_domain::audit::Act;
use stagedoor_domain::id::UserId;
use stagedoor_store::{AddUserError, AuditLog, RunRecord, Store, StoreError};

use crate::audit::by_uid;
use crate::world::{at, new_user, queued};

/// A file system of 1 MiB; gone with the test.
struct SmallDisk(tempfile::TempDir);

#[expect(clippy::disallowed_methods, reason = "mounts the small disk")]
fn mount(program: &str, args: &[&str], at: &Path) -> bool {
    Command::new(program)
        .args(args)
        .arg(at)
        .status()
        .is_ok_and(|status| status.success())
}

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let args = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "stagedoor-test"];
        mount("mount", &args, folder.path()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        mount("umount", &["-l"], self.0.path());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_new_runs_keeps_the_old_ones_and_recovers() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let store = Store::open(disk.0.path()).expect("opens");
    let large = |n: i64| {
        let mut run: RunRecord = queued("backup", UserId(1), at(n));
        run.args.insert("text".into(), "x".repeat(20_000).into());
        run
    };
    let filler = disk.0.path().join("filler");
    std::fs::write(&filler, vec![0; 400 << 10]).expect("room for the filler");

    let mut kept = Vec::new();
    let refused = loop {
        let run = large(i64::try_from(kept.len()).expect("few"));
        match store.insert_run(&run).await {
            Ok(_) => kept.push(run),
            Err(error) => break error,
        }
        assert!(kept.len() < 100, "1 MiB cannot hold that");
    };
    assert!(matches!(refused, StoreError::Full), "{refused:?}");
    for run in &kept {
        assert_eq!(
            store.run(run.id).await.expect("reads go on").as_ref(),
            Some(run)
        );
    }

    std::fs::remove_file(&filler).expect("room again");
    let run = large(1000);
    store.insert_run(&run).await.expect("room again");
    assert!(!kept.is_empty());
    drop(store);
    let store = Store::open(disk.0.path()).expect("opens again");
    assert_eq!(store.run(run.id).await.expect("read"), Some(run));
}

#[tokio::test]
async fn v16_an_act_on_a_full_disk_is_refused_with_its_record_and_with_room_both_are_there() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let store = Store::open(disk.0.path()).expect("opens");
    let filler = disk.0.path().join("filler");
    std::fs::write(&filler, vec![0; 300 << 10]).expect("room for the filler");
    let add = async |name: String| {
        let entry = by_uid(Act::UserAdded).on(name.as_str());
        let store = store.recorded(entry.with("why", "x".repeat(1000)));
        store.add_user(new_user(&name, &[]), at(0)).await
    };
    let mut made = 0;
    let refused = loop {
        match add(format!("user{made}")).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 1000, "1 MiB cannot hold that");
    };
    assert!(
        matches!(refused, AddUserError::Store(StoreError::Full)),
        "{refused:?}"
    );
    assert_eq!(store.count_users().await.expect("reads go on"), made);
    std::fs::remove_file(&filler).expect("room again");
    add("late".to_owned()).await.expect("room again");
    drop(store);
    let found = AuditLog::open(disk.0.path()).expect("opens").verify();
    let found = found.expect("read");
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.records, found.lines), (made + 1, made + 1));
}
