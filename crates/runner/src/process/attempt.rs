//! One attempt, from the fork until the server says `forget`.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use stagedoor_domain::sandbox::Enforced;
use stagedoor_domain::time::Timestamp;

use super::keeper::{Keeper, Word};
use super::members::Member;
use super::tree::Tree;
use super::unconfirmed::Unconfirmed;
use crate::protocol::{ExitRecord, Refusal, StopKind};

/// How long a child may take to execute: one that somebody suspends must not hold up others.
const TO_EXECUTE: Duration = Duration::from_secs(30);
/// After KILL, how often it is sent again to processes that came to light since.
const AGAIN: Duration = Duration::from_millis(200);

/// What the runner keeps of an attempt.
pub(super) enum Attempt {
    /// It never executed.
    Refused(Refusal),
    /// It has processes, or the runner does not know yet that it has none.
    Live(Box<Live>),
    /// It is over.
    Ended(Ends, ExitRecord),
}

/// What a server is handed.
pub(super) struct Ends {
    pub(super) main: Member,
    pub(super) started_at: Timestamp,
    /// The read ends of standard output and of standard error; none where nothing is to be read.
    pub(super) streams: Option<[OwnedFd; 2]>,
    /// The name of its folder.
    pub(super) scratch: String,
    /// What it was held by.
    pub(super) enforced: Enforced,
}

impl Ends {
    /// In the order of the message.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let streams = self.streams.as_ref();
        streams.map_or_else(Vec::new, |[stdout, stderr]| {
            vec![stdout.as_fd(), stderr.as_fd(), self.main.as_fd()]
        })
    }

    /// It has ended, and no server was given its pipes: if they are empty, it has printed nothing.
    pub(super) fn close_if_silent(&mut self) {
        let is_empty = |pipe: &OwnedFd| rustix::io::ioctl_fionread(pipe) == Ok(0);
        let pipes = self.streams.as_ref();
        if pipes.is_some_and(|pipes| pipes.iter().all(is_empty)) {
            self.streams = None;
        }
    }
}

/// An attempt with processes.
pub(super) struct Live {
    pub(super) ends: Ends,
    /// The runner's own child until it was waited for: the main process, or its keeper.
    child: Option<Pid>,
    pub(super) tree: Tree,
    /// Until it is known that the script executes.
    pub(super) unconfirmed: Option<Unconfirmed>,
    /// When its time is over, on the monotonic clock.
    deadline: Option<Duration>,
    stop_grace: Duration,
    kill_at: Option<Duration>,
    execute_by: Duration,
    /// Filled as things happen.
    record: ExitRecord,
    main_is_gone: bool,
    /// The server was told that it executes.
    pub(super) is_told: bool,
    /// The end of the tree is watched.
    pub(super) is_end_awaited: bool,
    leftovers: BTreeSet<i32>,
}

impl Live {
    /// An attempt that was just started.
    pub(super) fn new(ends: Ends, tree: Tree, mut unconfirmed: Unconfirmed, now: Duration) -> Self {
        unconfirmed.look_later(now);
        let plan = &unconfirmed.plan;
        Self {
            child: Some(ends.main.pid()),
            ends,
            tree,
            deadline: plan.timeout.map(|timeout| now.saturating_add(timeout)),
            stop_grace: plan.stop_grace,
            unconfirmed: Some(unconfirmed),
            kill_at: None,
            execute_by: now.saturating_add(TO_EXECUTE),
            record: ExitRecord::default(),
            main_is_gone: false,
            is_told: false,
            is_end_awaited: false,
            leftovers: BTreeSet::new(),
        }
    }

    /// See [`Unconfirmed::begins_among`].
    pub(super) fn begins_among(&mut self, others: usize) {
        if let Some(unconfirmed) = &mut self.unconfirmed {
            unconfirmed.begins_among(others);
        }
    }

    /// The runner's own child that stands for this attempt.
    pub(super) fn child(&self) -> Option<Pid> {
        self.child
    }

    /// Whether only leftovers can be alive.
    pub(super) fn main_is_gone(&self) -> bool {
        self.main_is_gone
    }

    /// When its time is over, if it is not ending already.
    fn deadline(&self) -> Option<Duration> {
        self.deadline
            .filter(|_| !self.main_is_gone && !self.record.stopped)
    }

    /// When [`Live::on_time`] or [`Live::is_begun`] has something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        let unconfirmed = self.unconfirmed.as_ref();
        let execute_by = unconfirmed.map(|_| self.execute_by);
        let look_at = unconfirmed.map(Unconfirmed::look_at);
        let all = [self.deadline(), self.kill_at, execute_by, look_at];
        all.into_iter().flatten().min()
    }

    /// Whether it was not known yet that it executes, or has failed, and is now. If it is not yet, it
    /// is looked at again later.
    pub(super) fn is_begun(&mut self, now: Duration) -> bool {
        let tree = &self.tree;
        self.unconfirmed
            .as_mut()
            .is_some_and(|unconfirmed| unconfirmed.is_over(tree, now))
    }

    /// The time is over, or the grace is.
    pub(super) fn on_time(&mut self, now: Duration) {
        let is_stuck = self.unconfirmed.is_some() && self.execute_by <= now;
        if is_stuck {
            self.execute_by = now.saturating_add(AGAIN);
        }
        if is_stuck || self.kill_at.is_some_and(|at| at <= now) {
            self.kill(now);
        } else if self.deadline().is_some_and(|at| at <= now) {
            self.record.timed_out = true;
            self.stop(StopKind::Term, now);
        }
    }

    /// Someone wants it to end. A second TERM does not prolong the grace.
    pub(super) fn stop(&mut self, kind: StopKind, now: Duration) {
        self.record.stopped |= !self.main_is_gone;
        match kind {
            StopKind::Kill => self.kill(now),
            StopKind::Term => self.term(now),
        }
    }

    fn term(&mut self, now: Duration) {
        if self.kill_at.is_none() {
            self.kill_at = Some(now.saturating_add(self.stop_grace));
        }
        let owes = !self.signal(Signal::TERM);
        if let Some(unconfirmed) = &mut self.unconfirmed {
            unconfirmed.owes_term = owes;
        }
        // One that was suspended could not end.
        self.signal(Signal::CONT);
    }

    fn kill(&mut self, now: Duration) {
        self.record.killed = true;
        self.kill_at = Some(now.saturating_add(AGAIN));
        self.signal(Signal::KILL);
    }

    /// Whether somebody was there.
    fn signal(&self, signal: Signal) -> bool {
        let mut reached = self.tree.signal(signal);
        // Also where its cgroup cannot be read, because no descriptor is free. A keeper that is not
        // confirmed stands here itself, and only ends.
        let is_main = self.unconfirmed.is_none() || matches!(self.tree, Tree::Cgroup(_));
        if is_main && !self.main_is_gone && !reached {
            self.ends.main.signal(signal);
            reached = true;
        }
        reached
    }

    /// The script executes, or its process has ended before. Gives the keeper, which can be listened to
    /// from now on.
    pub(super) fn confirmed(&mut self, owes_term: bool) -> Option<&Keeper> {
        if let Tree::Keeper(keeper) = &self.tree
            && let Some(main) = keeper.main()
        {
            self.ends.main = main;
        }
        if owes_term {
            self.signal(Signal::TERM);
        }
        match &self.tree {
            Tree::Keeper(keeper) => Some(keeper),
            _ => None,
        }
    }

    /// Reads what the keeper says; whether it is time to [`Live::settle`].
    pub(super) fn listen(&mut self) -> bool {
        let mut is_left = false;
        while let Tree::Keeper(keeper) = &self.tree {
            match keeper.word() {
                Word::Ended(code, signal) => self.main_ended(code, signal),
                Word::Left => is_left = true,
                Word::Nothing | Word::Gone => break,
            }
        }
        is_left
    }

    fn main_ended(&mut self, exit_code: Option<i32>, signal: Option<i32>) {
        self.main_is_gone = true;
        self.record.exit_code = exit_code;
        self.record.signal = signal;
    }

    /// The runner's own child has ended and was waited for.
    pub(super) fn child_ended(&mut self, exit_code: Option<i32>, signal: Option<i32>) {
        self.listen();
        self.child = None;
        match &self.tree {
            Tree::Keeper(_) if self.main_is_gone && exit_code == Some(0) => {}
            // It was killed. Its main process ends with it, and nobody can tell any more how, unless
            // it had said so.
            Tree::Keeper(_) => {
                self.tree = Tree::Orphans(Vec::new());
                if !self.main_is_gone {
                    self.main_ended(None, None);
                }
            }
            Tree::Cgroup(_) | Tree::Orphans(_) | Tree::Simulated(_) => {
                self.main_ended(exit_code, signal);
            }
        }
    }

    /// Once the main process is gone: ends what it left behind. Gives the record when nothing is
    /// left.
    pub(super) fn settle(&mut self, now: Duration, wall: Timestamp) -> Option<ExitRecord> {
        if !self.main_is_gone {
            return None;
        }
        if self.child.is_none() && self.tree.is_empty() {
            self.record.ended_at = wall;
            self.record.met = self.tree.met();
            return Some(self.record.clone());
        }
        let members = self.tree.members();
        let first = self.leftovers.is_empty();
        let pids = members.iter().map(|left| left.pid().as_raw_nonzero().get());
        self.leftovers.extend(pids);
        self.record.leftovers = u32::try_from(self.leftovers.len()).unwrap_or(u32::MAX);
        if self.record.killed {
            self.kill(now);
        } else if first && !members.is_empty() {
            self.term(now);
        } else if self.kill_at.is_none() {
            // What is dying already needs no signal. What could not be looked at, because no
            // descriptor is free, is not forgotten.
            self.kill_at = Some(now.saturating_add(self.stop_grace));
        }
        None
    }
}
