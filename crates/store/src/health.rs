//! Whether a write can be expected to work: asked often by what watches the server, so it writes
//! nothing as long as all is well.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rustix::fs::StatVfsMountFlags;

use crate::error::StoreError;
use crate::store::Store;

/// Less room than this, and the next transaction may find none.
const LEAST_ROOM: u64 = 256 << 10;

/// What the last write met, and where its disk is.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// None for a store that has no folder.
    dir: Option<PathBuf>,
    is_failing: AtomicBool,
}

impl Health {
    pub(crate) fn of(dir: PathBuf) -> Self {
        Self {
            dir: Some(dir),
            is_failing: AtomicBool::new(false),
        }
    }

    /// To be told how each write ended.
    pub(crate) fn note<T>(&self, result: &Result<T, StoreError>) {
        let is_failing = match result {
            Ok(_) => false,
            Err(StoreError::Full | StoreError::Failing(_)) => true,
            Err(StoreError::Busy | StoreError::Broken(_)) => return,
        };
        // A plain load first: all is well almost always, and then nothing is written to share.
        if self.is_failing.load(Ordering::Relaxed) != is_failing {
            self.is_failing.store(is_failing, Ordering::Relaxed);
        }
    }

    fn has_room(&self) -> bool {
        let Some(disk) = self.dir.as_ref().map(rustix::fs::statvfs) else {
            return true;
        };
        disk.is_ok_and(|disk| {
            let room = disk.f_bavail.saturating_mul(disk.f_frsize);
            // A file system that counts no blocks says nothing.
            let is_full = disk.f_blocks > 0 && room < LEAST_ROOM;
            !is_full && !disk.f_flag.contains(StatVfsMountFlags::RDONLY)
        })
    }
}

impl Store {
    /// Can a run be accepted, as far as the disk goes? Looks at the file system; only after a write
    /// that failed is one tried that changes nothing.
    pub async fn can_write(&self) -> bool {
        let health = self.health();
        if !health.has_room() {
            return false;
        }
        !health.is_failing.load(Ordering::Relaxed) || self.write(write_nothing).await.is_ok()
    }
}

/// Writes a page as it was.
fn write_nothing(db: &Connection) -> rusqlite::Result<()> {
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    db.pragma_update(None, "user_version", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_a_write_that_failed_the_next_probe_tries_one_and_finds_that_all_is_well() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("opens");
        assert!(store.can_write().await);
        store.health().note::<()>(&Err(StoreError::Full));
        assert!(store.health().is_failing.load(Ordering::Relaxed));
        assert!(store.can_write().await);
        assert!(!store.health().is_failing.load(Ordering::Relaxed));
    }

    #[test]
    fn a_refusal_that_has_nothing_to_do_with_the_disk_is_not_its_failure() {
        let health = Health::default();
        health.note::<()>(&Err(StoreError::Busy));
        assert!(!health.is_failing.load(Ordering::Relaxed));
        health.note::<()>(&Err(StoreError::Full));
        assert!(health.is_failing.load(Ordering::Relaxed));
        health.note::<()>(&Ok(()));
        assert!(!health.is_failing.load(Ordering::Relaxed));
    }

    #[test]
    fn a_folder_that_is_gone_has_no_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let health = Health::of(folder.path().to_owned());
        assert!(health.has_room());
        drop(folder);
        assert!(!health.has_room());
    }
}
