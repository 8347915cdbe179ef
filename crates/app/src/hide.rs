//! Keeps the secrets of a run out of what its readers see: hidden while they may stand in its
//! segments, masked there when it has ended, and forgotten only then.
//!
//! The values are sealed in the run's row until its outcome is written, which is after they were
//! masked; so the next server has what it needs whenever this one dies.

use std::collections::BTreeMap;
use std::io;

use stagedoor_domain::arguments::CheckedArgs;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::invocation::{Invocation, secret_texts};
use stagedoor_domain::param::Value;
use stagedoor_domain::script::Script;
use zeroize::Zeroizing;

use crate::app::App;
use crate::carry_out::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::live::LiveRun;

impl App {
    /// Hides what an attempt is about to be given in secret. To be called before it is handed over.
    pub(crate) fn hide_secrets(&self, run: &LiveRun, script: &Script, given: &Invocation) {
        let secrets = run.args.as_ref().map(CheckedArgs::secrets);
        let mut values = secret_texts(Some(script), &secrets.unwrap_or_default());
        let files = given.files.iter().filter(|file| file.secret);
        values.extend(files.map(|file| Zeroizing::new(file.content.clone())));
        self.hide(run.id, values);
    }

    /// Hides what an earlier server gave an attempt in secret, as far as the row knows it.
    pub(crate) fn hide_sealed(
        &self,
        run: RunId,
        script: Option<&Script>,
        secrets: Option<&BTreeMap<String, Value>>,
    ) {
        if let Some(secrets) = secrets {
            self.hide(run, secret_texts(script, secrets));
        }
    }

    fn hide(&self, run: RunId, values: Vec<Zeroizing<Vec<u8>>>) {
        if !values.is_empty() {
            self.inner.outputs.hide(run, values);
        }
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
