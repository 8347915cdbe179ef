//! Has the runner let go of attempts whose end is on disk. That is in no hurry, and a message for each
//! costs as much as a good part of its start: those of a moment go together.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_runner::SendError;

use crate::app::App;

/// How long the first one waits for more.
const MOMENT: Duration = Duration::from_millis(10);

/// Attempts to be let go of.
#[derive(Default)]
pub(crate) struct Unneeded {
    attempts: Vec<(RunId, Epoch)>,
    has_task: bool,
}

impl App {
    /// Lets go of an attempt in a moment. What is not let go of is reported again to the next server.
    pub(crate) fn let_go(&self, run: RunId, epoch: Epoch) {
        let mut unneeded = self.unneeded();
        unneeded.attempts.push((run, epoch));
        if !std::mem::replace(&mut unneeded.has_task, true) {
            let app = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(MOMENT).await;
                app.unneeded().has_task = false;
                app.let_go_now().await;
            });
        }
    }

    /// Lets go of all that is over.
    pub(crate) async fn let_go_now(&self) {
        // Whoever says goodbye waits for those that are on their way.
        let _one = self.inner.letting_go.lock().await;
        let attempts = std::mem::take(&mut self.unneeded().attempts);
        match self.inner.runner.forget(&attempts).await {
            Ok(()) => {}
            Err(SendError::Gone) => tracing::debug!("the runner holds nothing any more"),
            Err(error) => {
                tracing::debug!(%error, "could not let the runner forget what is over");
                // With the next ones; to forget one twice is nothing.
                self.unneeded().attempts.extend(attempts);
            }
        }
    }

    fn unneeded(&self) -> MutexGuard<'_, Unneeded> {
        let unneeded = &self.inner.unneeded;
        unneeded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
