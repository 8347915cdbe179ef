//! What the application stands on where a simulation must be able to stand instead.
//!
//! Time and chance are ports of the domain, the way to the runner is one of its handle, and the
//! store has a gate before its disk. What is left is output, which threads move.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_output::{NotTaken, Outputs, Stream, Tail, View};
use tokio::sync::watch;

/// Keeps what attempts print. What it has to tell comes as [`stagedoor_output::PumpEvent`].
pub trait Recorder: Send + Sync {
    /// See [`Outputs::attach`].
    fn attach(
        &self,
        run: RunId,
        epoch: Epoch,
        stream: Stream,
        pipe: OwnedFd,
        cap: u64,
    ) -> Result<(), NotTaken>;

    /// See [`Outputs::finish`].
    fn finish(&self, run: RunId, epoch: Epoch);

    /// See [`Outputs::view`].
    fn view(&self, run: RunId, epoch: Epoch) -> io::Result<View>;

    /// See [`Outputs::watch`].
    fn watch(&self, run: RunId, epoch: Epoch) -> Option<watch::Receiver<Arc<Tail>>>;
}

impl Recorder for Outputs {
    fn attach(
        &self,
        run: RunId,
        epoch: Epoch,
        stream: Stream,
        pipe: OwnedFd,
        cap: u64,
    ) -> Result<(), NotTaken> {
        Self::attach(self, run, epoch, stream, pipe, cap)
    }

    fn finish(&self, run: RunId, epoch: Epoch) {
        Self::finish(self, run, epoch);
    }

    fn view(&self, run: RunId, epoch: Epoch) -> io::Result<View> {
        Self::view(self, run, epoch)
    }

    fn watch(&self, run: RunId, epoch: Epoch) -> Option<watch::Receiver<Arc<Tail>>> {
        Self::watch(self, run, epoch)
    }
}
