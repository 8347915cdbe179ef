//! The thread that writes the file of lines: after a commit, and aside, so that nobody waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use super::file::Lines;

/// Records that come within this time are written together.
const PAUSE: Duration = Duration::from_millis(50);
/// And after an error one waits so long.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Tells the thread that there is something to write.
#[derive(Default)]
pub(crate) struct Bell {
    /// There are records in the transaction that is not committed yet.
    is_due: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    rung: bool,
    is_over: bool,
}

impl Bell {
    /// A record was added to the transaction.
    pub fn note(&self) {
        self.is_due.store(true, Ordering::Relaxed);
    }

    /// A transaction has ended, on the same thread.
    pub fn after_commit(&self) {
        if self.is_due.swap(false, Ordering::Relaxed) {
            let mut state = self.state();
            if !std::mem::replace(&mut state.rung, true) {
                self.changed.notify_one();
            }
        }
    }

    /// The thread writes what there is and ends.
    pub fn end(&self) {
        self.state().is_over = true;
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is rung, or the end; whether it is the end.
    fn wait(&self) -> bool {
        let idle = |state: &mut State| !state.rung && !state.is_over;
        let mut state = self
            .changed
            .wait_while(self.state(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        state.rung = false;
        state.is_over
    }

    /// Lets others ring for a while, unless it is the end.
    fn pause(&self, time: Duration) {
        let goes_on = |state: &mut State| !state.is_over;
        drop(self.changed.wait_timeout_while(self.state(), time, goes_on));
    }

    /// To be tried again.
    fn ring_again(&self) {
        self.state().rung = true;
    }
}

/// Starts the thread. It begins with what a server that died has left out.
pub(crate) fn start(
    mut lines: Lines,
    db: Connection,
    bell: Arc<Bell>,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("store-audit".to_owned())
        .spawn(move || {
            let mut was_well = true;
            loop {
                was_well = write(&mut lines, &db, &bell, was_well);
                if bell.wait() {
                    write(&mut lines, &db, &bell, was_well);
                    return;
                }
            }
        })
}

/// Writes what is missing; whether the file agrees with the database, which is said once.
fn write(lines: &mut Lines, db: &Connection, bell: &Bell, was_well: bool) -> bool {
    match lines.catch_up(db) {
        Ok(is_well) => {
            if was_well && !is_well {
                tracing::error!(
                    "logs/audit.jsonl tells of records that the database does not have; run: \
                     stagedoor audit-log verify. Nothing is added to the file until it is moved away"
                );
            }
            bell.pause(PAUSE);
            is_well
        }
        Err(error) => {
            tracing::warn!(%error, "could not write logs/audit.jsonl; the records are in the database");
            bell.ring_again();
            bell.pause(AFTER_ERROR);
            was_well
        }
    }
}
