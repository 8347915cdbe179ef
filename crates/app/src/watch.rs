//! What a page of a run listens to.

use std::io;
use std::sync::Arc;

use stagedoor_domain::access::MayRead;
use stagedoor_output::{Tail, View};
use tokio::sync::watch;

use crate::app::App;
use crate::view::RunView;

/// Changes of a live run. Both are none when it is not live any more.
#[derive(Debug, Default)]
pub struct Watch {
    /// Its state; the last value is the ended run.
    pub state: Option<watch::Receiver<Arc<RunView>>>,
    /// The last lines of its output.
    pub tail: Option<watch::Receiver<Arc<Tail>>>,
}

impl App {
    /// What `what` makes of the output of a run's last attempt, on a thread where reading files
    /// may block.
    pub async fn look<T: Send + 'static>(
        &self,
        _permit: MayRead,
        run: &RunView,
        what: impl FnOnce(View) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (outputs, id, epoch) = (self.inner.outputs.clone(), run.id, run.epoch);
        let look = move || outputs.view(id, epoch).and_then(what);
        tokio::task::spawn_blocking(look).await?
    }

    /// Listens to a run.
    pub fn watch(&self, _permit: MayRead, run: &RunView) -> Watch {
        Watch {
            state: self.live_run(run.id).map(|live| live.changes.subscribe()),
            tail: self.inner.outputs.watch(run.id, run.epoch),
        }
    }
}
