//! What happens to attempts without being asked for: they execute, they end, their time is over.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;
use rustix::process::Signal;

use super::attempt::{Attempt, Live};
use super::attempts::Key;
use super::child::Failure;
use super::keeper::Keeper;
use super::log::{log, warn};
use super::service::{CGROUP, Service, Sweeper, token, watch};
use super::tree::Tree;
use super::unconfirmed::Unconfirmed;
use super::{explain, signals};
use crate::protocol::{ExitRecord, FromRunner, StopKind};

/// Children that are waited for in one turn.
const REAPED: usize = 256;
/// When a process that empties a scratch folder is looked at.
const TO_SWEEP: Duration = Duration::from_mins(10);
/// How long it may take once the runner was told to end.
const TO_SWEEP_AT_END: Duration = Duration::from_secs(5);

impl Service {
    pub(super) fn on_signals(&mut self) {
        if signals::drain(&self.signals) {
            log(format_args!("told to end: stopping what runs"));
            self.ending = true;
            let now = self.clock.monotonic();
            for sweeper in self.sweepers.values_mut() {
                sweeper.kill_at = sweeper.kill_at.min(now.saturating_add(TO_SWEEP_AT_END));
            }
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
        let mut affected = Vec::new();
        for _ in 0..REAPED {
            let Some(waited) = self.machine.wait() else {
                self.has_more = false;
                break;
            };
            let pid = waited.pid;
            if let Some(Sweeper { folder, .. }) = self.sweepers.remove(&pid) {
                if let Err(error) = self.machine.swept(&folder) {
                    warn(format_args!(
                        "the scratch folder {folder} could not be removed: {error}"
                    ));
                }
            } else if let Some(key) = self.attempts.of_child(pid) {
                self.confirm(key);
                self.attempts.child_is_gone(pid);
                if let Some(live) = self.attempts.live(key) {
                    live.child_ended(waited.exit_code, waited.signal);
                    affected.push(key);
                }
            } else {
                // A leftover of whatever it was.
                affected.extend(self.unwatched());
            }
        }
        affected.extend(self.find_orphans());
        for key in affected {
            self.settle(key);
        }
    }

    /// Looks for what killed keepers kept, and gives their attempts. Nobody else's children become the
    /// runner's, but those in a cgroup, which are known by that.
    pub(super) fn find_orphans(&mut self) -> Vec<Key> {
        let is_orphaned = |(key, live): (Key, &Live)| match live.tree {
            Tree::Orphans(_) => Some(key),
            _ => None,
        };
        let keys: Vec<Key> = self.attempts.all_live().filter_map(is_orphaned).collect();
        if keys.is_empty() {
            return keys;
        }
        let orphans = self.machine.orphans(&|pid| {
            self.attempts.of_child(pid).is_some() || self.sweepers.contains_key(&pid)
        });
        for key in &keys {
            if let Some(live) = self.attempts.live(*key) {
                live.tree = Tree::Orphans(orphans.clone());
            }
        }
        keys
    }

    /// Attempts whose leftovers no event tells of, because their cgroup could not be watched.
    fn unwatched(&self) -> Vec<Key> {
        let is_unwatched = |(key, live): (Key, &Live)| {
            let is_left = live.main_is_gone() && live.tree.end_of_tree().is_some();
            (is_left && !live.is_end_awaited).then_some(key)
        };
        self.attempts.all_live().filter_map(is_unwatched).collect()
    }

    /// A cgroup's last process is gone. It is known by the descriptor that told so.
    pub(super) fn on_empty_cgroup(&mut self, fd: u64) {
        let is_it = |(key, live): (Key, &Live)| {
            let events = live.tree.end_of_tree().filter(|_| live.is_end_awaited)?;
            (event_of(events) == fd).then_some(key)
        };
        let found = self.attempts.all_live().find_map(is_it);
        if let Some(key) = found {
            self.settle(key);
        }
    }

    /// Finds whether nothing is left of an attempt whose main process is gone, and ends what it left
    /// behind.
    fn settle(&mut self, key: Key) {
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let Some(live) = self.attempts.live(key) else {
            return;
        };
        let is_told = live.is_told;
        let Some(record) = live.settle(now, wall) else {
            self.await_end(key);
            if !is_told {
                self.report(key);
            }
            return;
        };
        self.end(key, record.clone());
        if is_told {
            let (run, epoch) = key;
            self.tell(&FromRunner::Exited { run, epoch, record }, &[]);
        } else {
            self.report(key);
        }
    }

    /// Lets go of the tree of an attempt that has ended, and of its secrets, before it is told.
    fn end(&mut self, key: Key, record: ExitRecord) {
        let tree = self.attempts.replace(key, |mut live| {
            self.machine.remove_secrets(&live.ends.scratch);
            if !live.is_told {
                live.ends.close_if_silent();
            }
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
    }

    /// Looks whether the attempt executes, and tells.
    fn look(&mut self, key: Key, now: Duration) {
        if self
            .attempts
            .live(key)
            .is_some_and(|live| live.is_begun(now))
        {
            self.confirm(key);
            if self.attempts.live(key).is_some() {
                self.report(key);
            }
        }
    }

    /// The child of the attempt has executed or ended. A failure is told at once; what has ended at
    /// the same time is told with its end.
    fn confirm(&mut self, key: Key) {
        let Some((live, mut unconfirmed)) = self.attempts.confirm(key) else {
            return;
        };
        if let Some(keeper) = live.confirmed(unconfirmed.owes_term) {
            await_words(&self.epoll, keeper);
        }
        if let Some(failure) = unconfirmed.failure() {
            self.never_executed(key, failure, &unconfirmed);
            self.report(key);
        }
        if let Some(order) = unconfirmed.order.take() {
            self.machine.has_left(*order);
        }
    }

    fn never_executed(&mut self, key: Key, failure: Failure, unconfirmed: &Unconfirmed) {
        let rest = self.attempts.replace(key, |live| {
            let folder = unconfirmed.folder.as_fd();
            let reason = explain::failure(failure, &unconfirmed.plan, folder, &live.ends.enforced);
            (Attempt::Refused(reason), (live.tree, live.ends.scratch))
        });
        if let Some((tree, scratch)) = rest {
            self.machine.give_up(tree);
            self.remove_scratch(scratch);
        }
    }

    /// Watches for the end of what an attempt left behind, where nothing else tells of it.
    fn await_end(&mut self, key: Key) {
        let Some(live) = self.attempts.live(key).filter(|live| live.main_is_gone()) else {
            return;
        };
        if let Some(events) = live.tree.end_of_tree().filter(|_| !live.is_end_awaited) {
            let data = epoll::EventData::new_u64(event_of(events) << 8 | CGROUP);
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
                let at_most = if self.ending {
                    TO_SWEEP_AT_END
                } else {
                    TO_SWEEP
                };
                let kill_at = self.clock.monotonic().saturating_add(at_most);
                let folder = name;
                self.sweepers.insert(sweeper, Sweeper { folder, kill_at });
            }
            Ok(None) => {}
            Err(error) => {
                warn(format_args!(
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
        for (pid, sweeper) in &mut self.sweepers {
            if sweeper.kill_at <= now {
                // One that was suspended goes on. An ending runner waits for none; what is left is
                // swept away by the next one.
                let signal = if self.ending {
                    Signal::KILL
                } else {
                    Signal::CONT
                };
                // It was not waited for, so the number is its own.
                let _ = rustix::process::kill_process(*pid, signal);
                sweeper.kill_at = now.saturating_add(TO_SWEEP);
            }
        }
        let due = |(key, live): (Key, &Live)| live.due().is_some_and(|at| at <= now).then_some(key);
        let keys: Vec<Key> = self.attempts.all_live().filter_map(due).collect();
        for key in keys {
            self.look(key, now);
            if let Some(live) = self.attempts.live(key) {
                live.on_time(now);
            }
        }
    }
}

/// What the end of a cgroup is known by, while it is awaited.
fn event_of(events: BorrowedFd<'_>) -> u64 {
    u64::from(events.as_raw_fd().unsigned_abs())
}

/// Listens to a keeper whose main process is known.
fn await_words(epoll: &OwnedFd, keeper: &Keeper) {
    if let Err(error) = watch(epoll, keeper.channel(), token(keeper.pid())) {
        // It is heard when it ends.
        warn(format_args!("a keeper cannot be watched: {error}"));
    }
}
