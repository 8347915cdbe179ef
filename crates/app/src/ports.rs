//! What the application stands on where a simulation must be able to stand instead.
//!
//! Time and chance are ports of the domain, the way to the runner is one of its handle, and the
//! store has a gate before its disk. What is left is output, which threads move.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_output::{NotTaken, Outputs, Stream, Tail, View};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The work of masking, and how it went.
pub type Masking = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

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

    /// See [`Outputs::hide`].
    fn hide(&self, run: RunId, stored: &[Zeroizing<Vec<u8>>], arguments: &[Zeroizing<Vec<u8>>]);

    /// See [`Outputs::withhold`].
    fn withhold(&self, run: RunId);

    /// See [`Outputs::mask`]; none where nothing is hidden.
    fn mask(&self, run: RunId, epoch: Epoch) -> Option<Masking>;

    /// See [`Outputs::reveal`].
    fn reveal(&self, run: RunId);
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

    fn hide(&self, run: RunId, stored: &[Zeroizing<Vec<u8>>], arguments: &[Zeroizing<Vec<u8>>]) {
        Self::hide(self, run, stored, arguments);
    }

    fn withhold(&self, run: RunId) {
        Self::withhold(self, run);
    }

    fn mask(&self, run: RunId, epoch: Epoch) -> Option<Masking> {
        if !self.hides(run) {
            return None;
        }
        let outputs = self.clone();
        let work = move || Self::mask(&outputs, run, epoch);
        Some(Box::pin(async { tokio::task::spawn_blocking(work).await? }))
    }

    fn reveal(&self, run: RunId) {
        Self::reveal(self, run);
    }
}
