//! The live tail: the last lines of an attempt, made once for all who watch it.
//!
//! One thread makes them in rounds. A round after quiet begins at once, and rounds are at
//! least [`PAUSE`] apart; what comes meanwhile is in the next one, so the last state
//! always arrives. Nothing is made while nobody watches.

use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, mem};
use tokio::sync::watch;

use crate::line::Line;
use crate::live::{Attempt, Hub, lock};
use crate::view::View;

/// Lines in a tail at most.
pub const TAIL_LINES: usize = 200;
/// Raw bytes that a tail is made from at most, if that is more than one line.
const TAIL_BYTES: u64 = 256 * 1024;
/// 29 rounds a second.
const PAUSE: Duration = Duration::from_millis(34);

/// The end of an attempt's output at one moment, of both streams.
#[derive(Debug, Default, Serialize)]
pub struct Tail {
    /// Grows with each change, and is the same for the same output after a restart of
    /// the server; 0 only before the first tail is made.
    pub seq: u64,
    /// Lines so far, with those that are not ended.
    pub total: u64,
    /// Number of the first line in `lines`.
    pub first: u64,
    /// How many of the last lines may still change.
    pub partial: u64,
    /// No tail will follow.
    pub ended: bool,
    /// The last lines, [`TAIL_LINES`] at most; older ones are read through a view.
    pub lines: Vec<Line>,
    #[serde(skip)]
    json: Arc<str>,
}

impl Tail {
    fn new(seq: u64, total: u64, partial: u64, ended: bool, lines: VecDeque<Line>) -> Self {
        let first = total - lines.len() as u64;
        let mut tail = Self {
            seq,
            total,
            first,
            partial,
            ended,
            lines: lines.into(),
            ..Self::default()
        };
        tail.json = serde_json::to_string(&tail).unwrap_or_default().into();
        tail
    }

    /// The whole tail as a JSON object, made once.
    pub fn json(&self) -> &Arc<str> {
        &self.json
    }
}

/// The attempts that a tail is due for.
#[derive(Default)]
pub(crate) struct TailQueue {
    queue: Mutex<Queue>,
    bell: Condvar,
}

#[derive(Default)]
struct Queue {
    due: Vec<Arc<Attempt>>,
    quit: bool,
}

impl TailQueue {
    /// The attempt has changed, or someone began to watch it.
    pub fn touch(&self, attempt: &Arc<Attempt>) {
        let mut queue = lock(&self.queue);
        if !queue.due.iter().any(|due| Arc::ptr_eq(due, attempt)) {
            queue.due.push(attempt.clone());
            self.bell.notify_one();
        }
    }

    /// Waits for the next round; `None` is the end.
    fn next(&self) -> Option<Vec<Arc<Attempt>>> {
        let queue = lock(&self.queue);
        let idle = |queue: &mut Queue| queue.due.is_empty() && !queue.quit;
        let mut queue = self
            .bell
            .wait_while(queue, idle)
            .unwrap_or_else(PoisonError::into_inner);
        (!queue.quit).then(|| mem::take(&mut queue.due))
    }

    fn pause(&self) {
        let queue = lock(&self.queue);
        drop(
            self.bell
                .wait_timeout_while(queue, PAUSE, |queue| !queue.quit),
        );
    }

    fn quit(&self) {
        lock(&self.queue).quit = true;
        self.bell.notify_all();
    }
}

/// The thread that makes tails.
pub(crate) struct Tailor {
    hub: Arc<Hub>,
    thread: Option<JoinHandle<()>>,
}

impl Tailor {
    /// Starts the thread.
    pub fn start(hub: Arc<Hub>) -> io::Result<Self> {
        let shared = hub.clone();
        let work = move || {
            while let Some(round) = shared.tails.next() {
                for attempt in &round {
                    make(&shared, attempt);
                }
                shared.tails.pause();
            }
        };
        let thread = std::thread::Builder::new()
            .name("output-tail".into())
            .spawn(work)?;
        Ok(Self {
            hub,
            thread: Some(thread),
        })
    }
}

impl Drop for Tailor {
    fn drop(&mut self) {
        self.hub.tails.quit();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Begins to watch an attempt; `None` when no more will come.
/// The receiver reports a change as soon as there is a first tail.
pub(crate) fn watch(hub: &Hub, attempt: &Arc<Attempt>) -> Option<watch::Receiver<Arc<Tail>>> {
    let mut viewers = lock(&attempt.viewers);
    if !attempt.set_watched(true) {
        return None;
    }
    let first = viewers.is_none();
    let sender = viewers.get_or_insert_with(|| watch::channel(Arc::default()).0);
    let mut receiver = sender.subscribe();
    if sender.borrow().seq > 0 {
        receiver.mark_changed();
    }
    drop(viewers);
    if first {
        hub.tails.touch(attempt);
    }
    Some(receiver)
}

/// Makes the tail of an attempt and gives it to those who watch.
fn make(hub: &Arc<Hub>, attempt: &Arc<Attempt>) {
    if !is_watched(attempt) {
        return;
    }
    let tail = match View::of_live(hub.clone(), attempt.clone()).live_tail(TAIL_LINES, TAIL_BYTES) {
        Ok(end) => Tail::new(end.seq, end.total, end.partial, end.ended, end.lines),
        Err(error) => {
            tracing::warn!(run = %attempt.key.run, %error, "could not make a live tail");
            if attempt.set_watched(true) {
                return;
            }
            Tail {
                ended: true,
                ..Tail::default()
            }
        }
    };
    let mut viewers = lock(&attempt.viewers);
    let Some(sender) = viewers.as_ref() else {
        return;
    };
    let ended = tail.ended;
    if sender.borrow().seq != tail.seq || ended {
        sender.send_replace(Arc::new(tail));
    }
    if ended {
        *viewers = None;
    }
}

/// Whether someone still watches; if not, the pump stops to report changes.
fn is_watched(attempt: &Attempt) -> bool {
    let mut viewers = lock(&attempt.viewers);
    let watched = viewers
        .as_ref()
        .is_some_and(|sender| sender.receiver_count() > 0);
    if !watched {
        *viewers = None;
        attempt.set_watched(false);
    }
    watched
}
