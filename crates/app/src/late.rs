//! Writes that a run is running, but only of one that goes on for a while: the record of a short
//! run says how it ended a moment later anyway, and a write to the disk costs as much as a start.
//!
//! Nothing hangs on this record. Until it is there the row says `starting`, which a server that
//! takes over puts beside what the runner says, as it would in the moment before any record. A
//! stop is another matter: it is recorded at once.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stagedoor_domain::run::State;

use crate::app::App;
use crate::live::LiveRun;

/// A run that ends sooner than this is never written as running; one that does not is, before
/// twice this time is over.
const AFTER: Duration = Duration::from_millis(50);

/// Runs to be written if they still go on.
#[derive(Default)]
pub(crate) struct Late {
    /// Since less than one period.
    new: Vec<Arc<LiveRun>>,
    /// For longer.
    due: Vec<Arc<LiveRun>>,
    has_task: bool,
}

impl App {
    /// Tells who watches at once, and the store later.
    pub(crate) fn record_later(&self, run: &Arc<LiveRun>) {
        run.changes.send_replace(Arc::new(run.view()));
        let mut late = self.late();
        late.new.push(Arc::clone(run));
        if !std::mem::replace(&mut late.has_task, true) {
            let app = self.clone();
            tokio::spawn(async move { app.record_what_goes_on().await });
        }
    }

    fn late(&self) -> std::sync::MutexGuard<'_, Late> {
        let late = &self.inner.late;
        late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn record_what_goes_on(&self) {
        loop {
            tokio::time::sleep(AFTER).await;
            let due = {
                let mut late = self.late();
                let new = std::mem::take(&mut late.new);
                let due = std::mem::replace(&mut late.due, new);
                if due.is_empty() && late.due.is_empty() {
                    late.has_task = false;
                    return;
                }
                due
            };
            for run in due.into_iter().filter(|run| goes_on(run)) {
                let app = self.clone();
                // One after the other they would not share a transaction.
                tokio::spawn(async move { app.record_running(&run).await });
            }
        }
    }
}

/// What was told to stop has been written meanwhile.
fn goes_on(run: &LiveRun) -> bool {
    run.facts().life.state == State::Running
}
