//! Stops a run: TERM to its processes, and KILL after the grace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use stagedoor_domain::access::MayStop;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::id::RunId;
use stagedoor_domain::run::{Event, State, StopCause};

use crate::app::App;
use crate::live::LiveRun;

/// How long the record of a stop is waited for; on a full disk it waits for room.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a run was not stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// It has an outcome already.
    #[error("this run has ended already")]
    Ended,
    /// It was told, but that cannot be written at the moment: should this server end before it can,
    /// the next one may not know of it.
    #[error("the run was told to end, but this cannot be written to the disk at the moment")]
    NotOnDisk,
}

impl App {
    /// Tells a run to end. Telling it twice is fine. When this returns, the wish is on disk and
    /// survives this server; the outcome comes when the run has ended.
    pub async fn stop_run(
        &self,
        permit: MayStop<'_>,
        id: RunId,
        by: &Origin,
    ) -> Result<(), StopError> {
        // It stays live until its outcome is on disk.
        let goes_on = |run: &Arc<LiveRun>| run.facts().life.ending.is_none();
        let run = self.live_run(id).filter(goes_on).ok_or(StopError::Ended)?;
        tracing::info!(run = %id, by = %permit.user().name, "a run was told to stop");
        let entry = self
            .entry(Act::RunStopped, by)
            .on(run.script_name.as_str())
            .with("run", id.to_string());
        let effects = self.decide(&run, &Event::Stop(StopCause::Asked));
        // A task of its own: a client that goes away must not leave half a stop. On a full disk too
        // a run must end when it is told to, so this does not wait for its record.
        let app = self.clone();
        let done = tokio::spawn(async move {
            tokio::join!(app.carry_out(&run, effects), app.note(entry));
        });
        let is_done = tokio::time::timeout(PATIENCE, done).await.is_ok();
        is_done.then_some(()).ok_or(StopError::NotOnDisk)
    }

    /// Tells every run to end, as at a second Ctrl-C.
    pub fn stop_everything(&self) {
        let runs: Vec<_> = self.live().values().cloned().collect();
        let entry = self.entry(Act::RunStopped, &Origin::server());
        let entry = entry.on("every run").with("runs", runs.len());
        let app = self.clone();
        tokio::spawn(async move { app.note(entry).await });
        for run in runs {
            self.happen(&run, &Event::Stop(StopCause::Asked));
        }
    }

    /// From now on nothing is accepted, and what waits in the queue is left to the next server.
    pub fn drain(&self) {
        self.inner.is_draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.inner.is_draining.load(Ordering::Acquire)
    }

    /// Tells the runner that this server ends: one that holds nothing ends too, another waits for
    /// the next server. To be called last, some time after [`App::drain`].
    pub async fn say_goodbye(&self) {
        // A claim on disk whose plan came behind the goodbye would be lost.
        let is_on_its_way = |run: &LiveRun| {
            let is_starting = run.facts().life.state == State::Starting;
            is_starting && !run.is_handed_over.load(Ordering::Acquire)
        };
        self.wait_while(PATIENCE, is_on_its_way).await;
        self.inner.is_leaving.store(true, Ordering::Release);
        self.let_go_now().await;
        if let Err(error) = self.inner.runner.bye().await {
            tracing::debug!(%error, "could not say goodbye to the runner");
        }
    }

    /// Waits until the outcome of every run that began is on disk, but not longer than this. What
    /// waits in the queue waits for the next server.
    pub async fn settle_begun(&self, at_most: Duration) {
        self.wait_while(at_most, |run| run.facts().life.state != State::Queued)
            .await;
    }

    async fn wait_while(&self, at_most: Duration, holds: impl Fn(&LiveRun) -> bool) {
        let wait = async {
            while self.live().values().any(|run| holds(run)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Running out of time is not an error: what is not on disk is found at the next start.
        let _ = tokio::time::timeout(at_most, wait).await;
    }
}
