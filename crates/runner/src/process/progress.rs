//! What happens to attempts without being asked for: they execute, they end, their time is over.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll;
use rustix::process::Pid;

use super::attempt::{Attempt, Live, Unconfirmed};
use super::attempts::Key;
use super::child::Failure;
use super::keeper::Keeper;
use super::log::log;
use super::service::{CGROUP, KEEPER, REPORT, Service, token, watch};
use super::tree::Tree;
use super::{explain, signals};
use crate::protocol::{FromRunner, StopKind};

/// Children that are waited for in one turn.
const REAPED: usize = 256;

/// Whether more of a report may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// Yes.
    Now,
    /// Who could write it has ended.
    AtEnd,
}

impl Service {
    pub(super) fn on_signals(&mut self) {
        if signals::drain(&self.signals) {
            log(format_args!("told to end: stopping what runs"));
            self.ending = true;
            let keys: Vec<Key> = self.attempts.all_live().map(|(key, _)| key).collect();
            for key in keys {
                self.stop(key, StopKind::Term);
            }
        }
        self.reap();
    }

    /// Waits for every child that has ended, because the signal of several may have come once; the
    /// rest of very many in the next turn, so that a script that leaves them holds up nobody.
    fn reap(&mut self) {
        self.has_more = true;
        for _ in 0..REAPED {
            let Some(waited) = self.machine.wait() else {
                self.has_more = false;
                break;
            };
            let pid = waited.pid;
            if let Some(name) = self.sweepers.remove(&pid) {
                if let Err(error) = self.machine.swept(&name) {
                    log(format_args!(
                        "the scratch folder {name} could not be removed: {error}"
                    ));
                }
            } else if let Some(key) = self.attempts.of_child(pid) {
                self.confirm(key, Report::AtEnd);
                self.attempts.child_is_gone(pid);
                if let Some(live) = self.attempts.live(key) {
                    live.child_ended(waited.exit_code, waited.signal);
                }
            }
            self.machine.is_gone(pid);
        }
        self.find_orphans();
        self.settle_all();
    }

    /// Looks for what killed keepers kept. Nobody else's children become the runner's, but those in
    /// a cgroup, which are known by that.
    pub(super) fn find_orphans(&mut self) {
        let is_orphaned = |live: &Live| matches!(live.tree, Tree::Orphans(_));
        if !self.attempts.all_live().any(|(_, live)| is_orphaned(live)) {
            return;
        }
        let orphans = self.machine.orphans(&|pid| {
            self.attempts.of_child(pid).is_some() || self.sweepers.contains_key(&pid)
        });
        for key in self.attempts.keys() {
            if let Some(live) = self.attempts.live(key).filter(|live| is_orphaned(live)) {
                live.tree = Tree::Orphans(orphans.clone());
            }
        }
    }

    /// Finds the attempts of which nothing is left, and ends what others left behind.
    pub(super) fn settle_all(&mut self) {
        let gone = |(key, live): (Key, &Live)| live.main_is_gone().then_some(key);
        let keys: Vec<Key> = self.attempts.all_live().filter_map(gone).collect();
        for key in keys {
            self.settle(key);
        }
    }

    fn settle(&mut self, key: Key) {
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let Some(live) = self.attempts.live(key) else {
            return;
        };
        let Some(record) = live.settle(now, wall) else {
            return self.await_end(key);
        };
        let (run, epoch) = key;
        let message = FromRunner::Exited {
            run,
            epoch,
            record: record.clone(),
        };
        let tree = self.attempts.replace(key, |live| {
            let rest = (live.tree, live.is_end_awaited);
            (Attempt::Ended(live.ends, record), rest)
        });
        if let Some((tree, awaited)) = tree {
            if let Some(events) = tree.end_of_tree().filter(|_| awaited) {
                let _ = epoll::delete(&self.epoll, events);
            }
            if let Tree::Keeper(keeper) = &tree {
                let _ = epoll::delete(&self.epoll, keeper.channel());
            }
            self.machine.clear(tree);
        }
        self.tell(&message, &[]);
    }

    /// Reads whether the attempt executes, and tells.
    pub(super) fn confirm(&mut self, key: Key, when: Report) {
        let Some(live) = self.attempts.live(key) else {
            return;
        };
        let Some(mut unconfirmed) = live.unconfirmed.take() else {
            return;
        };
        let mut bytes = [0; 8];
        let read = rustix::io::read(&unconfirmed.report, &mut bytes);
        if read == Err(rustix::io::Errno::AGAIN) && when == Report::Now {
            live.unconfirmed = Some(unconfirmed);
            return;
        }
        if let Some(keeper) = live.confirmed(unconfirmed.owes_term) {
            await_words(&self.epoll, keeper);
        }
        let _ = epoll::delete(&self.epoll, &unconfirmed.report);
        let bytes = bytes.get(..read.unwrap_or(0)).unwrap_or_default();
        let failure = Failure::from_bytes(bytes);
        match (unconfirmed.launched.take(), when) {
            (Some(launched), Report::Now) if failure.is_some() => {
                self.machine.is_leaving(launched);
            }
            (Some(launched), _) => self.machine.has_left(launched),
            (None, _) => {}
        }
        if let Some(failure) = failure {
            self.never_executed(key, failure, &unconfirmed);
        }
        self.report(key);
    }

    fn never_executed(&mut self, key: Key, failure: Failure, unconfirmed: &Unconfirmed) {
        let reason = explain::failure(failure, &unconfirmed.plan, unconfirmed.folder.as_fd());
        let rest = self.attempts.replace(key, |live| {
            (Attempt::Refused(reason), (live.tree, live.ends.scratch))
        });
        if let Some((tree, scratch)) = rest {
            self.machine.clear(tree);
            self.remove_scratch(scratch);
        }
    }

    /// Watches the report of an attempt that was just started.
    pub(super) fn await_confirmation(&self, report: BorrowedFd<'_>, child: Pid) {
        if let Err(error) = watch(&self.epoll, report, token(child, REPORT)) {
            // It is read when the process ends.
            log(format_args!("a start cannot be watched: {error}"));
        }
    }

    /// Watches for the end of what an attempt left behind, where nothing else tells of it.
    fn await_end(&mut self, key: Key) {
        let Some(live) = self.attempts.live(key).filter(|live| live.main_is_gone()) else {
            return;
        };
        if let Some(events) = live.tree.end_of_tree().filter(|_| !live.is_end_awaited) {
            let data = epoll::EventData::new_u64(CGROUP);
            let watched = epoll::add(&self.epoll, events, data, epoll::EventFlags::PRI);
            live.is_end_awaited = watched.is_ok();
        }
    }

    /// A keeper has said something.
    pub(super) fn on_words(&mut self, key: Key) {
        if self.attempts.live(key).is_some_and(Live::listen) {
            self.settle(key);
        }
    }

    pub(super) fn remove_scratch(&mut self, name: String) {
        match self.machine.remove_scratch(&name) {
            Ok(Some(sweeper)) => {
                self.sweepers.insert(sweeper, name);
            }
            Ok(None) => {}
            Err(error) => {
                log(format_args!(
                    "the scratch folder {name} could not be removed: {error}"
                ));
            }
        }
    }

    pub(super) fn on_time(&mut self) {
        if self.has_more {
            self.reap();
        }
        self.find_orphans();
        let now = self.clock.monotonic();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.flush();
        }
        let due = |(key, live): (Key, &Live)| live.due().is_some_and(|at| at <= now).then_some(key);
        let keys: Vec<Key> = self.attempts.all_live().filter_map(due).collect();
        for key in keys {
            if let Some(live) = self.attempts.live(key) {
                live.on_time(now);
            }
        }
    }
}

/// Listens to a keeper whose main process is known.
fn await_words(epoll: &OwnedFd, keeper: &Keeper) {
    if let Err(error) = watch(epoll, keeper.channel(), token(keeper.pid(), KEEPER)) {
        // It is heard when it ends.
        log(format_args!("a keeper cannot be watched: {error}"));
    }
}
