//! The threads that read, each with a connection of its own: a slow question of one caller does
//! not hold up the others, and none of them holds up the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Stopped, StoreError};

/// Questions that may wait; more are answered with [`StoreError::Busy`].
const LONGEST_QUEUE: usize = 4096;

/// Connections without a thread.
pub(crate) const LOOK_UPS: usize = 2;

type Question = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Question>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that holds the lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Question> {
        let mut queue = self.lock();
        loop {
            if let Some(question) = queue.waiting.pop_front() {
                return Some(question);
            }
            if queue.closed {
                return None;
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The way to the reader threads. When it is dropped, they finish what waits and end.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    /// For [`Readers::here`].
    spare: Vec<Mutex<Connection>>,
}

impl Readers {
    /// Keeps [`LOOK_UPS`] connections for look-ups, and starts one thread for each other.
    pub(crate) fn start(
        mut connections: Vec<Connection>,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let shared = Arc::<Shared>::default();
        let spare = connections.split_off(connections.len().saturating_sub(LOOK_UPS));
        for db in &spare {
            // A thread that serves others does not wait.
            let _ = db.busy_timeout(Duration::ZERO);
        }
        let mut threads = Vec::with_capacity(connections.len());
        // Made before the threads: if one cannot start, dropping it ends the others.
        let readers = Self {
            shared: Arc::clone(&shared),
            spare: spare.into_iter().map(Mutex::new).collect(),
        };
        for db in connections {
            let shared = Arc::clone(&shared);
            threads.push(
                thread::Builder::new()
                    .name("store-reader".to_owned())
                    .spawn(move || {
                        while let Some(question) = shared.next() {
                            question(&db);
                        }
                    })?,
            );
        }
        Ok((readers, threads))
    }

    /// Asks here and now. None when that cannot be without waiting.
    pub(crate) fn here<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Option<Result<T, StoreError>> {
        let db = self.spare.iter().find_map(|db| db.try_lock().ok())?;
        match ask(&db).map_err(StoreError::from) {
            Err(StoreError::Busy) => None,
            answer => Some(answer),
        }
    }

    /// Asks on one of the threads. A question whose caller has gone is not asked.
    pub(crate) async fn read<T, F>(&self, ask: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel::<Result<T, StoreError>>();
        let question: Question = Box::new(move |db| {
            if !reply.is_closed() {
                let _ = reply.send(ask(db).map_err(StoreError::from));
            }
        });
        self.push(question)?;
        answer.await.map_err(|_| StoreError::broken(Stopped))?
    }

    fn push(&self, question: Question) -> Result<(), StoreError> {
        let mut queue = self.shared.lock();
        if queue.waiting.len() >= LONGEST_QUEUE {
            return Err(StoreError::Busy);
        }
        queue.waiting.push_back(question);
        drop(queue);
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers() -> Readers {
        let connections = (0..LOOK_UPS).map(|_| Connection::open_in_memory().expect("opens"));
        Readers::start(connections.collect()).expect("starts").0
    }

    fn one(db: &Connection) -> rusqlite::Result<i64> {
        db.query_row("SELECT 1", [], |row| row.get(0))
    }

    #[test]
    fn a_look_up_is_made_here_while_a_connection_is_free() {
        let readers = readers();
        assert_eq!(readers.here(one).expect("free").expect("asked"), 1);
        let all_but_one: Vec<_> = readers.spare.iter().skip(1).map(|db| db.lock()).collect();
        assert!(readers.here(one).is_some());
        drop(all_but_one);
        let _all: Vec<_> = readers.spare.iter().map(|db| db.lock()).collect();
        assert!(readers.here(one).is_none());
    }

    #[test]
    fn a_look_up_that_would_have_to_wait_is_not_made_here_and_one_that_fails_is() {
        let readers = readers();
        let fails = |code| {
            let error = rusqlite::ffi::Error::new(code);
            readers.here(move |_| Err::<(), _>(rusqlite::Error::SqliteFailure(error, None)))
        };
        assert!(fails(rusqlite::ffi::SQLITE_BUSY).is_none());
        assert!(matches!(fails(rusqlite::ffi::SQLITE_CORRUPT), Some(Err(_))));
    }
}
