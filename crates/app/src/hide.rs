//! Keeps the secrets of a run out of what its readers see: hidden while they may stand in its
//! segments, masked there when it has ended, and forgotten only then.
//!
//! The values are sealed in the run's row until its outcome is written, which is after they were
//! masked; so the next server has what it needs whenever this one dies.

use std::io;

use stagedoor_domain::arguments::CheckedArgs;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::invocation::{Invocation, secret_texts};
use stagedoor_domain::script::Script;
use stagedoor_store::{RunRecord, StoreError};

use crate::app::App;
use crate::carry_out::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::live::LiveRun;
use crate::run_secrets::RunSecrets;
use crate::sealed::DoesNotOpen;

/// Said of what opens and is nothing that a server has sealed, or only a newer one.
const UNKNOWN_FORM: &str = "they have a form that this server does not know";

/// Why secrets could not be sealed in a row.
#[derive(Debug, thiserror::Error)]
enum SealError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("they have no form in which they could be kept")]
    Form(#[from] serde_json::Error),
    #[error("the key of this installation does not seal them")]
    Key(#[from] DoesNotOpen),
}

impl App {
    /// Hides what an attempt is about to be given in secret, when the row knows all of it. To be
    /// called before the attempt is handed over.
    pub(crate) async fn hide_secrets(&self, run: &LiveRun, script: &Script, given: &Invocation) {
        let mut secrets = RunSecrets {
            args: run
                .args
                .as_ref()
                .map(CheckedArgs::secrets)
                .unwrap_or_default(),
            given: Vec::new(),
        };
        if secrets.add_given(given) {
            self.seal_given(run.id, given).await;
        }
        self.hide(run.id, Some(script), &secrets);
    }

    /// Hides what an attempt was or will be given in secret, as far as the row knows it.
    pub(crate) fn hide(&self, run: RunId, script: Option<&Script>, secrets: &RunSecrets) {
        let arguments = secret_texts(script, &secrets.args);
        if !(arguments.is_empty() && secrets.given.is_empty()) {
            self.inner.outputs.hide(run, &secrets.given, &arguments);
        }
    }

    /// Seals in the row what the attempt is given beside its arguments. Tried until it works: a server
    /// that has to mask it later has no other place to know it from.
    async fn seal_given(&self, run: RunId, given: &Invocation) {
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.try_to_seal(run, given).await {
            tracing::error!(%run, %error, "could not seal the secrets of a run; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Together with what earlier attempts were given.
    async fn try_to_seal(&self, run: RunId, given: &Invocation) -> Result<(), SealError> {
        let record = self.inner.store.run(run).await?;
        let mut secrets = record
            .and_then(|record| self.secrets_of(&record))
            .unwrap_or_default();
        if secrets.add_given(given) {
            let (text, vault) = (secrets.to_text()?, &self.inner.vault);
            let sealed = vault.seal(run.as_bytes(), &text, self.chance())?;
            self.inner.store.keep_secrets(run, sealed).await?;
        }
        Ok(())
    }

    /// What is sealed in this row; none when it does not open.
    pub(crate) fn secrets_of(&self, record: &RunRecord) -> Option<RunSecrets> {
        let Some(sealed) = &record.secrets else {
            return Some(RunSecrets::default());
        };
        let opened = self.inner.vault.open(record.id.as_bytes(), sealed);
        let read = opened
            .map_err(|error| error.to_string())
            .and_then(|text| RunSecrets::parse(&text).ok_or_else(|| UNKNOWN_FORM.to_owned()));
        read.inspect_err(|error| {
            tracing::error!(run = %record.id, %error, "could not read the secrets of a run; what it has printed of them cannot be masked");
        })
        .ok()
    }

    /// Masks the output of a run that has ended, if there is anything to mask. Tried until it works:
    /// what is sealed must not be dropped before.
    pub(crate) async fn mask_output(&self, run: RunId, epoch: Epoch) {
        let mut pause = FIRST_PAUSE;
        while let Some(masking) = self.inner.outputs.mask(run, epoch) {
            match masking.await {
                Ok(()) => return,
                // Its last bytes are on their way.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::error!(%run, %error, "could not mask the secrets in the output of a run; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
