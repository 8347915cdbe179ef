//! Stops a run: TERM to its processes, and KILL after the grace.

use std::sync::atomic::Ordering;
use std::time::Duration;

use stagedoor_domain::access::MayStop;
use stagedoor_domain::id::RunId;
use stagedoor_domain::run::{Event, StopCause};

use crate::app::App;

/// Why a run was not stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// It has an outcome already.
    #[error("this run has ended already")]
    Ended,
}

impl App {
    /// Tells a run to end. Telling it twice is fine. The outcome comes when it has ended.
    pub fn stop_run(&self, permit: MayStop<'_>, id: RunId) -> Result<(), StopError> {
        let run = self.live_run(id).ok_or(StopError::Ended)?;
        tracing::info!(run = %id, by = %permit.user().name, "a run was told to stop");
        self.happen(&run, &Event::Stop(StopCause::Asked));
        Ok(())
    }

    /// Tells every run to end, as at a second Ctrl-C.
    pub fn stop_everything(&self) {
        let runs: Vec<_> = self.live().values().cloned().collect();
        for run in runs {
            self.happen(&run, &Event::Stop(StopCause::Asked));
        }
    }

    /// Tells the runner that this server ends: one that holds nothing ends too, another waits for
    /// the next server. To be called last.
    pub async fn say_goodbye(&self) {
        self.inner.is_leaving.store(true, Ordering::Release);
        if let Err(error) = self.inner.runner.bye().await {
            tracing::debug!(%error, "could not say goodbye to the runner");
        }
    }

    /// Waits until no run is live, but not longer than this.
    pub async fn settle(&self, at_most: Duration) {
        let wait = async {
            while !self.live().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Running out of time is not an error: what is not on disk is found at the next start.
        let _ = tokio::time::timeout(at_most, wait).await;
    }
}
