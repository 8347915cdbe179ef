//! Which run starts next: limits in all, per script and per user, and fairness between users.
//!
//! Users take turns. Within a user the oldest run goes first, unless its script is at its limit:
//! then the next one of another script may pass it. A run that starts needs two things at once: a
//! slot, which it holds until it ends, and a place among the starts in flight, which it holds until
//! its script is known to execute. No call looks at all that wait.

mod waiting;

use std::collections::{HashMap, HashSet};

use crate::id::{RunId, UserId};
use crate::name::ScriptName;
use waiting::Waiting;

/// How many runs there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Running at once, in all.
    pub running: usize,
    /// Of these, handed to the runner and not yet known to execute. More than the machine can
    /// start at once only make each start slower.
    pub starting: usize,
    /// Waiting, in all.
    pub queued: usize,
    /// Waiting, of one user.
    pub queued_per_user: usize,
}

/// One run, as the queue sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which run.
    pub run: RunId,
    /// Whose.
    pub user: UserId,
    /// Of which script.
    pub script: ScriptName,
    /// Runs of this script at once; none means only the limit in all counts. What the newest entry
    /// says holds for all of its script that have a limit.
    pub script_running: Option<u32>,
    /// Runs of this script that may wait.
    pub script_queued: Option<u32>,
}

/// What becomes of a new run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It holds a slot now.
    Start,
    /// It waits.
    Wait,
}

/// The queue is full; the text says which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// The limit in all.
    #[error("the queue is full ({0} waiting); try again when some have started")]
    All(usize),
    /// The limit of this user.
    #[error("your part of the queue is full ({0} waiting); try again when some have started")]
    User(usize),
    /// The limit of this script.
    #[error("the queue of this script is full ({0} waiting); try again when some have started")]
    Script(u32),
}

/// Slots and waiting runs. A value without I/O; one per server.
#[derive(Debug)]
pub struct Queue {
    capacity: Capacity,
    /// Who holds a slot.
    running: HashMap<RunId, ScriptName>,
    /// Of these, who is not known to execute yet.
    starting: HashSet<RunId>,
    waiting: Waiting,
    scripts: HashMap<ScriptName, Load>,
}

/// What there is of one script.
#[derive(Debug, Default)]
struct Load {
    running: u32,
    waiting: u32,
    /// How many may run at once.
    most: Option<u32>,
}

impl Load {
    fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.running >= most)
    }
}

impl Queue {
    /// An empty queue.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            running: HashMap::new(),
            starting: HashSet::new(),
            waiting: Waiting::default(),
            scripts: HashMap::new(),
        }
    }

    /// Goes on with other limits. What holds a slot or a place keeps it.
    pub fn set_capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// Gives a new run a slot or a place, or says which limit is reached.
    ///
    /// A slot is given only when nobody waits for one that this run could take.
    pub fn admit(&mut self, entry: Entry) -> Result<Admission, QueueFull> {
        let most = entry.script_running;
        let is_full = self.change(&entry.script, |load| load.most = most);
        if self.has_place() && !is_full && !self.waiting.has_ready() {
            self.take(&entry);
            return Ok(Admission::Start);
        }
        self.room_for(&entry)
            .inspect_err(|_| self.tidy(&entry.script))?;
        self.wait(entry);
        Ok(Admission::Wait)
    }

    /// Puts a run that was accepted earlier at the end, whatever the limits of waiting say.
    pub fn restore_waiting(&mut self, entry: Entry) {
        self.change(&entry.script, |load| load.most = entry.script_running);
        self.wait(entry);
    }

    /// Notes a run that holds a slot already, as after a restart. `is_starting`: it is not known
    /// to execute.
    pub fn restore_running(&mut self, entry: &Entry, is_starting: bool) {
        self.change(&entry.script, |load| load.most = entry.script_running);
        self.take(entry);
        if !is_starting {
            self.starting.remove(&entry.run);
        }
    }

    /// The run is known to execute: the next one may be started. Returns whether that is news.
    pub fn executes(&mut self, run: RunId) -> bool {
        self.starting.remove(&run)
    }

    /// The run no longer holds a slot or a place. Returns whether it was known.
    pub fn release(&mut self, run: RunId) -> bool {
        self.starting.remove(&run);
        if let Some(script) = self.running.remove(&run) {
            self.change(&script, |load| load.running -= 1);
            self.tidy(&script);
            return true;
        }
        let Some(entry) = self.waiting.remove(run) else {
            return false;
        };
        self.change(&entry.script, |load| load.waiting -= 1);
        self.tidy(&entry.script);
        true
    }

    /// The next run that may start, which now holds a slot. Call until `None`.
    pub fn start_next(&mut self) -> Option<RunId> {
        if !self.has_place() {
            return None;
        }
        let entry = self.waiting.take_next()?;
        self.change(&entry.script, |load| load.waiting -= 1);
        self.take(&entry);
        Some(entry.run)
    }

    /// The place of a waiting run in the order of starts, from 1, if no limit of a script comes
    /// between. None when it does not wait. Looks at its user's runs and once at each other user
    /// whose turn comes before.
    pub fn position(&self, run: RunId) -> Option<usize> {
        self.waiting.position(run)
    }

    /// How many hold a slot.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many of these are not known to execute yet.
    pub fn starting(&self) -> usize {
        self.starting.len()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn has_place(&self) -> bool {
        // A limit of 0 would stop every start for ever.
        self.running.len() < self.capacity.running
            && self.starting.len() < self.capacity.starting.max(1)
    }

    fn room_for(&self, entry: &Entry) -> Result<(), QueueFull> {
        let of_script = self.scripts.get(&entry.script).map_or(0, |l| l.waiting);
        match entry.script_queued {
            Some(most) if of_script >= most => Err(QueueFull::Script(most)),
            _ if self.waiting.len() >= self.capacity.queued => {
                Err(QueueFull::All(self.capacity.queued))
            }
            _ if self.waiting.of_user(entry.user) >= self.capacity.queued_per_user => {
                Err(QueueFull::User(self.capacity.queued_per_user))
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, entry: &Entry) {
        if self
            .running
            .insert(entry.run, entry.script.clone())
            .is_none()
        {
            self.starting.insert(entry.run);
            self.change(&entry.script, |load| load.running += 1);
        }
    }

    fn wait(&mut self, entry: Entry) {
        let is_full = self.change(&entry.script, |load| load.waiting += 1);
        self.waiting.push(entry, is_full);
    }

    /// Changes what is known of a script, and tells who waits for it. Returns whether it is at
    /// its limit now.
    fn change(&mut self, script: &ScriptName, change: impl FnOnce(&mut Load)) -> bool {
        if !self.scripts.contains_key(script) {
            self.scripts.insert(script.clone(), Load::default());
        }
        let Some(load) = self.scripts.get_mut(script) else {
            return false;
        };
        let before = load.is_full();
        change(load);
        let now = load.is_full();
        if before != now {
            self.waiting.hold(script, now);
        }
        now
    }

    /// Nothing is kept of a script without runs.
    fn tidy(&mut self, script: &ScriptName) {
        let is_idle = |load: &Load| load.running == 0 && load.waiting == 0;
        if self.scripts.get(script).is_some_and(is_idle) {
            self.scripts.remove(script);
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
