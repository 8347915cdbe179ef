//! Notices that the files have changed, as after a renewal.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stagedoor_app::app::App;
use stagedoor_domain::time::Timestamp;

use super::Certificates;
use super::files::{self, Stamps};

/// Between two looks, each of two calls to the system.
const STEP: Duration = Duration::from_secs(3);

impl Certificates {
    /// Looks for as long as it is polled; what has changed is read once it has been the same for
    /// two looks, because a renewal writes one file after the other.
    pub(crate) async fn watch(self, app: App) {
        let mut step = tokio::time::interval(STEP);
        let mut last = self.look().await;
        if let (true, Some(now)) = (self.is_closed().await, last) {
            // What cannot be seen from here has not changed.
            *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
        loop {
            step.tick().await;
            let now = self.look().await;
            let is_settled = std::mem::replace(&mut last, now) == now;
            if is_settled && now.is_some_and(|now| now != self.seen()) {
                self.clone().reload_aside(app.clock().now()).await;
            }
            self.warn_of_dates(app.clock().now());
        }
    }

    /// Not on a thread that answers requests: the files may lie on a network.
    async fn look(&self) -> Option<Stamps> {
        let inner = Arc::clone(&self.0);
        let looked = tokio::task::spawn_blocking(move || Stamps::of(&inner.files));
        looked.await.ok()
    }

    async fn reload_aside(self, now: Timestamp) {
        let read = tokio::task::spawn_blocking(move || self.reload(now));
        if read.await.is_err() {
            tracing::error!("the certificate stays as it was: reading it failed");
        }
    }

    fn seen(&self) -> Stamps {
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read with the rights of root may be closed to the server; the log says so.
    async fn is_closed(&self) -> bool {
        let inner = Arc::clone(&self.0);
        let open = tokio::task::spawn_blocking(move || files::can_be_read(&inner.files));
        let is_closed = !open.await.unwrap_or(true);
        if is_closed {
            tracing::warn!(
                "the certificate or its key was read with the rights of root and is closed to the \
                 server's own account: after a renewal, start the server again, or let the server's \
                 group read the files"
            );
        }
        is_closed
    }
}
