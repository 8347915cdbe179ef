//! A pipe that is handed over late, because no descriptor was free, while its run ends: what comes through it
//! is masked as all the rest.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use stagedoor_app::ports::{Masking, Recorder};
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::run::{Outcome, State};
use stagedoor_output::{NotTaken, Outputs, Stream, Tail, View};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::house::House;
use crate::secrets::SECRET;
use crate::withheld::{TELLER, masked, segment};

/// So long masking is given to come in between, which it must not.
const CHANCE: Duration = Duration::from_secs(1);

/// How far things are.
#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    #[default]
    Begun,
    /// Standard output was turned away once.
    TurnedAway,
    /// It is just being handed over.
    Attaching,
    Attached,
}

/// Turns standard output away once, and takes its time at the second attempt.
#[derive(Default)]
pub struct Door {
    stage: Mutex<(Stage, bool)>,
    bell: Condvar,
}

impl Door {
    fn set(&self, stage: Stage) {
        self.stage.lock().expect("not poisoned").0 = stage;
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.stage.lock().expect("not poisoned").0 >= stage
    }

    fn masked(&self) {
        self.stage.lock().expect("not poisoned").1 = true;
        self.bell.notify_all();
    }

    fn wait_for_masking(&self) {
        let stage = self.stage.lock().expect("not poisoned");
        let waited = self.bell.wait_timeout_while(stage, CHANCE, |at| !at.1);
        drop(waited.expect("not poisoned"));
    }
}

/// Output with such a door.
pub struct LateOutputs {
    pub outputs: Outputs,
    pub door: Arc<Door>,
}

impl Recorder for LateOutputs {
    fn attach(
        &self,
        run: RunId,
        epoch: Epoch,
        stream: Stream,
        pipe: OwnedFd,
        cap: u64,
    ) -> Result<(), NotTaken> {
        if stream == Stream::Stderr {
            return self.outputs.attach(run, epoch, stream, pipe, cap);
        }
        if !self.door.is_at(Stage::TurnedAway) {
            self.door.set(Stage::TurnedAway);
            let error = io::Error::from(rustix::io::Errno::MFILE);
            return Err(NotTaken { error, pipe });
        }
        self.door.set(Stage::Attaching);
        self.door.wait_for_masking();
        let attached = self.outputs.attach(run, epoch, stream, pipe, cap);
        self.door.set(Stage::Attached);
        attached
    }

    fn finish(&self, run: RunId, epoch: Epoch) {
        self.outputs.finish(run, epoch);
    }

    fn view(&self, run: RunId, epoch: Epoch) -> io::Result<View> {
        self.outputs.view(run, epoch)
    }

    fn watch(&self, run: RunId, epoch: Epoch) -> Option<watch::Receiver<Arc<Tail>>> {
        self.outputs.watch(run, epoch)
    }

    fn hide(&self, run: RunId, stored: &[Zeroizing<Vec<u8>>], arguments: &[Zeroizing<Vec<u8>>]) {
        self.outputs.hide(run, stored, arguments);
    }

    fn withhold(&self, run: RunId) {
        self.outputs.withhold(run);
    }

    fn mask(&self, run: RunId, epoch: Epoch) -> Option<Masking> {
        let masking = Recorder::mask(&self.outputs, run, epoch)?;
        let door = Arc::clone(&self.door);
        Some(Box::pin(async move {
            masking.await.inspect(|()| door.masked())
        }))
    }

    fn reveal(&self, run: RunId) {
        self.outputs.reveal(run);
    }
}

#[tokio::test]
async fn w24_what_comes_through_a_pipe_that_is_taken_while_its_run_ends_is_masked() {
    let mut house = House::with(&[TELLER]).await;
    let door = Arc::new(Door::default());
    house.crash();
    house.door = Some(Arc::clone(&door));
    house.serve().await;
    let ann = house.user("ann", &[]).await;
    let run = ann.start("teller", &[("token", SECRET)]).await.id;
    house.await_on_stage("printed", "there\n").await;
    ann.until(run, State::Running).await;
    until(|| door.is_at(Stage::Attaching)).await;
    house.kill_runner();
    assert_eq!(ann.end_of(run).await.outcome, Some(Outcome::Lost));
    until(|| door.is_at(Stage::Attached)).await;
    until(|| segment(&house, run).is_some_and(|text| !text.is_empty())).await;
    assert_eq!(segment(&house, run), Some(masked("")));
}

async fn until(is: impl Fn() -> bool) {
    for _ in 0..3000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}
