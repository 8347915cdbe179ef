//! One attempt, from the fork until the server says `forget`.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitStatus};
use stagedoor_domain::id::RunId;
use stagedoor_domain::time::Timestamp;

use super::leftovers;
use crate::protocol::{ExitRecord, Plan, Refusal, StopKind};

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
    pub(super) pid: Pid,
    pub(super) started_at: Timestamp,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) pidfd: OwnedFd,
}

impl Ends {
    /// In the order of the message.
    pub(super) fn fds(&self) -> [BorrowedFd<'_>; 3] {
        [self.stdout.as_fd(), self.stderr.as_fd(), self.pidfd.as_fd()]
    }
}

/// An attempt whose folder, in case it does not execute, is needed to say why.
pub(super) struct Unconfirmed {
    /// Closed by exec; else it carries the failure.
    pub(super) report: OwnedFd,
    pub(super) folder: OwnedFd,
    pub(super) plan: Box<Plan>,
}

/// An attempt with processes.
pub(super) struct Live {
    run: RunId,
    pub(super) ends: Ends,
    /// Until it is known that the script executes.
    pub(super) unconfirmed: Option<Unconfirmed>,
    /// When its time is over, on the monotonic clock.
    deadline: Option<Duration>,
    stop_grace: Duration,
    kill_at: Option<Duration>,
    /// Filled as things happen.
    record: ExitRecord,
    main_is_gone: bool,
    leftovers: BTreeSet<i32>,
}

impl Live {
    /// An attempt that was just forked.
    pub(super) fn new(ends: Ends, unconfirmed: Unconfirmed, now: Duration) -> Self {
        let plan = &unconfirmed.plan;
        Self {
            run: plan.run,
            ends,
            deadline: plan.timeout.map(|timeout| now.saturating_add(timeout)),
            stop_grace: plan.stop_grace,
            unconfirmed: Some(unconfirmed),
            kill_at: None,
            record: ExitRecord::default(),
            main_is_gone: false,
            leftovers: BTreeSet::new(),
        }
    }

    /// Whether only leftovers can be alive.
    pub(super) fn main_is_gone(&self) -> bool {
        self.main_is_gone
    }

    /// When [`Live::on_time`] has something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        let deadline = self
            .deadline
            .filter(|_| !self.main_is_gone && !self.record.stopped);
        [deadline, self.kill_at].into_iter().flatten().min()
    }

    /// The time is over, or the grace is.
    pub(super) fn on_time(&mut self, now: Duration, orphans: &[Pid]) {
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill(now, orphans);
        } else if self.due().is_some_and(|at| at <= now) {
            self.record.timed_out = true;
            self.stop(StopKind::Term, now, orphans);
        }
    }

    /// Someone wants it to end. A second TERM does not prolong the grace.
    pub(super) fn stop(&mut self, kind: StopKind, now: Duration, orphans: &[Pid]) {
        self.record.stopped |= !self.main_is_gone;
        match kind {
            StopKind::Kill => self.kill(now, orphans),
            StopKind::Term => self.term(now, orphans),
        }
    }

    fn term(&mut self, now: Duration, orphans: &[Pid]) {
        if self.kill_at.is_none() {
            self.kill_at = Some(now.saturating_add(self.stop_grace));
        }
        self.signal(Signal::TERM, orphans);
        // One that was suspended could not end.
        self.signal(Signal::CONT, orphans);
    }

    fn kill(&mut self, now: Duration, orphans: &[Pid]) {
        self.record.killed = true;
        self.kill_at = Some(now.saturating_add(AGAIN));
        self.signal(Signal::KILL, orphans);
    }

    fn signal(&self, signal: Signal, orphans: &[Pid]) {
        // Once the main process was waited for, its number may be another's.
        if !self.main_is_gone {
            let group = rustix::process::kill_process_group(self.ends.pid, signal);
            if group == Err(rustix::io::Errno::SRCH) {
                // It was forked a moment ago and leads no group yet. Should it have ended, then
                // that is what the signal is for.
                let _ = rustix::process::kill_process(self.ends.pid, signal);
            }
        }
        for orphan in self.own(orphans) {
            leftovers::signal(orphan, signal);
        }
    }

    fn own(&self, orphans: &[Pid]) -> Vec<Pid> {
        let run = self.run.to_string();
        let own = |orphan: &Pid| leftovers::belongs(*orphan, &run, self.ends.pid);
        orphans.iter().copied().filter(own).collect()
    }

    /// The main process has ended and was waited for.
    pub(super) fn on_exit(&mut self, status: WaitStatus) {
        self.main_is_gone = true;
        self.record.exit_code = status.exit_status();
        self.record.signal = status.terminating_signal();
    }

    /// Once the main process is gone: ends what it left behind. Gives the record when nothing is
    /// left. Every descendant that is left stands below an orphan.
    pub(super) fn settle(
        &mut self,
        now: Duration,
        wall: Timestamp,
        orphans: &[Pid],
    ) -> Option<ExitRecord> {
        if !self.main_is_gone {
            return None;
        }
        let own = self.own(orphans);
        if own.is_empty() {
            self.record.ended_at = wall;
            return Some(self.record.clone());
        }
        let first = self.leftovers.is_empty();
        self.leftovers
            .extend(own.iter().map(|pid| pid.as_raw_nonzero().get()));
        self.record.leftovers = u32::try_from(self.leftovers.len()).unwrap_or(u32::MAX);
        if self.record.killed {
            self.kill(now, orphans);
        } else if first {
            self.term(now, orphans);
        }
        None
    }
}
