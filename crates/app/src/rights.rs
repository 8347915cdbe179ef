//! Tells those who show something for long that somebody's rights may have changed.
//!
//! A live stream is opened by somebody who may see it, and must end once they may not: they were
//! disabled, deleted, signed out, taken out of a group, lost a grant or a token. Streams do not ask
//! the database for each event. They wait here, and look again when something has changed, whichever
//! process changed it; while nobody waits, nothing is asked at all.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::app::App;

/// How soon what another process has changed is seen.
const STEP: Duration = Duration::from_millis(500);

/// Changes of rights.
pub(crate) struct Rights {
    changes: watch::Sender<u64>,
    wanted: Notify,
}

impl Rights {
    pub fn new() -> Self {
        Self {
            changes: watch::Sender::new(0),
            wanted: Notify::new(),
        }
    }

    /// Everybody who waits looks again.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl App {
    /// Changes whenever somebody's rights may have: who shows something for long looks again then.
    pub fn rights_changes(&self) -> watch::Receiver<u64> {
        let mut receiver = self.inner.rights.changes.subscribe();
        // What has changed since whoever asks was let in was told to others.
        receiver.mark_changed();
        self.inner.rights.wanted.notify_one();
        receiver
    }
}

/// Looks at one number of the store, for as long as anybody waits for it to change.
pub(crate) async fn watch(app: App) {
    let rights = &app.inner.rights;
    let mut seen = None;
    loop {
        if rights.changes.receiver_count() == 0 {
            rights.wanted.notified().await;
            seen = None;
            continue;
        }
        match app.inner.store.rights_changes().await {
            Ok(now) if seen != Some(now) => {
                seen = Some(now);
                rights.changed();
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "could not see whether rights have changed"),
        }
        tokio::time::sleep(STEP).await;
    }
}
