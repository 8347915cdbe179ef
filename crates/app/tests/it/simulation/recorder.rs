//! Output without bytes: when a process has ended, its streams come to their end.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stagedoor_app::ports::{Masking, Recorder};
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::Clock;
use stagedoor_output::{NotTaken, PumpEvent, Stream, Tail, View};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::judge::say;
use super::world::World;

type Key = (RunId, Epoch);

#[derive(Clone)]
pub struct Tape {
    world: Arc<World>,
    life: u32,
    events: UnboundedSender<PumpEvent>,
    /// What is live in this server.
    live: Arc<Mutex<BTreeMap<Key, Attached>>>,
    /// What this server hides.
    hidden: Arc<Mutex<BTreeSet<RunId>>>,
}

#[derive(Default)]
pub struct Attached {
    streams: Vec<Stream>,
    is_closing: bool,
}

impl Tape {
    pub fn new(world: Arc<World>, life: u32, events: UnboundedSender<PumpEvent>) -> Self {
        Self {
            world,
            life,
            events,
            live: Arc::default(),
            hidden: Arc::default(),
        }
    }

    fn hides(&self, run: RunId) -> bool {
        self.hidden.lock().expect("not poisoned").contains(&run)
    }

    /// As it is with files: not while output comes, not on a full disk, and never half.
    async fn mask_in_time(self, run: RunId, epoch: Epoch) -> io::Result<()> {
        self.world.pause(self.life, 3).await;
        self.world.step("masking");
        self.world.die_if_dead(self.life).await;
        let is_of_run = |key: &&Key| key.0 == run && key.1 <= epoch;
        let coming: Vec<Key> = {
            let live = self.live.lock().expect("not poisoned");
            live.keys().filter(is_of_run).copied().collect()
        };
        if !coming.is_empty() {
            for key in coming {
                self.close(key);
            }
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.world.monotonic() < self.world.state().disk_is_full_until {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        self.world.note(format_args!("{} is masked", say(run)));
        self.world.state().ledger.is_masked(run, epoch);
        self.world.step("what was masked");
        self.world.die_if_dead(self.life).await;
        Ok(())
    }

    /// Both streams of an attempt close, a little later.
    fn close(&self, key: Key) {
        let mut live = self.live.lock().expect("not poisoned");
        let Some(attempt) = live.get_mut(&key).filter(|attempt| !attempt.is_closing) else {
            return;
        };
        attempt.is_closing = true;
        let late = Duration::from_millis(self.world.dice.one_of(&[0, 0, 2, 30]));
        let (live, events) = (Arc::clone(&self.live), self.events.clone());
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            live.lock().expect("not poisoned").remove(&key);
            let (run, epoch) = key;
            let _ = events.send(PumpEvent::Closed {
                lost: 0,
                run,
                epoch,
                stdout: 5,
                stderr: 0,
            });
        });
    }

    /// Without a word of the runner: the pipes end with the process.
    fn close_with_the_process(&self, key: Key) {
        let tape = self.clone();
        tokio::spawn(async move {
            tape.world.end_of(key).await;
            tape.close(key);
        });
    }

    fn overflow(&self, (run, epoch): Key) {
        let (world, events) = (Arc::clone(&self.world), self.events.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(world.dice.below(30))).await;
            world.note(format_args!("{} writes too much", say(run)));
            world.state().ledger.wrote_too_much(run);
            let stream = Stream::Stdout;
            let _ = events.send(PumpEvent::OverLimit { run, epoch, stream });
        });
    }
}

impl Recorder for Tape {
    fn attach(
        &self,
        run: RunId,
        epoch: Epoch,
        stream: Stream,
        pipe: OwnedFd,
        _: u64,
    ) -> Result<(), NotTaken> {
        let is_full = self.world.monotonic() < self.world.state().disk_is_full_until;
        if is_full && self.world.dice.percent(50) {
            let error = io::ErrorKind::StorageFull.into();
            return Err(NotTaken { error, pipe });
        }
        let key = (run, epoch);
        self.world.judge_output(key, self.hides(run));
        let both = {
            let mut live = self.live.lock().expect("not poisoned");
            let attempt = live.entry(key).or_default();
            if attempt.streams.contains(&stream) {
                return Ok(());
            }
            attempt.streams.push(stream);
            attempt.streams.len() == 2
        };
        if both {
            self.close_with_the_process(key);
        }
        if self.world.dice.percent(3) {
            self.overflow(key);
        }
        Ok(())
    }

    fn finish(&self, run: RunId, epoch: Epoch) {
        self.close((run, epoch));
    }

    fn view(&self, _: RunId, _: Epoch) -> io::Result<View> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn watch(&self, _: RunId, _: Epoch) -> Option<watch::Receiver<Arc<Tail>>> {
        None
    }

    fn hide(&self, run: RunId, _: &[Zeroizing<Vec<u8>>], _: &[Zeroizing<Vec<u8>>]) {
        self.hidden.lock().expect("not poisoned").insert(run);
    }

    fn withhold(&self, run: RunId) {
        self.hide(run, &[], &[]);
    }

    fn mask(&self, run: RunId, epoch: Epoch) -> Option<Masking> {
        let is_hidden = self.hides(run);
        is_hidden.then(|| Box::pin(self.clone().mask_in_time(run, epoch)) as Masking)
    }

    fn reveal(&self, run: RunId) {
        self.hidden.lock().expect("not poisoned").remove(&run);
    }
}
