//! The door of this crate: one object for the output folder and the threads that fill it.

use rustix::fd::OwnedFd;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::Clock;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::folder::{Folder, Key};
use crate::hidden::HiddenOfRuns;
use crate::indexes::Indexes;
use crate::live::{Attempt, Hub, lock};
use crate::mask;
use crate::pump::Pump;
use crate::stream::Stream;
use crate::tail::{self, Tail, TailQueue, Tailor};
use crate::view::View;

/// What the pumps tell.
#[derive(Debug)]
pub enum PumpEvent {
    /// Both streams of an attempt are complete, with so many bytes.
    Closed {
        /// The run.
        run: RunId,
        /// Its attempt.
        epoch: Epoch,
        /// Bytes of standard output.
        stdout: u64,
        /// Bytes of standard error.
        stderr: u64,
        /// Bytes of both that could not be kept, because a file could not be written.
        lost: u64,
    },
    /// A stream has more bytes than its limit; those above it are not taken.
    OverLimit {
        /// The run.
        run: RunId,
        /// Its attempt.
        epoch: Epoch,
        /// The stream.
        stream: Stream,
    },
    /// A segment cannot be written (a full disk). The script waits when its pipe is
    /// full; writing is tried again each second, and nothing is lost. Only where the process has ended, and
    /// the error is of this one file, it is given up after half a minute.
    Stalled {
        /// The run.
        run: RunId,
        /// Its attempt.
        epoch: Epoch,
        /// The segment, below the output folder.
        file: String,
        /// What the system said.
        error: io::Error,
    },
    /// All segments of the attempt can be written again.
    Resumed {
        /// The run.
        run: RunId,
        /// Its attempt.
        epoch: Epoch,
    },
}

/// A pipe that could not be taken now, given back.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct NotTaken {
    /// Why.
    pub error: io::Error,
    /// The pipe.
    pub pipe: OwnedFd,
}

/// The output folder, and the threads that fill it. Clones share it; when the last one
/// is dropped the threads end, and the pipes are left as they are for the next server.
///
/// One process at a time may have a folder open: the state directory is locked.
#[derive(Clone)]
pub struct Outputs(Arc<Inner>);

/// Fields are dropped in order: pumps first, since they call for tails.
struct Inner {
    pumps: Vec<Pump>,
    _tailor: Tailor,
    hub: Arc<Hub>,
    serial: AtomicU64,
}

impl Outputs {
    /// Opens the folder, makes it where there is none, and starts `pumps` threads (one at
    /// least) to move output, and one that makes live tails.
    pub fn open(
        dir: &Path,
        pumps: usize,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, UnboundedReceiver<PumpEvent>)> {
        let (events, receiver) = unbounded_channel();
        let hub = Arc::new(Hub {
            folder: Folder::open(dir)?,
            clock,
            live: Mutex::new(HashMap::new()),
            indexes: Indexes::default(),
            hidden: HiddenOfRuns::default(),
            events,
            tails: TailQueue::default(),
        });
        let pumps = (0..pumps.max(1)).map(|number| Pump::start(hub.clone(), number));
        let inner = Inner {
            pumps: pumps.collect::<io::Result<_>>()?,
            _tailor: Tailor::start(hub.clone())?,
            hub,
            serial: AtomicU64::new(0),
        };
        Ok((Self(Arc::new(inner)), receiver))
    }

    /// Takes the read end of a stream's pipe. Goes on at the end of the segment if an
    /// earlier server wrote to it. At most `cap` bytes are kept, with those.
    ///
    /// A stream that is attached already keeps its pipe, and this one is closed. When
    /// both streams have come to their ends, one [`PumpEvent::Closed`] follows.
    ///
    /// # Errors
    /// No descriptor is free, or the folder cannot be read: the pipe comes back, to be tried again.
    pub fn attach(
        &self,
        run: RunId,
        epoch: Epoch,
        stream: Stream,
        pipe: OwnedFd,
        cap: u64,
    ) -> Result<(), NotTaken> {
        let attempt = match self.attempt(Key { run, epoch }) {
            Ok(attempt) => attempt,
            Err(error) => return Err(NotTaken { error, pipe }),
        };
        let Some(size) = attempt.open(stream) else {
            return Ok(());
        };
        let Some(pump) = self.pump(&attempt) else {
            return Ok(());
        };
        pump.take(attempt.clone(), stream, pipe, size, cap)
            .inspect_err(|_| attempt.unopen(stream))
    }

    /// The live attempt, begun if it was not.
    fn attempt(&self, key: Key) -> io::Result<Arc<Attempt>> {
        if let Some(attempt) = self.0.hub.attempt(key) {
            return Ok(attempt);
        }
        let serial = self.0.serial.fetch_add(1, Ordering::Relaxed);
        let new = Arc::new(Attempt::begin(&self.0.hub, key, serial)?);
        Ok(lock(&self.0.hub.live).entry(key).or_insert(new).clone())
    }

    fn pump(&self, attempt: &Attempt) -> Option<&Pump> {
        let pumps = &self.0.pumps;
        pumps.get(usize::try_from(attempt.serial).unwrap_or(0) % pumps.len())
    }

    /// The process of this attempt has ended. What is in its pipes now is taken, then
    /// they are closed even if another process still holds them, and one
    /// [`PumpEvent::Closed`] follows, unless it was sent before: does nothing then.
    pub fn finish(&self, run: RunId, epoch: Epoch) {
        let Some(attempt) = self.0.hub.attempt(Key { run, epoch }) else {
            return;
        };
        if let Some(pump) = self.pump(&attempt) {
            pump.finish(attempt.clone());
        }
    }

    /// The output of an attempt, still coming or ended; empty if there is none.
    /// Reads files: call it where blocking is allowed.
    pub fn view(&self, run: RunId, epoch: Epoch) -> io::Result<View> {
        let (hub, key) = (self.0.hub.clone(), Key { run, epoch });
        match hub.attempt(key) {
            Some(attempt) => Ok(View::of_live(hub, attempt)),
            None => View::of_ended(hub, key),
        }
    }

    /// The live tail of both streams, at most 30 a second, made once for all who watch.
    /// Await its first change; after the tail that says `ended` the channel closes.
    /// `None` when the attempt is not live: its view is complete.
    pub fn watch(&self, run: RunId, epoch: Epoch) -> Option<watch::Receiver<Arc<Tail>>> {
        let attempt = self.0.hub.attempt(Key { run, epoch })?;
        tail::watch(&self.0.hub, &attempt)
    }

    /// Hides these values of a run from all who read its output, from now until [`Self::reveal`]: what
    /// the operator stored for its script, and arguments. To be called before the output can hold
    /// them.
    pub fn hide(
        &self,
        run: RunId,
        stored: &[Zeroizing<Vec<u8>>],
        arguments: &[Zeroizing<Vec<u8>>],
    ) {
        self.0.hub.hidden.add(run, stored, arguments);
    }

    /// Hides every byte of a run but its line ends, from now until [`Self::reveal`]: what it was given in
    /// secret is not known. [`Self::mask`] masks all of it then, for good.
    pub fn withhold(&self, run: RunId) {
        self.0.hub.hidden.add_all(run);
        self.0.hub.indexes.forget(run);
    }

    /// Whether anything is hidden of this run.
    pub fn hides(&self, run: RunId) -> bool {
        self.0.hub.hidden.get(run).is_some()
    }

    /// Masks what is hidden of a run in its segments, those of this attempt and of all before. What
    /// is masked is on the disk when this returns. After an error, or a death of the process in the
    /// middle of it, it is called again. Reads and writes files: call it where blocking is allowed.
    ///
    /// # Errors
    /// `WouldBlock` where output of this attempt is still coming, which is told to end then; else the first
    /// file that could not be masked, and why.
    pub fn mask(&self, run: RunId, epoch: Epoch) -> io::Result<()> {
        let hub = &self.0.hub;
        let Some(hidden) = hub.hidden.get(run) else {
            return Ok(());
        };
        let epochs = (1..=epoch.0).map(Epoch);
        for epoch in epochs.clone() {
            if hub.attempt(Key { run, epoch }).is_some() {
                self.finish(run, epoch);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            hidden.close(epoch);
        }
        // What can be masked is, whatever becomes of the rest.
        let masked: Vec<_> = epochs
            .map(|epoch| mask::mask(&hub.folder, Key { run, epoch }, &hidden))
            .collect();
        masked.into_iter().collect()
    }

    /// Nothing of this run is to be hidden any more: it is masked, or gone.
    pub fn reveal(&self, run: RunId) {
        self.0.hub.hidden.remove(run);
    }

    /// Removes the files of all attempts of an ended run.
    pub fn remove(&self, run: RunId) -> io::Result<()> {
        self.reveal(run);
        self.0.hub.indexes.forget(run);
        self.0.hub.folder.remove(run)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.pumps.clear();
        // Whoever watches learns that no more comes from here.
        for (_, attempt) in lock(&self.hub.live).drain() {
            *lock(&attempt.viewers) = None;
        }
    }
}
