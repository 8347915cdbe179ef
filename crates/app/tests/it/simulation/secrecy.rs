//! What must hold of secrets: hidden before output is kept, and sealed until it is masked.

use stagedoor_domain::id::{Epoch, RunId};

use super::judge::{Ledger, say};
use super::world::World;

impl Ledger {
    /// This attempt and those before it.
    pub fn is_masked(&mut self, run: RunId, epoch: Epoch) {
        self.unmasked.retain(|key| key.0 != run || key.1 > epoch);
    }
}

impl World {
    /// Before output is kept: where it may hold a secret, that must be hidden by now.
    pub fn judge_output(&self, (run, epoch): (RunId, Epoch), is_hidden: bool) {
        if self.row(run).is_none_or(|row| row.secrets.is_none()) {
            return;
        }
        self.state().ledger.unmasked.insert((run, epoch));
        if !is_hidden {
            let said = say(run);
            self.wrong(format_args!("the secret of {said} is not hidden"));
        }
    }

    /// Whatever is not masked must be sealed in its row, for who masks it after the next death.
    pub fn judge_secrets(&self) {
        let unmasked = self.state().ledger.unmasked.clone();
        for (run, epoch) in unmasked {
            if self.row(run).is_none_or(|row| row.secrets.is_none()) {
                let (said, epoch) = (say(run), epoch.0);
                self.wrong(format_args!(
                    "attempt {epoch} of {said} is not masked, and its secret is dropped"
                ));
            }
        }
    }
}
