//! What the parts of one seed share: time, chance, the faults to come, and what was seen.

use std::fmt::Arguments;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::{Chance, Clock, Timestamp};
use stagedoor_store::Store;
use stagedoor_store::in_line::Disk;
use tokio::sync::Notify;

use super::clients::Wish;
use super::dice::Dice;
use super::faults::{Fault, Faults};
use super::judge::Ledger;
use super::machine::Processes;
use super::time::Time;
use super::wire::Pair;

pub struct World {
    pub dice: Dice,
    pub disk: Disk,
    /// Reads the disk past every gate.
    pub eye: Store,
    pub time: Time,
    state: Mutex<State>,
    /// The runner has something to do.
    pub bell: Notify,
    /// A packet or the end of the connection is there for the server.
    pub mail: Notify,
    /// The server dies.
    pub server_death: Notify,
    /// Processes have ended.
    pub ends: Notify,
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "none of them follows from another"
)]
pub struct State {
    /// Which server; 0 before the first.
    pub life: u32,
    pub server_is_alive: bool,
    pub runner_is_alive: bool,
    /// TERM is on its way to it.
    pub runner_is_told: bool,
    /// Which runner it is, or was.
    pub runner: u32,
    /// Which one the last server noted that it had.
    pub runner_note: Option<u32>,
    /// Somebody wants to connect to the runner.
    pub knocking: Option<Arc<Pair>>,
    /// The connection of this server.
    connection: Option<Arc<Pair>>,
    /// Attempts that the runner holds.
    pub held: usize,
    pub wishes: Vec<Wish>,
    /// Nothing more will happen.
    pub is_over: bool,
    pub faults: Faults,
    pub processes: Processes,
    pub ledger: Ledger,
    pub disk_is_full_until: Duration,
    trace: Trace,
}

#[derive(Default)]
struct Trace {
    is_kept: bool,
    lines: Vec<String>,
}

impl World {
    pub fn new(seed: u64, disk: Disk, eye: Store, trace: bool) -> Self {
        let state = State {
            trace: Trace {
                is_kept: trace,
                lines: Vec::new(),
            },
            ..State::default()
        };
        Self {
            dice: Dice::new(seed),
            disk,
            eye,
            time: Time::default(),
            state: Mutex::new(state),
            bell: Notify::new(),
            mail: Notify::new(),
            server_death: Notify::new(),
            ends: Notify::new(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    pub fn note(&self, line: Arguments<'_>) {
        let now = self.monotonic();
        let trace = &mut self.state().trace;
        if trace.is_kept {
            trace
                .lines
                .push(format!("{:>9.3} {line}", now.as_secs_f64()));
        }
    }

    pub fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.state().trace.lines)
    }

    /// Something happens at which a fault may strike.
    pub fn step(&self, what: &str) {
        let fault = self.state().faults.next();
        let Some(fault) = fault else { return };
        self.note(format_args!("fault at {what}: {fault:?}"));
        match fault {
            Fault::Server => self.kill_server(),
            Fault::Runner => self.kill_runner(),
            Fault::Both => {
                self.kill_server();
                self.kill_runner();
            }
            Fault::Term => {
                let mut state = self.state();
                state.runner_is_told = state.runner_is_alive;
                drop(state);
                self.bell.notify_one();
            }
            Fault::FullDisk(lasts) => self.state().disk_is_full_until = self.monotonic() + lasts,
        }
    }

    /// From now on nothing that this server does has an effect.
    pub fn kill_server(&self) {
        self.state().server_is_alive = false;
        self.server_death.notify_one();
        self.bell.notify_one();
    }

    /// Its scripts die with it.
    pub fn kill_runner(&self) {
        let now = self.monotonic();
        let mut state = self.state();
        if state.runner_is_alive {
            state.runner_is_alive = false;
            state.runner_is_told = false;
            if state.held > 0 {
                state.ledger.runner_died();
            }
            state.processes.all_die(now);
            // Who was about to be let in is not let in by another one.
            if let Some(pair) = state.knocking.take() {
                pair.runner_goes();
            }
        }
        drop(state);
        self.bell.notify_one();
        self.mail.notify_one();
        self.ends.notify_waiters();
    }

    /// Waits until the process of this attempt has ended.
    pub async fn end_of(&self, key: (RunId, Epoch)) {
        let has_ended = || {
            let state = self.state();
            let process = state.processes.of(key);
            process.is_none_or(|process| process.ended.is_some())
        };
        loop {
            let change = self.ends.notified();
            if has_ended() {
                return;
            }
            change.await;
        }
    }

    pub fn begin_life(&self, life: u32, faults: Faults) {
        let mut state = self.state();
        (state.life, state.server_is_alive, state.faults) = (life, true, faults);
    }

    /// The server is gone, in whatever way.
    pub fn end_life(&self) {
        let mut state = self.state();
        state.server_is_alive = false;
        state.knocking = None;
        if let Some(pair) = state.connection.take() {
            pair.server_goes();
        }
        drop(state);
        self.bell.notify_one();
    }

    pub async fn death_of(&self, life: u32) {
        while self.is_alive(life) {
            self.server_death.notified().await;
        }
    }

    /// Asks for a connection.
    pub fn knock(&self) -> Arc<Pair> {
        let pair = Arc::<Pair>::default();
        let mut state = self.state();
        state.knocking = Some(Arc::clone(&pair));
        state.connection = Some(Arc::clone(&pair));
        self.bell.notify_one();
        pair
    }

    pub fn runner_that_is_there(&self) -> Option<u32> {
        let state = self.state();
        state.runner_is_alive.then_some(state.runner)
    }

    /// On disk, beside the database.
    pub fn write_note(&self, life: u32, runner: u32) {
        self.step("a note");
        if self.is_alive(life) {
            self.note(format_args!("the runner is noted: {runner}"));
            self.state().runner_note = Some(runner);
        }
        self.step("a note that was written");
    }

    pub fn is_alive(&self, life: u32) -> bool {
        let state = self.state();
        state.server_is_alive && state.life == life
    }

    /// Waits as long as this server lives, then for ever.
    pub async fn pause(&self, life: u32, at_most: u64) {
        let millis = self.dice.below(at_most + 1);
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        self.die_if_dead(life).await;
    }

    pub async fn die_if_dead(&self, life: u32) {
        if !self.is_alive(life) {
            std::future::pending::<()>().await;
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn monotonic(&self) -> Duration {
        self.time.monotonic()
    }
}

impl Chance for World {
    fn fill(&self, buffer: &mut [u8]) {
        self.dice.fill(buffer);
    }
}
