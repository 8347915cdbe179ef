//! The secret values of runs whose output may still hold them: while a run goes on, and until its
//! segments are masked.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aho_corasick::BuildError;
use stagedoor_domain::id::{Epoch, RunId};
use zeroize::Zeroizing;

use crate::live::lock;
use crate::needles::{self, Needles};

/// What must not be shown of a run.
pub(crate) struct Hidden {
    what: What,
    /// Attempts that no byte will be added to.
    closed: Mutex<BTreeSet<Epoch>>,
    /// Held to write while a segment is masked, so that nobody reads a value that is half gone and
    /// would not be known any more.
    gate: Arc<RwLock<()>>,
}

enum What {
    /// Every byte but line ends: nobody knows which of them are secret.
    All,
    /// These values.
    Values {
        texts: Vec<Zeroizing<Vec<u8>>>,
        /// Made when it is needed, on a thread that may take its time.
        needles: OnceLock<Result<Needles, BuildError>>,
    },
}

impl What {
    fn texts(&self) -> &[Zeroizing<Vec<u8>>] {
        match self {
            Self::All => &[],
            Self::Values { texts, .. } => texts,
        }
    }
}

impl Hidden {
    /// What there is to find, made on the first call; none where all is hidden.
    pub fn needles(&self) -> io::Result<Option<&Needles>> {
        let What::Values { texts, needles } = &self.what else {
            return Ok(None);
        };
        // Whoever comes meanwhile waits instead of making the same.
        let made = needles.get_or_init(|| Needles::new(texts));
        let made = made.as_ref();
        made.map(Some)
            .map_err(|error| io::Error::other(error.clone()))
    }

    /// No byte will be added to this attempt.
    pub fn close(&self, epoch: Epoch) {
        lock(&self.closed).insert(epoch);
    }

    /// Whether no byte will be added to this attempt.
    pub fn is_closed(&self, epoch: Epoch) -> bool {
        lock(&self.closed).contains(&epoch)
    }

    /// Held while a segment is read.
    pub fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody masks just now.
    #[cfg(test)]
    pub fn is_being_masked(&self) -> bool {
        self.gate.try_read().is_err()
    }

    /// Held while a segment is masked.
    pub fn masking(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runs with something to hide.
#[derive(Default)]
pub(crate) struct HiddenOfRuns(Mutex<HashMap<RunId, Arc<Hidden>>>);

impl HiddenOfRuns {
    /// What is to be hidden of a run; none of nearly all.
    pub fn get(&self, run: RunId) -> Option<Arc<Hidden>> {
        lock(&self.0).get(&run).cloned()
    }

    /// Begins to hide these values. Those of an earlier attempt stay hidden. What the operator stored
    /// goes first where not all can be looked for: the arguments are chosen by whoever starts a run.
    pub fn add(&self, run: RunId, stored: &[Zeroizing<Vec<u8>>], arguments: &[Zeroizing<Vec<u8>>]) {
        let mut runs = lock(&self.0);
        let before = runs.get(&run);
        if before.is_some_and(|hidden| matches!(hidden.what, What::All)) {
            return;
        }
        let earlier = before.map_or(&[][..], |hidden| hidden.what.texts());
        let (texts, is_all) = needles::texts(&[stored, earlier, arguments]);
        if !is_all {
            tracing::warn!(%run, "this run has more bytes of secrets than are looked for in its output");
        }
        if texts.is_empty() || before.is_some_and(|hidden| hidden.what.texts() == texts) {
            return;
        }
        let needles = OnceLock::new();
        put(&mut runs, run, What::Values { texts, needles });
    }

    /// Begins to hide all of a run.
    pub fn add_all(&self, run: RunId) {
        put(&mut lock(&self.0), run, What::All);
    }

    /// There is nothing left to hide.
    pub fn remove(&self, run: RunId) {
        lock(&self.0).remove(&run);
    }
}

/// In the place of what was hidden before.
fn put(runs: &mut HashMap<RunId, Arc<Hidden>>, run: RunId, what: What) {
    let before = runs.get(&run);
    let closed = before.map_or_else(BTreeSet::new, |hidden| lock(&hidden.closed).clone());
    // A view of before must meet what is masked later.
    let gate = before.map_or_else(Arc::default, |hidden| Arc::clone(&hidden.gate));
    let hidden = Hidden {
        what,
        closed: Mutex::new(closed),
        gate,
    };
    runs.insert(run, Arc::new(hidden));
}
