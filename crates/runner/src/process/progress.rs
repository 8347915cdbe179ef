//! What happens to attempts without being asked for: they execute, they end, their time is over.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::epoll;
use rustix::process::{Pid, WaitOptions};
use stagedoor_domain::time::Clock;

use super::attempt::{Attempt, Live};
use super::attempts::Key;
use super::child::Failure;
use super::log::log;
use super::service::{REPORT, Service, watch};
use super::{explain, leftovers, scratch, signals};
use crate::protocol::{FromRunner, StopKind};

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
        // Every child is waited for; the signal of several may have come once.
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if let Some(name) = self.sweepers.remove(&pid) {
                if let Err(error) = self.station.scratch.swept(&name) {
                    log(format_args!(
                        "the scratch folder {name} could not be removed: {error}"
                    ));
                }
            } else if let Some(key) = self.attempts.of_main(pid) {
                self.confirm(key);
                self.attempts.main_is_gone(pid);
                if let Some(live) = self.attempts.live(key) {
                    live.on_exit(status);
                }
            }
        }
        self.settle();
    }

    /// Finds the attempts of which nothing is left, and ends what others left behind.
    fn settle(&mut self) {
        let gone = |(key, live): (Key, &Live)| live.main_is_gone().then_some(key);
        let keys: Vec<Key> = self.attempts.all_live().filter_map(gone).collect();
        if keys.is_empty() {
            return;
        }
        let orphans = self.orphans();
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        for key in keys {
            let live = self.attempts.live(key);
            if let Some(record) = live.and_then(|live| live.settle(now, wall, &orphans)) {
                let (run, epoch) = key;
                let message = FromRunner::Exited {
                    run,
                    epoch,
                    record: record.clone(),
                };
                self.attempts
                    .replace(key, |live| Attempt::Ended(live.ends, record));
                self.tell(&message, &[]);
            }
        }
    }

    pub(super) fn orphans(&self) -> Vec<Pid> {
        leftovers::orphans(|pid| {
            self.attempts.of_main(pid).is_some() || self.sweepers.contains_key(&pid)
        })
    }

    /// Reads whether the attempt executes, and tells.
    pub(super) fn confirm(&mut self, key: Key) {
        let Some(live) = self.attempts.live(key) else {
            return;
        };
        let Some(unconfirmed) = live.unconfirmed.take() else {
            return;
        };
        let mut bytes = [0; 8];
        let read = rustix::io::read(&unconfirmed.report, &mut bytes);
        if read == Err(rustix::io::Errno::AGAIN) {
            live.unconfirmed = Some(unconfirmed);
            return;
        }
        let _ = epoll::delete(&self.epoll, &unconfirmed.report);
        let bytes = bytes.get(..read.unwrap_or(0)).unwrap_or_default();
        if let Some(failure) = Failure::from_bytes(bytes) {
            let folder = unconfirmed.folder.as_fd();
            let reason = explain::failure(failure, &unconfirmed.plan, folder);
            self.attempts.replace(key, |_| Attempt::Refused(reason));
            self.remove_scratch(scratch::name_of(key.0, key.1));
        }
        self.report(key);
    }

    /// Watches the report of an attempt that was just forked.
    pub(super) fn await_confirmation(&mut self, report: BorrowedFd<'_>, pid: Pid) {
        let number = u64::from(pid.as_raw_nonzero().get().unsigned_abs());
        if let Err(error) = watch(&self.epoll, report, number << 8 | REPORT) {
            // It is read when the process ends.
            log(format_args!("a start cannot be watched: {error}"));
        }
    }

    pub(super) fn remove_scratch(&mut self, name: String) {
        match self.station.scratch.remove(&name) {
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
        let now = self.clock.monotonic();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.flush();
        }
        let due = |(key, live): (Key, &Live)| live.due().is_some_and(|at| at <= now).then_some(key);
        let keys: Vec<Key> = self.attempts.all_live().filter_map(due).collect();
        if keys.is_empty() {
            return;
        }
        let orphans = self.orphans();
        for key in keys {
            if let Some(live) = self.attempts.live(key) {
                live.on_time(now, &orphans);
            }
        }
    }
}
