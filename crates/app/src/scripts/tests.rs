//! On a runtime of one thread: what blocks it blocks the test.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Condvar, Mutex as Lock};
use std::time::Duration;

use stagedoor_catalog::Options;
use stagedoor_domain::time::{Clock, Timestamp};
use tempfile::TempDir;

use super::*;

/// A reading asks for the time when it is done; it waits there, as it would for a disk, until the
/// test lets one more through.
struct Gate {
    free: Lock<usize>,
    moved: Condvar,
    readings: AtomicUsize,
    is_spoilt: AtomicBool,
}

impl Gate {
    fn let_one_through(&self) {
        *self.free.lock().expect("not poisoned") += 1;
        self.moved.notify_all();
    }

    fn readings(&self) -> usize {
        self.readings.load(Ordering::SeqCst)
    }
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn monotonic(&self) -> Duration {
        self.readings.fetch_add(1, Ordering::SeqCst);
        let free = self.free.lock().expect("not poisoned");
        let wait = Duration::from_secs(20);
        let waited = self.moved.wait_timeout_while(free, wait, |free| *free == 0);
        let mut free = waited.expect("not poisoned").0;
        if self.is_spoilt.swap(false, Ordering::SeqCst) {
            *free -= 1;
            drop(free);
            panic!("this reading breaks");
        }
        *free = free.checked_sub(1).expect("nobody else could do anything");
        Duration::ZERO
    }
}

struct Stage {
    folder: TempDir,
    gate: Arc<Gate>,
    catalog: Catalog,
    rereading: Arc<Rereading>,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "one");
        let gate = Arc::new(Gate {
            free: Lock::new(1),
            moved: Condvar::new(),
            readings: AtomicUsize::new(0),
            is_spoilt: AtomicBool::new(false),
        });
        let options = Options::new(gate.clone());
        let catalog = Catalog::open_path(folder.path(), options).expect("a catalog");
        Self {
            folder,
            gate,
            catalog,
            rereading: Arc::default(),
        }
    }

    /// Asks as a request does.
    fn ask(&self) -> tokio::task::JoinHandle<Arc<Snapshot>> {
        let (rereading, catalog) = (Arc::clone(&self.rereading), self.catalog.clone());
        tokio::spawn(async move { rereading.now(&catalog).await })
    }

    async fn until_readings(&self, number: usize) {
        let so_many = async {
            while self.gate.readings() < number {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), so_many).await;
        waited.expect("so many readings");
    }
}

fn write(folder: &Path, name: &str) {
    let path = folder.join(format!("{name}.stagedoor.toml"));
    std::fs::write(path, "command = ['/bin/true']\n").expect("a definition");
}

#[tokio::test]
async fn a_slow_disk_stops_no_one_else_and_all_who_ask_get_what_changed() {
    let stage = Stage::new();
    assert_eq!(stage.ask().await.expect("an answer").len(), 1);
    write(stage.folder.path(), "two");
    let asking: Vec<_> = (0..50).map(|_| stage.ask()).collect();
    // This goes on while the reading stands still.
    stage.until_readings(2).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(asking.iter().all(|one| !one.is_finished()));
    stage.gate.let_one_through();
    for one in asking {
        assert_eq!(one.await.expect("an answer").len(), 2);
    }
    assert_eq!(stage.gate.readings(), 2, "one reading is for all");
}

#[tokio::test]
async fn who_goes_away_leaves_the_reading_to_the_next() {
    let stage = Stage::new();
    write(stage.folder.path(), "two");
    let gone = stage.ask();
    stage.until_readings(2).await;
    gone.abort();
    assert!(gone.await.is_err());
    let next = stage.ask();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!next.is_finished(), "it waits for the one that reads");
    stage.gate.let_one_through();
    assert_eq!(next.await.expect("an answer").len(), 2);
    assert_eq!(stage.gate.readings(), 2);
}

#[tokio::test]
async fn a_change_during_a_reading_is_seen_by_who_comes_after_it() {
    let stage = Stage::new();
    write(stage.folder.path(), "two");
    let early = stage.ask();
    stage.until_readings(2).await;
    write(stage.folder.path(), "three");
    let late: Vec<_> = (0..50).map(|_| stage.ask()).collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    stage.gate.let_one_through();
    assert_eq!(early.await.expect("an answer").len(), 2);
    stage.until_readings(3).await;
    // Whoever changes files all the time keeps nobody waiting.
    write(stage.folder.path(), "four");
    stage.gate.let_one_through();
    for one in late {
        assert_eq!(one.await.expect("an answer").len(), 3);
    }
    assert_eq!(
        stage.gate.readings(),
        3,
        "one more is for all who came late"
    );
}

#[tokio::test]
async fn a_reading_that_breaks_gives_nobody_what_was_before() {
    let stage = Stage::new();
    write(stage.folder.path(), "two");
    let first = stage.ask();
    stage.until_readings(2).await;
    write(stage.folder.path(), "three");
    let (second, third) = (stage.ask(), stage.ask());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    stage.gate.let_one_through();
    assert_eq!(first.await.expect("an answer").len(), 2);
    stage.until_readings(3).await;
    stage.gate.is_spoilt.store(true, Ordering::SeqCst);
    stage.gate.let_one_through();
    stage.until_readings(4).await;
    stage.gate.let_one_through();
    assert!(second.await.is_err(), "it broke");
    assert_eq!(third.await.expect("an answer").len(), 3);
}
