//! Keeps the secrets of a run out of what its readers see: hidden while they may stand in its
//! segments, masked there when it has ended, and forgotten only then.
//!
//! The values are sealed in the run's row until its outcome is written, which is after they were
//! masked; so the next server has what it needs whenever this one dies.

use std::io;

use stagedoor_domain::arguments::CheckedArgs;
use stagedoor_domain::id::RunId;
use stagedoor_domain::invocation::{Invocation, secret_texts};
use stagedoor_domain::script::Script;
use stagedoor_output::is_shortage;
use stagedoor_store::RunRecord;

use crate::app::App;
use crate::carry_out::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::live::LiveRun;
use crate::run_secrets::{RunSecrets, SealError};
use crate::sealed::DoesNotOpen;
use crate::withheld::Withheld;

/// How often masking is tried before a run gets its outcome without; then it is left to
/// [`App::mask_what_is_left`], and readers see stars for what is hidden.
const MASK_TRIES: u32 = 6;

impl LiveRun {
    /// What it was given in secret so far.
    fn secrets(&self) -> RunSecrets {
        let args = self.args.as_ref().map(CheckedArgs::secrets);
        RunSecrets {
            args: args.unwrap_or_default(),
            given: self.facts().given.clone(),
        }
    }
}

impl App {
    /// Hides what an attempt is about to be given in secret, which its row knows. To be called before the
    /// attempt is handed over.
    pub(crate) fn hide_given(&self, run: &LiveRun, script: &Script) {
        self.hide(run.id, Some(script), &run.secrets());
    }

    /// Hides what an attempt was or will be given in secret, as far as the row knows it.
    pub(crate) fn hide(&self, run: RunId, script: Option<&Script>, secrets: &RunSecrets) {
        let arguments = secret_texts(script, &secrets.args);
        if !(arguments.is_empty() && secrets.given.is_empty()) {
            self.inner.outputs.hide(run, &secrets.given, &arguments);
        }
    }

    /// Seals what an attempt is given in secret beside its arguments, and was not given before: together with
    /// all that the row has to know. None where there is nothing new.
    pub(crate) async fn seal_given(
        &self,
        run: &LiveRun,
        given: &Invocation,
    ) -> Result<Option<Vec<u8>>, SealError> {
        let mut secrets = run.secrets();
        if !secrets.add_given(given) {
            return Ok(None);
        }
        run.facts().given.clone_from(&secrets.given);
        let (app, run) = (self.clone(), run.id);
        // Up to 2 MiB, while others wait for the thread.
        let seal = move || secrets.seal(&app.inner.vault, run, app.chance());
        let sealed = tokio::task::spawn_blocking(seal).await;
        sealed.map_err(|_| DoesNotOpen)?.map(Some)
    }

    /// What is sealed in this row.
    pub(crate) fn secrets_of(&self, record: &RunRecord) -> Result<RunSecrets, Withheld> {
        match &record.secrets {
            Some(sealed) => RunSecrets::open(&self.inner.vault, record.id, sealed),
            None => Ok(RunSecrets::default()),
        }
    }

    /// Masks the output of a run that has ended, if there is anything to mask; false if that has to wait, so
    /// that what is sealed must stay. Where room or descriptors are short it is tried until it works, since
    /// the outcome waits for the same; a file that cannot be masked for another reason must not keep a run from its outcome.
    pub(crate) async fn mask_output(&self, run: &LiveRun) -> bool {
        let (withheld, epoch) = {
            let facts = run.facts();
            (facts.withheld, facts.life.epoch)
        };
        if let Some(why) = withheld.filter(|why| why.may_pass()) {
            self.withheld().insert(run.id, why);
            return false;
        }
        let (mut pause, mut tries) = (FIRST_PAUSE, 0);
        while let Some(masking) = self.inner.outputs.mask(run.id, epoch) {
            match masking.await {
                Ok(()) => break,
                // Its last bytes are on their way.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::error!(run = %run.id, %error, "could not mask the secrets in the output of a run; trying again");
                    tries += u32::from(!is_shortage(&error));
                }
            }
            if tries == MASK_TRIES {
                tracing::error!(run = %run.id, "this run ends with secrets in a file of its output, which readers see as stars; the file is tried again now and then and at each start, so make it writable");
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        true
    }
}
