//! Runs whose output may hold secrets that nobody can find in it, because what was sealed of them does not
//! open. Nobody sees such output, while the run goes on and afterwards.
//!
//! Where its key may come back, the segments stay as they are, and what was sealed stays beside the run;
//! each start, and a look now and then, tries again. What can never open is given up: all output is masked for
//! good. Files that could not be written when their run ended wait here, too; their secrets are hidden meanwhile.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use stagedoor_domain::id::RunId;
use stagedoor_store::{RunRecord, StoreError};

use crate::app::App;

/// How often one tries again.
const STEP: Duration = Duration::from_mins(10);
/// A key that is not back so long after the end of a run will not come.
const PATIENCE: Duration = Duration::from_hours(30 * 24);
/// What is said of a run when that is over.
const GIVEN_UP: &str = "All of its output is masked: for 30 days what it was given in secret did not open, so \
                        that it could not be looked for.";

/// Why the sealed secrets of a run do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Withheld {
    #[error("they are sealed with another key than the one in secret.key")]
    OtherKey,
    #[error("they have a form that this server does not know; a newer one has sealed them")]
    NewerForm,
    #[error("they are damaged")]
    Damaged,
}

impl Withheld {
    /// What people are told of the run.
    pub fn notice(self) -> &'static str {
        match self {
            Self::OtherKey => {
                "All of its output is shown as stars: what it was given in secret does not open with this \
                 server's key, so it cannot be looked for. Put the `secret.key` that belongs to this database \
                 back into the state directory and start the server again; 30 days after the end of the run \
                 its output is masked for good."
            }
            Self::NewerForm => {
                "All of its output is shown as stars: a newer Stagedoor has sealed what it was given in \
                 secret, so it cannot be looked for. Start that version again; 30 days after the end of the \
                 run its output is masked for good."
            }
            Self::Damaged => {
                "All of its output is masked: the record of what it was given in secret is damaged, so it \
                 could not be looked for."
            }
        }
    }

    /// Whether it may open another day.
    pub fn may_pass(self) -> bool {
        self != Self::Damaged
    }
}

/// The reason of a run, with a notice behind it.
pub(crate) fn with_notice(reason: Option<String>, notice: Option<&str>) -> Option<String> {
    match (reason, notice) {
        (Some(reason), Some(notice)) => Some(format!("{reason} {notice}")),
        (reason, notice) => reason.or_else(|| notice.map(str::to_owned)),
    }
}

/// Tries now and then, for as long as it is polled.
pub(crate) async fn look_after(app: App) {
    // A clock that has just been started may not be set yet: nothing is given up for its age.
    let mut gives_up = false;
    loop {
        if let Err(error) = app.mask_what_is_left(gives_up).await {
            tracing::error!(%error, "could not look for runs whose output is not masked; trying again");
        }
        gives_up = true;
        tokio::time::sleep(STEP).await;
    }
}

impl App {
    /// Hides what earlier servers left unmasked. To be called before anybody can look.
    pub(crate) async fn conceal_what_is_left(&self) -> Result<(), StoreError> {
        let mut last = None;
        while let Some(records) = self.next_unmasked(&mut last).await? {
            for record in records {
                if let Some(why) = self.conceal(&record).await {
                    tell(record.id, why);
                }
            }
        }
        Ok(())
    }

    /// Shows nothing of this run but stars.
    pub(crate) fn withhold(&self, run: RunId, why: Withheld) {
        tell(run, why);
        self.inner.outputs.withhold(run);
    }

    /// What is said of a run that has ended, if its output is withheld.
    pub(crate) fn notice_of(&self, run: RunId) -> Option<&'static str> {
        self.withheld().get(&run).map(|why| why.notice())
    }

    pub(crate) fn withheld(&self) -> MutexGuard<'_, BTreeMap<RunId, Withheld>> {
        let withheld = &self.inner.withheld;
        withheld.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next few after this one, which becomes the last of them; none at the end.
    async fn next_unmasked(
        &self,
        last: &mut Option<RunId>,
    ) -> Result<Option<Vec<RunRecord>>, StoreError> {
        let records = self.inner.store.unmasked_runs(*last).await?;
        *last = records.last().map(|record| record.id);
        Ok(last.is_some().then_some(records))
    }

    /// Hides the secrets of an ended run, or all of its output.
    async fn conceal(&self, record: &RunRecord) -> Option<Withheld> {
        match self.secrets_of(record) {
            Ok(secrets) => {
                let scripts = self.catalog().await;
                let script = scripts.get(&record.script);
                self.hide(record.id, script.map(|script| &**script), &secrets);
                None
            }
            Err(why) => {
                self.inner.outputs.withhold(record.id);
                self.withheld().insert(record.id, why);
                Some(why)
            }
        }
    }

    /// Masks the output of runs that have ended, where that was not possible before, as a server does now and
    /// then; `gives_up`: also of those whose secrets have not opened for too long, all of it.
    ///
    /// # Errors
    /// The store; what is left is left for the next time.
    pub async fn mask_what_is_left(&self, gives_up: bool) -> Result<(), StoreError> {
        let mut last = None;
        while let Some(records) = self.next_unmasked(&mut last).await? {
            for record in records {
                self.mask_one_left(record, gives_up).await?;
            }
        }
        Ok(())
    }

    async fn mask_one_left(&self, record: RunRecord, gives_up: bool) -> Result<(), StoreError> {
        // One that has just ended may still be told of; and a key is read once, at the start.
        let is_known = self
            .withheld()
            .get(&record.id)
            .is_some_and(|why| why.may_pass());
        let is_over = gives_up && self.is_too_old(&record);
        if self.live_run(record.id).is_some() || (is_known && !is_over) {
            return Ok(());
        }
        let notice = match self.conceal(&record).await {
            None => None,
            Some(Withheld::Damaged) => Some(Withheld::Damaged.notice()),
            Some(_) if is_over => Some(GIVEN_UP),
            Some(_) => return Ok(()),
        };
        self.mask_left(record, notice).await
    }

    fn is_too_old(&self, record: &RunRecord) -> bool {
        let ended = record.ended_at.unwrap_or(record.created_at);
        self.clock().now().since(ended) > PATIENCE
    }

    /// Masks what is hidden of an ended run, and forgets what was sealed for that.
    async fn mask_left(
        &self,
        record: RunRecord,
        notice: Option<&'static str>,
    ) -> Result<(), StoreError> {
        let run = record.id;
        if let Some(masking) = self.inner.outputs.mask(run, record.epoch)
            && let Err(error) = masking.await
        {
            tracing::error!(%run, %error, "could not mask the secrets in the output of a run that has ended; trying again");
            return Ok(());
        }
        let reason = notice.map(|notice| with_notice(record.reason, Some(notice)));
        let store = &self.inner.store;
        store.forget_unmasked(run, reason.flatten()).await?;
        self.inner.outputs.reveal(run);
        self.withheld().remove(&run);
        tracing::info!(%run, "the output of this run is masked now");
        Ok(())
    }
}

fn tell(run: RunId, why: Withheld) {
    let notice = why.notice();
    tracing::error!(%run, error = %why, "the secrets of a run do not open. {notice}");
}
