//! A disk of a few MiB that a test can fill and free.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::as_root;

/// A tmpfs of its own; gone with the test.
pub struct SmallDisk {
    at: PathBuf,
}

#[expect(clippy::disallowed_methods, reason = "mounts the small disk")]
fn done(program: &str, words: &[&str], at: &Path) -> bool {
    let status = Command::new(program).args(words).arg(at).status();
    status.is_ok_and(|status| status.success())
}

/// Who the server becomes when root starts it.
fn server_uid() -> String {
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = accounts.lines().find(|line| line.starts_with("stagedoor:"));
    let uid = named.and_then(|line| line.split(':').nth(2));
    uid.unwrap_or("7373").to_owned()
}

impl SmallDisk {
    /// Mounts one that belongs to the server's account; none, with the reason printed, where that is
    /// not possible.
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        if !as_root() {
            println!("skipped: mounting a small disk needs root");
            return None;
        }
        fs::create_dir_all(at).expect("a place to mount at");
        let options = format!("size={size},mode=0700,uid={}", server_uid());
        let words = ["-t", "tmpfs", "-o", &options, "stagedoor-test"];
        if !done("mount", &words, at) {
            println!("skipped: this machine lets nobody mount a tmpfs");
            return None;
        }
        Some(Self { at: at.to_owned() })
    }

    /// The same as an ext4 in a file beside that place, so that it can fail and be mounted again.
    pub fn image(at: &Path) -> Option<Self> {
        if !as_root() {
            println!("skipped: mounting a disk needs root");
            return None;
        }
        fs::create_dir_all(at).expect("a place to mount at");
        let image = at.with_extension("image");
        let file = fs::File::create(&image).expect("a file");
        file.set_len(32 << 20).expect("a sparse file");
        let disk = Self { at: at.to_owned() };
        let owner = format!("root_owner={0}:{0}", server_uid());
        if !done("mkfs.ext4", &["-q", "-F", "-E", &owner], &image) || !disk.mount_image() {
            println!("skipped: this machine cannot mount an ext4 in a file");
            return None;
        }
        fs::remove_dir(at.join("lost+found")).expect("nothing was lost yet");
        Some(disk)
    }

    fn mount_image(&self) -> bool {
        let image = self.at.with_extension("image");
        let words = ["-o", "loop", image.to_str().expect("text")];
        done("mount", &words, &self.at)
    }

    /// As after an error of the disk: the kernel writes nothing to it any more.
    pub fn fail(&self) -> bool {
        self.remount("abort")
    }

    /// The machine was restarted, and the disk is mended. Waits until nobody uses it: a view that the runner of
    /// another test made meanwhile holds this mount, too, and with it what failed.
    pub fn mount_again(&self) {
        for _ in 0..200 {
            if done("umount", &["-q"], &self.at) {
                assert!(self.mount_image(), "it can be mounted again");
                if self.is_writable() {
                    return;
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("somebody still uses {}", self.at.display());
    }

    fn is_writable(&self) -> bool {
        let probe = self.at.join("probe");
        fs::write(&probe, "").is_ok_and(|()| fs::remove_file(&probe).is_ok())
    }

    /// Writes a file until nothing more fits.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.at.join("filler")).expect("a file");
        while file.write_all(&[b'x'; 4096]).is_ok() {}
    }

    /// Removes what [`SmallDisk::fill`] wrote.
    pub fn free(&self) {
        fs::remove_file(self.at.join("filler")).expect("the filler");
    }

    /// `ro` or `rw`; whether the kernel did it.
    pub fn remount(&self, how: &str) -> bool {
        done("mount", &["-o", &format!("remount,{how}")], &self.at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        done("umount", &["-l"], &self.at);
    }
}
