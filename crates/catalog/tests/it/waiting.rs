//! Who may not wait for a disk learns at once whether there is something to wait for.

use std::fs;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use stagedoor_catalog::{Catalog, Options};
use stagedoor_domain::time::{Clock, Timestamp};

use crate::folder::{ScriptFolder, shell};

/// A reading asks for the time when it is done; then it waits until the test lets it go on.
struct Pausing {
    reached: SyncSender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Clock for Pausing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn monotonic(&self) -> Duration {
        self.reached.send(()).expect("the test listens");
        self.go_on
            .lock()
            .expect("not poisoned")
            .recv_timeout(Duration::from_secs(20))
            .expect("the test let it go on");
        Duration::ZERO
    }
}

#[test]
fn while_a_change_is_read_nobody_is_told_that_nothing_changed() {
    let folder = ScriptFolder::with(&[("a.sh", &shell(""))]);
    let ((reached, at_end), (let_go, go_on)) = (sync_channel(8), sync_channel(8));
    let go_on = Mutex::new(go_on);
    let options = Options::new(Arc::new(Pausing { reached, go_on }));
    let_go.send(()).expect("sent");
    let catalog = Catalog::open_path(folder.root(), options).expect("a catalog");
    at_end.recv().expect("opened");
    let before = catalog.unchanged().expect("nothing changed");
    assert_eq!(before.len(), 1);

    folder.write("b.sh", &shell(""));
    assert!(catalog.unchanged().is_none(), "it must be read");
    let reader = thread::spawn({
        let catalog = catalog.clone();
        move || catalog.snapshot()
    });
    at_end.recv().expect("it reads");
    // None of these waits for the reader.
    assert!(catalog.unchanged().is_none(), "it is being read");
    fs::remove_file(folder.path("a.sh")).expect("removed");
    assert!(catalog.unchanged().is_none());
    let_go.send(()).expect("sent");
    assert_eq!(reader.join().expect("read").len(), 2);

    // What changed meanwhile is due again.
    assert!(catalog.unchanged().is_none());
    let_go.send(()).expect("sent");
    let after = catalog.snapshot();
    assert_eq!(after.len(), 1);
    let same = catalog.unchanged().expect("nothing changed");
    assert!(Arc::ptr_eq(&after, &same));
}

#[test]
fn a_name_that_no_definition_can_have_is_no_change() {
    let folder = ScriptFolder::with(&[("a.sh", &shell(""))]);
    let catalog = folder.catalog();
    folder.write(".a.sh.swp", "x");
    assert!(catalog.unchanged().is_some());
    folder.write("b.sh", "x");
    assert!(catalog.unchanged().is_none());
}
