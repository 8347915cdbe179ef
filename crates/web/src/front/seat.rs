//! Whether something is being done on a connection, and whether it has to go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Shared by the connection, its requests and who counts them.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Requests that are answered now.
    answering: AtomicUsize,
    go: Notify,
}

/// While it lives, a request is answered.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

impl Seat {
    /// A request has come.
    pub fn begin(self: &Arc<Self>) -> Busy {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Whether a request is answered.
    pub fn is_busy(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    /// Somebody else needs the place.
    pub fn tell_to_go(&self) {
        self.go.notify_one();
    }

    /// Waits for that. What is answered at that moment is answered.
    pub async fn told_to_go(&self) {
        loop {
            self.go.notified().await;
            if !self.is_busy() {
                return;
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}
