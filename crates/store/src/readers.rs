//! The threads that read, each with a connection of its own: a slow question of one caller does
//! not hold up the others, and none of them holds up the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Stopped, StoreError};

/// Questions that may wait; more are answered with [`StoreError::Busy`].
const LONGEST_QUEUE: usize = 4096;

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
}

impl Readers {
    /// Starts one thread for each connection.
    pub(crate) fn start(
        connections: Vec<Connection>,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let shared = Arc::<Shared>::default();
        let mut threads = Vec::with_capacity(connections.len());
        // Made before the threads: if one cannot start, dropping it ends the others.
        let readers = Self {
            shared: Arc::clone(&shared),
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
