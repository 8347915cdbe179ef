//! A disk that is full: the store says so, loses nothing, and goes on when there is room.

use std::path::Path;
use std::process::Command;

use stagedoor_domain::id::UserId;
use stagedoor_store::{RunRecord, Store, StoreError};

use crate::world::{at, queued};

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
