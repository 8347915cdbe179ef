//! Which run starts next: limits in all, per script and per user, and fairness between users.
//!
//! Users take turns. Within a user the oldest run goes first, unless its script is at its limit:
//! then the next one of another script may pass it.

use std::collections::{HashMap, VecDeque};

use crate::id::{RunId, UserId};
use crate::name::ScriptName;

/// How many runs there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Running at once, in all.
    pub running: usize,
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
    /// Runs of this script at once; none means only the limit in all counts.
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
    running: HashMap<RunId, ScriptName>,
    running_of: HashMap<ScriptName, u32>,
    waiting: HashMap<UserId, VecDeque<Entry>>,
    /// Whose turn it is: the front user is served next.
    turns: VecDeque<UserId>,
    waiting_of: HashMap<ScriptName, u32>,
    waiting_in_all: usize,
}

impl Queue {
    /// An empty queue.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            running: HashMap::new(),
            running_of: HashMap::new(),
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            waiting_of: HashMap::new(),
            waiting_in_all: 0,
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
        if self.fits(&entry) && !self.someone_could_start() {
            self.take(&entry);
            return Ok(Admission::Start);
        }
        self.room_for(&entry)?;
        self.wait(entry);
        Ok(Admission::Wait)
    }

    /// Puts a run that was accepted earlier at the end, whatever the limits of waiting say.
    pub fn restore_waiting(&mut self, entry: Entry) {
        self.wait(entry);
    }

    /// Notes a run that holds a slot already, as after a restart.
    pub fn restore_running(&mut self, entry: &Entry) {
        self.take(entry);
    }

    /// The run no longer holds a slot or a place. Returns whether it was known.
    pub fn release(&mut self, run: RunId) -> bool {
        if let Some(script) = self.running.remove(&run) {
            decrement(&mut self.running_of, &script);
            return true;
        }
        self.leave(run).is_some()
    }

    /// The next run that may start, which now holds a slot. Call until `None`.
    pub fn start_next(&mut self) -> Option<RunId> {
        if self.running.len() >= self.capacity.running {
            return None;
        }
        for _ in 0..self.turns.len() {
            let user = self.turns.pop_front()?;
            let found = self.first_that_fits(user);
            self.turns.push_back(user);
            if let Some(run) = found {
                let entry = self.leave(run)?;
                self.take(&entry);
                return Some(run);
            }
        }
        None
    }

    /// The place of a waiting run in the order of starts, from 1, if no limit of a script comes
    /// between. None when it does not wait.
    pub fn position(&self, run: RunId) -> Option<usize> {
        let (user, rank) = self.waiting.iter().find_map(|(user, runs)| {
            let rank = runs.iter().position(|entry| entry.run == run)?;
            Some((*user, rank))
        })?;
        let turn = self.turns.iter().position(|u| *u == user)?;
        // Of each other user as many go before as there are rounds before ours.
        let before: usize = self
            .turns
            .iter()
            .enumerate()
            .filter(|(_, other)| **other != user)
            .map(|(at, other)| {
                let waiting = self.waiting.get(other).map_or(0, VecDeque::len);
                waiting.min(rank + usize::from(at < turn))
            })
            .sum();
        Some(before + rank + 1)
    }

    /// How many hold a slot.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting_in_all
    }

    fn fits(&self, entry: &Entry) -> bool {
        let of_script = self.running_of.get(&entry.script).copied().unwrap_or(0);
        self.running.len() < self.capacity.running
            && entry.script_running.is_none_or(|most| of_script < most)
    }

    fn someone_could_start(&self) -> bool {
        self.waiting_in_all > 0
            && self
                .waiting
                .values()
                .flatten()
                .any(|entry| self.fits(entry))
    }

    fn first_that_fits(&self, user: UserId) -> Option<RunId> {
        let runs = self.waiting.get(&user)?;
        runs.iter()
            .find(|entry| self.fits(entry))
            .map(|entry| entry.run)
    }

    fn room_for(&self, entry: &Entry) -> Result<(), QueueFull> {
        let of_user = self.waiting.get(&entry.user).map_or(0, VecDeque::len);
        let of_script = self.waiting_of.get(&entry.script).copied().unwrap_or(0);
        match entry.script_queued {
            Some(most) if of_script >= most => Err(QueueFull::Script(most)),
            _ if self.waiting_in_all >= self.capacity.queued => {
                Err(QueueFull::All(self.capacity.queued))
            }
            _ if of_user >= self.capacity.queued_per_user => {
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
            *self.running_of.entry(entry.script.clone()).or_insert(0) += 1;
        }
    }

    fn wait(&mut self, entry: Entry) {
        *self.waiting_of.entry(entry.script.clone()).or_insert(0) += 1;
        self.waiting_in_all += 1;
        let runs = self.waiting.entry(entry.user).or_default();
        if runs.is_empty() {
            self.turns.push_back(entry.user);
        }
        runs.push_back(entry);
    }

    fn leave(&mut self, run: RunId) -> Option<Entry> {
        let (user, at) = self.waiting.iter().find_map(|(user, runs)| {
            Some((*user, runs.iter().position(|entry| entry.run == run)?))
        })?;
        let runs = self.waiting.get_mut(&user)?;
        let entry = runs.remove(at)?;
        if runs.is_empty() {
            self.waiting.remove(&user);
            self.turns.retain(|u| *u != user);
        }
        self.waiting_in_all -= 1;
        decrement(&mut self.waiting_of, &entry.script);
        Some(entry)
    }
}

fn decrement(counts: &mut HashMap<ScriptName, u32>, script: &ScriptName) {
    if let Some(count) = counts.get_mut(script) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(script);
        }
    }
}

#[cfg(test)]
mod tests;
