//! Who waits, and whose turn it is.
//!
//! Runs of scripts without a limit of their own wait together; those of each script with one wait
//! apart, so that a script at its limit is passed over as a whole. Each such group knows its next
//! run, and the next run of all is the first of theirs: by the user's turn, then by age.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Entry;
use crate::id::{RunId, UserId};
use crate::name::ScriptName;

/// A script with a limit, or all that have none.
type Group = Option<ScriptName>;
/// Numbers what arrives, and the turns; never used twice.
type Number = u64;

/// The runs that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    tickets: HashMap<RunId, Ticket>,
    users: HashMap<UserId, Line>,
    /// Lower is earlier.
    turns: BTreeMap<Number, UserId>,
    groups: HashMap<Group, Lanes>,
    /// The next run of each group that may go on.
    ready: BTreeSet<(Number, Number, Group)>,
    /// At index `n`: how many users have more than `n` runs here.
    more_than: Vec<usize>,
    last_number: Number,
}

#[derive(Debug)]
struct Ticket {
    entry: Entry,
    arrived: Number,
}

/// What waits of one user.
#[derive(Debug)]
struct Line {
    turn: Number,
    runs: BTreeSet<Number>,
    /// Its groups, each with how many runs.
    groups: HashMap<Group, usize>,
}

/// What waits in one group: by turn, each user's runs by age.
#[derive(Debug, Default)]
struct Lanes {
    by_turn: BTreeMap<Number, BTreeMap<Number, RunId>>,
    /// The script is at its limit.
    is_held: bool,
}

impl Lanes {
    fn next(&self) -> Option<(Number, Number, RunId)> {
        let (turn, lane) = self.by_turn.first_key_value()?;
        let (arrived, run) = lane.first_key_value()?;
        Some((*turn, *arrived, *run))
    }
}

impl Waiting {
    /// At the end of its user's line. `is_held`: its script is at its limit.
    pub fn push(&mut self, entry: Entry, is_held: bool) {
        let (run, arrived, group) = (entry.run, self.number(), group_of(&entry));
        let turn = self.line_of(entry.user);
        if let Some(line) = self.users.get_mut(&entry.user) {
            count(&mut self.more_than, line.runs.len(), true);
            line.runs.insert(arrived);
            *line.groups.entry(group.clone()).or_insert(0) += 1;
        }
        self.in_group(&group, |lanes| {
            lanes.is_held = is_held;
            lanes.by_turn.entry(turn).or_default().insert(arrived, run);
        });
        self.tickets.insert(run, Ticket { entry, arrived });
    }

    /// Takes a run out, wherever it stands.
    pub fn remove(&mut self, run: RunId) -> Option<Entry> {
        let Ticket { entry, arrived } = self.tickets.remove(&run)?;
        let group = group_of(&entry);
        let line = self.users.get_mut(&entry.user)?;
        let turn = line.turn;
        line.runs.remove(&arrived);
        count(&mut self.more_than, line.runs.len(), false);
        if let Some(of_group) = line.groups.get_mut(&group) {
            *of_group -= 1;
            if *of_group == 0 {
                line.groups.remove(&group);
            }
        }
        if line.runs.is_empty() {
            self.users.remove(&entry.user);
            self.turns.remove(&turn);
        }
        self.in_group(&group, |lanes| {
            if let Some(lane) = lanes.by_turn.get_mut(&turn) {
                lane.remove(&arrived);
                if lane.is_empty() {
                    lanes.by_turn.remove(&turn);
                }
            }
        });
        Some(entry)
    }

    /// Takes the next run out; its user has had their turn.
    pub fn take_next(&mut self) -> Option<Entry> {
        let (_, _, group) = self.ready.first()?;
        let (_, _, run) = self.groups.get(group)?.next()?;
        let entry = self.remove(run)?;
        self.end_turn(entry.user);
        Some(entry)
    }

    /// Could anyone start?
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A script came to its limit, or is below it again.
    pub fn hold(&mut self, script: &ScriptName, is_held: bool) {
        let group = Some(script.clone());
        if self.groups.contains_key(&group) {
            self.in_group(&group, |lanes| lanes.is_held = is_held);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// How many of this user wait.
    pub fn of_user(&self, user: UserId) -> usize {
        self.users.get(&user).map_or(0, |line| line.runs.len())
    }

    /// See [`super::Queue::position`].
    pub fn position(&self, run: RunId) -> Option<usize> {
        let ticket = self.tickets.get(&run)?;
        let line = self.users.get(&ticket.entry.user)?;
        let rank = line.runs.range(..ticket.arrived).count();
        // In each round before ours goes one run of everyone who has so many, ourselves included.
        let rounds: usize = self.more_than.iter().take(rank).sum();
        // In our own round those go before whose turn is earlier.
        let has_more = |user: &&UserId| self.of_user(**user) > rank;
        let earlier = self.turns.range(..line.turn).map(|(_, user)| user);
        Some(rounds + earlier.filter(has_more).count() + 1)
    }

    fn number(&mut self) -> Number {
        self.last_number += 1;
        self.last_number
    }

    /// The turn of a user; who did not wait before comes last.
    fn line_of(&mut self, user: UserId) -> Number {
        if let Some(line) = self.users.get(&user) {
            return line.turn;
        }
        let turn = self.number();
        self.turns.insert(turn, user);
        let line = Line {
            turn,
            runs: BTreeSet::new(),
            groups: HashMap::new(),
        };
        self.users.insert(user, line);
        turn
    }

    fn end_turn(&mut self, user: UserId) {
        let turn = self.number();
        let Some(line) = self.users.get_mut(&user) else {
            return;
        };
        let before = std::mem::replace(&mut line.turn, turn);
        self.turns.remove(&before);
        self.turns.insert(turn, user);
        let groups: Vec<Group> = line.groups.keys().cloned().collect();
        for group in groups {
            self.in_group(&group, |lanes| {
                if let Some(lane) = lanes.by_turn.remove(&before) {
                    lanes.by_turn.insert(turn, lane);
                }
            });
        }
    }

    /// Changes a group, and keeps in step which of its runs is next.
    fn in_group(&mut self, group: &Group, change: impl FnOnce(&mut Lanes)) {
        let lanes = self.groups.entry(group.clone()).or_default();
        let before = next_of(lanes, group);
        change(lanes);
        let (now, is_empty) = (next_of(lanes, group), lanes.by_turn.is_empty());
        if is_empty {
            self.groups.remove(group);
        }
        if before != now {
            if let Some(before) = before {
                self.ready.remove(&before);
            }
            self.ready.extend(now);
        }
    }
}

fn next_of(lanes: &Lanes, group: &Group) -> Option<(Number, Number, Group)> {
    let (turn, arrived, _) = lanes.next().filter(|_| !lanes.is_held)?;
    Some((turn, arrived, group.clone()))
}

fn group_of(entry: &Entry) -> Group {
    entry.script_running.map(|_| entry.script.clone())
}

/// One user more, or less, has more than `runs` runs.
fn count(more_than: &mut Vec<usize>, runs: usize, one_more: bool) {
    if more_than.len() <= runs {
        more_than.resize(runs + 1, 0);
    }
    if let Some(users) = more_than.get_mut(runs) {
        *users = if one_more {
            *users + 1
        } else {
            users.saturating_sub(1)
        };
    }
}
