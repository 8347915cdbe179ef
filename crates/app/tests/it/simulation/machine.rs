//! The operating system below the runner: processes that end at once, late, never, or when told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::Clock;
use stagedoor_runner::simulation::{Ended, System};
use stagedoor_runner::{Plan, Refusal};

use super::dice::Dice;
use super::judge::say;
use super::world::World;

const TERM: i32 = 15;
const KILL: i32 = 9;

/// Exit code, or signal.
pub type Status = (Option<i32>, Option<i32>);

/// A process, also one that is long gone.
pub struct Process {
    pub key: (RunId, Epoch),
    pub script: String,
    /// It became the script; one that fails before that has done nothing.
    pub executes: bool,
    pub ended: Option<(Duration, Status)>,
    /// It ended of its own accord, before anybody sent it a signal.
    pub by_itself: bool,
    /// After TERM it ends after so long; none takes no notice.
    heeds_term: Option<Duration>,
    signalled: bool,
}

#[derive(Default)]
pub struct Processes {
    /// By number; numbers are not used again.
    all: BTreeMap<u32, Process>,
    to_come: BTreeMap<(Duration, u64), (u32, Happens)>,
    serial: u64,
    /// Not waited for by the runner yet.
    zombies: VecDeque<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Executes,
    Ends(Status),
}

impl Processes {
    pub fn all(&self) -> impl Iterator<Item = &Process> {
        self.all.values()
    }

    pub fn of(&self, key: (RunId, Epoch)) -> Option<&Process> {
        self.all()
            .find(|process| process.key == key && process.executes)
    }

    /// When something happens next.
    pub fn due(&self) -> Option<Duration> {
        self.to_come.keys().next().map(|(due, _)| *due)
    }

    /// Lets happen what is due; false when nothing was.
    pub fn go_on(&mut self, now: Duration) -> bool {
        let Some(entry) = self
            .to_come
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        else {
            return false;
        };
        let (pid, happens) = entry.remove();
        let Some(process) = self
            .all
            .get_mut(&pid)
            .filter(|process| process.ended.is_none())
        else {
            return true;
        };
        match happens {
            Happens::Executes => process.executes = true,
            Happens::Ends(status) => {
                process.by_itself = !process.signalled;
                process.ended = Some((now, status));
                self.zombies.push_back(pid);
            }
        }
        true
    }

    /// Some have ended, and the runner does not know it yet.
    pub fn has_zombies(&self) -> bool {
        !self.zombies.is_empty()
    }

    fn plan(&mut self, at: Duration, pid: u32, happens: Happens) {
        self.serial += 1;
        self.to_come.insert((at, self.serial), (pid, happens));
    }

    /// The runner is killed.
    pub fn all_die(&mut self, now: Duration) {
        for process in self.all.values_mut() {
            process.ended.get_or_insert((now, (None, Some(KILL))));
        }
        self.to_come.clear();
        self.zombies.clear();
    }

    fn begin(&mut self, key: (RunId, Epoch), script: String, now: Duration, dice: &Dice) -> u32 {
        let pid = 5_000_000 + u32::try_from(self.all.len()).expect("few");
        let millis = Duration::from_millis;
        let executes_at = now + millis(dice.below(4));
        self.plan(executes_at, pid, Happens::Executes);
        if let Some(life) = lifetime(&script, dice) {
            let status = dice.one_of(&[
                (Some(0), None),
                (Some(0), None),
                (Some(1), None),
                (Some(3), None),
                (None, Some(11)),
                (None, Some(TERM)),
                (None, Some(KILL)),
            ]);
            self.plan(executes_at + life, pid, Happens::Ends(status));
        }
        let process = Process {
            key,
            script,
            executes: false,
            ended: None,
            by_itself: false,
            heeds_term: dice
                .percent(70)
                .then(|| millis(dice.one_of(&[0, 5, 500, 3_000]))),
            signalled: false,
        };
        self.all.insert(pid, process);
        pid
    }

    fn signal(&mut self, pid: u32, signal: i32, now: Duration, dice: &Dice) -> bool {
        let Some(process) = self
            .all
            .get_mut(&pid)
            .filter(|process| process.ended.is_none())
        else {
            return false;
        };
        let ends_after = match signal {
            KILL => Some(Duration::from_millis(dice.below(3))),
            TERM => process.heeds_term,
            _ => return true,
        };
        process.signalled = true;
        if let Some(after) = ends_after {
            let code = signal == TERM && dice.percent(30);
            let status = if code {
                (Some(0), None)
            } else {
                (None, Some(signal))
            };
            self.plan(now + after, pid, Happens::Ends(status));
        }
        true
    }
}

/// None for a process that does not end by itself.
fn lifetime(script: &str, dice: &Dice) -> Option<Duration> {
    if script == "endless" && dice.percent(80) {
        return None;
    }
    let millis = match dice.below(10) {
        0..3 => 0,
        3..7 => dice.below(40),
        7..9 => dice.below(2_000),
        _ => dice.below(20_000),
    };
    Some(Duration::from_millis(millis))
}

/// The system as one runner sees it: nothing that a dead one does has an effect.
pub struct Below {
    pub world: Arc<World>,
}

impl System for Below {
    fn start(&self, plan: &Plan) -> Result<u32, Refusal> {
        let (world, key) = (&self.world, (plan.run, plan.epoch));
        if world.dice.percent(3) {
            world.note(format_args!("{} is refused", say(key.0)));
            return Err(Refusal::NotExecutable);
        }
        world.judge_start(key);
        let script = plan.env.iter().find(|(name, _)| name == "STAGEDOOR_SCRIPT");
        let script = script.map(|(_, script)| script.clone()).unwrap_or_default();
        let now = world.monotonic();
        let pid = world.state().processes.begin(key, script, now, &world.dice);
        world.note(format_args!(
            "{} attempt {} is process {pid}",
            say(key.0),
            key.1.0
        ));
        Ok(pid)
    }

    fn executes(&self, pid: u32) -> bool {
        let state = self.world.state();
        let process = state.processes.all.get(&pid);
        process.is_some_and(|process| process.executes || process.ended.is_some())
    }

    fn signal(&self, pid: u32, signal: i32) -> bool {
        let (world, now) = (&self.world, self.world.monotonic());
        world.note(format_args!("signal {signal} to {pid}"));
        world
            .state()
            .processes
            .signal(pid, signal, now, &world.dice)
    }

    fn wait(&self) -> Option<Ended> {
        let mut state = self.world.state();
        let pid = state.processes.zombies.pop_front()?;
        let (_, (code, signal)) = state.processes.all.get(&pid)?.ended?;
        drop(state);
        self.world
            .note(format_args!("{pid} has ended: {code:?} {signal:?}"));
        Some(Ended { pid, code, signal })
    }
}
