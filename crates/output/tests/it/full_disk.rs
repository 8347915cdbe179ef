//! A disk that is full when an attempt ends: its end is told once all of it is written.

use std::fs;
use std::io::Write;
use std::time::Duration;

use stagedoor_output::{Selection, Stream};
use zeroize::Zeroizing;

use crate::shop::{EPOCH, NO_CAP, Shop, command, run, texts, wait_until};

/// A tmpfs of 1 MiB to work in; gone with the test. None, with the reason printed, without root.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = command("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "stagedoor-test"]);
        let is_done = |status: std::process::ExitStatus| status.success();
        if mount.arg(folder.path()).status().is_ok_and(is_done) {
            return Some(Self(folder));
        }
        println!("skipped: mounting a small tmpfs needs root");
        None
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.path().join("filler")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.0.path().join("filler")).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = command("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn the_order_of_both_streams_survives_a_disk_that_is_full_at_the_end() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut shop = Shop::open_in(tempfile::tempdir_in(disk.0.path()).expect("a folder"));
    let (mut out, mut err) = shop.pipes(run(1), NO_CAP);
    let view = shop.view(run(1));
    out.write_all(b"one\n").expect("written");
    wait_until(|| view.size(Stream::Stdout) == 4);
    err.write_all(b"error\n").expect("written");
    wait_until(|| view.size(Stream::Stderr) == 6);
    out.write_all(b"two\n").expect("written");
    wait_until(|| view.size(Stream::Stdout) == 8);
    disk.fill();
    drop((out, err));
    // Nothing can come: the index has no room.
    std::thread::sleep(Duration::from_millis(300));
    let has_index = shop
        .path(run(1), "chunks")
        .metadata()
        .is_ok_and(|index| index.len() > 0);
    if !has_index {
        assert!(shop.events.try_recv().is_err(), "told before it is written");
    }
    disk.free();
    assert_eq!(shop.closed(), (8, 6));
    let lines = ["one", "error", "two"];
    assert_eq!(texts(&shop.view(run(1)), Selection::Both), lines);
}

#[test]
fn on_a_full_disk_a_secret_is_masked_later_and_nothing_is_half_done() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut shop = Shop::open_in(tempfile::tempdir_in(disk.0.path()).expect("a folder"));
    let values = [Zeroizing::new(b"hunter2-violet".to_vec())];
    shop.outputs.hide(run(1), &[], &values);
    let printed = "it is hunter2-violet\n".repeat(3_000);
    let masked = "it is **************\n".repeat(3_000);
    shop.print(run(1), &[(Stream::Stdout, printed.as_bytes())]);
    disk.fill();
    shop.outputs
        .mask(run(1), EPOCH)
        .expect_err("no room to note");
    assert!(shop.segment(run(1), "out") == printed.as_bytes());
    let view = shop.view(run(1));
    let seen = view.read(Stream::Stdout, 0..u64::MAX).expect("read");
    assert!(seen == masked.as_bytes());
    disk.free();
    shop.outputs.mask(run(1), EPOCH).expect("masked");
    assert!(shop.segment(run(1), "out") == masked.as_bytes());
}
