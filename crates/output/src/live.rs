//! The attempts whose output is still coming, as pumps, tails and views share them.

use stagedoor_domain::time::Clock;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::chunk_log::ChunkLog;
use crate::folder::{Folder, Key, Part};
use crate::hidden::HiddenOfRuns;
use crate::indexes::Indexes;
use crate::outputs::PumpEvent;
use crate::record::Records;
use crate::stream::{Pair, Stream};
use crate::tail::{Tail, TailQueue};

/// Takes a lock. Nothing that holds one leaves half a change behind when it panics.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all threads of one output folder share.
pub(crate) struct Hub {
    pub folder: Folder,
    pub clock: Arc<dyn Clock>,
    pub live: Mutex<HashMap<Key, Arc<Attempt>>>,
    pub indexes: Indexes,
    pub hidden: HiddenOfRuns,
    pub events: UnboundedSender<PumpEvent>,
    pub tails: TailQueue,
}

impl Hub {
    /// The attempt, if its output is still coming.
    pub fn attempt(&self, key: Key) -> Option<Arc<Attempt>> {
        lock(&self.live).get(&key).cloned()
    }

    /// Tells the application; it may be gone, then there is nobody to tell.
    pub fn tell(&self, event: PumpEvent) {
        let _ = self.events.send(event);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Door {
    #[default]
    Absent,
    Open,
    Closed,
}

#[derive(Debug, Default)]
struct State {
    sizes: Pair<u64>,
    doors: Pair<Door>,
    chunks: ChunkLog,
    /// Streams that cannot be written at the moment.
    stuck: u32,
    finishing: bool,
    /// Bytes that are not kept.
    lost: u64,
    ended: bool,
    watched: bool,
}

/// One attempt whose output is still coming.
pub(crate) struct Attempt {
    pub key: Key,
    /// Numbers the attempts of this process.
    pub serial: u64,
    state: Mutex<State>,
    /// Where the live tail goes, while someone watches.
    pub viewers: Mutex<Option<watch::Sender<Arc<Tail>>>>,
}

/// An attempt's output at one moment.
pub(crate) struct Snapshot {
    pub sizes: Pair<u64>,
    pub records: Records,
    /// No byte will follow.
    pub ended: bool,
}

impl Attempt {
    /// Begins with what an earlier server may have written.
    pub fn begin(hub: &Hub, key: Key, serial: u64) -> io::Result<Self> {
        let size = |stream| hub.folder.size(key, Part::Segment(stream));
        let sizes = Pair::new(size(Stream::Stdout)?, size(Stream::Stderr)?);
        let mut state = State {
            sizes,
            ..State::default()
        };
        if sizes != Pair::default() {
            state.chunks = resume_chunks(hub, key, sizes)?;
        }
        Ok(Self {
            key,
            serial,
            state: Mutex::new(state),
            viewers: Mutex::new(None),
        })
    }

    /// Opens a stream and gives its size, if it was not opened before.
    pub fn open(&self, stream: Stream) -> Option<u64> {
        let mut state = lock(&self.state);
        let door = state.doors.of_mut(stream);
        if *door != Door::Absent {
            return None;
        }
        *door = Door::Open;
        Some(*state.sizes.of(stream))
    }

    /// Takes [`Attempt::open`] back.
    pub fn unopen(&self, stream: Stream) {
        *lock(&self.state).doors.of_mut(stream) = Door::Absent;
    }

    /// The segment of a stream has grown to this size. Says whether someone watches.
    pub fn grew(&self, hub: &Hub, stream: Stream, size: u64) -> bool {
        let (now, monotonic) = (hub.clock.now(), hub.clock.monotonic());
        let mut state = lock(&self.state);
        *state.sizes.of_mut(stream) = size;
        state.chunks.add(stream, size, now, monotonic);
        if state.chunks.is_due(monotonic) {
            let written = state
                .chunks
                .write(monotonic, || hub.folder.create(self.key, Part::Chunks));
            // They wait in memory, and are tried again with the next ones.
            if let Err(error) = written {
                tracing::debug!(run = %self.key.run, %error, "could not write the chunk index");
            }
        }
        state.watched
    }

    /// Writes what waits of the chunk index.
    pub fn write_chunks(&self, hub: &Hub) -> io::Result<()> {
        lock(&self.state)
            .chunks
            .close(|| hub.folder.create(self.key, Part::Chunks))
    }

    /// No more comes from this stream.
    pub fn close(&self, stream: Stream) {
        *lock(&self.state).doors.of_mut(stream) = Door::Closed;
    }

    /// The process has ended: a stream that was never opened will not be.
    pub fn finish(&self) {
        lock(&self.state).finishing = true;
    }

    /// These bytes of it are not kept.
    pub fn lose(&self, bytes: u64) {
        lock(&self.state).lost += bytes;
    }

    /// How many are not kept.
    pub fn lost(&self) -> u64 {
        lock(&self.state).lost
    }

    /// Ends the attempt if all its streams are closed. Says so once.
    pub fn try_end(&self) -> Option<Pair<u64>> {
        let mut state = lock(&self.state);
        let closed = |door: Door| door == Door::Closed || state.finishing && door == Door::Absent;
        if state.ended || !closed(state.doors.stdout) || !closed(state.doors.stderr) {
            return None;
        }
        state.ended = true;
        Some(state.sizes)
    }

    /// One more stream cannot be written. Says whether it is the first.
    pub fn stuck(&self) -> bool {
        let mut state = lock(&self.state);
        state.stuck += 1;
        state.stuck == 1
    }

    /// A stream can be written again. Says whether it was the last that could not.
    pub fn unstuck(&self) -> bool {
        let mut state = lock(&self.state);
        state.stuck = state.stuck.saturating_sub(1);
        state.stuck == 0
    }

    /// Someone begins to watch, or nobody does any more. Says whether more may come.
    pub fn set_watched(&self, watched: bool) -> bool {
        let mut state = lock(&self.state);
        state.watched = watched;
        !state.ended
    }

    /// Whether someone watches.
    pub fn is_watched(&self) -> bool {
        lock(&self.state).watched
    }

    /// Bytes of a stream so far, and whether no byte will follow.
    pub fn size(&self, stream: Stream) -> (u64, bool) {
        let state = lock(&self.state);
        (*state.sizes.of(stream), state.ended)
    }

    /// The output at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let state = lock(&self.state);
        Snapshot {
            sizes: state.sizes,
            records: state.chunks.records(),
            ended: state.ended,
        }
    }
}

/// One record for each stream covers what was written but not recorded.
fn resume_chunks(hub: &Hub, key: Key, sizes: Pair<u64>) -> io::Result<ChunkLog> {
    let (mut chunks, covered, damage) = if hub.folder.size(key, Part::Chunks)? > 0 {
        ChunkLog::resume(hub.folder.create(key, Part::Chunks)?, sizes)?
    } else {
        Default::default()
    };
    if damage.missing > 0 {
        tracing::error!(
            run = %key.run,
            missing = damage.missing,
            "the index of this run's output knows of more bytes than their file has: one of the two was cut or damaged"
        );
    } else if damage.is_cut {
        tracing::warn!(
            run = %key.run,
            "the order of output and errors of this run did not fit what was kept of them, and is made \
             anew from there; nothing of what was kept is thrown away"
        );
    }
    for stream in Stream::ALL {
        if sizes.of(stream) > covered.of(stream) {
            chunks.add(
                stream,
                *sizes.of(stream),
                hub.clock.now(),
                hub.clock.monotonic(),
            );
        }
    }
    Ok(chunks)
}
