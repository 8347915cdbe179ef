//! What the server asks for, and what it is told of an attempt.

use std::os::fd::OwnedFd;

use rustix::process::Pid;

use super::attempt::{Attempt, Ends};
use super::attempts::{Key, Place};
use super::log::log;
use super::service::Service;
use crate::protocol::{ExitRecord, FromRunner, Plan, Refusal, StopKind, ToRunner, VERSION};
use crate::wire;

impl Service {
    /// Does what a message asks for.
    pub(super) fn obey(&mut self, message: ToRunner, fds: &[OwnedFd]) {
        match message {
            ToRunner::Hello { version } => self.welcome(version),
            ToRunner::Bye => {
                self.dismissed = self.attempts.len() == 0;
                self.disconnect();
            }
            ToRunner::Start(plan) => self.start(plan),
            ToRunner::StartSealed { run, epoch, .. } if fds.is_empty() => {
                self.refuse(
                    (run, epoch),
                    "the runner has no descriptor free for its plan",
                );
            }
            ToRunner::StartSealed { bytes, .. } => self.start_large(bytes, fds.first()),
            ToRunner::Stop {
                run,
                epoch,
                kind,
                cause,
            } => {
                log(format_args!(
                    "run {run}: the server stops attempt {}: {}",
                    epoch.0,
                    cause.escape_debug()
                ));
                self.stop((run, epoch), kind);
            }
            ToRunner::Forget { run, epoch } => self.forget((run, epoch)),
            ToRunner::ForgetAll { attempts } => {
                for key in attempts {
                    self.forget(key);
                }
            }
            ToRunner::Again { run, epoch } => self.report((run, epoch)),
        }
    }

    /// Tells the new server who this is and everything that is held.
    fn welcome(&mut self, version: u32) {
        if version != VERSION {
            log(format_args!(
                "the server speaks version {version}, this runner {VERSION}"
            ));
        }
        let Some(connection) = &mut self.connection else {
            return;
        };
        connection.peer = Some(version);
        let welcome = FromRunner::Welcome {
            version: VERSION,
            held: u32::try_from(self.attempts.len()).unwrap_or(u32::MAX),
            settings: self.settings.clone(),
        };
        self.tell(&welcome, &[]);
        for key in self.attempts.keys() {
            self.report(key);
        }
        let unconfirmed = self
            .attempts
            .all_live()
            .filter(|(_, live)| live.unconfirmed.is_some());
        let starting = unconfirmed.map(|(key, _)| key).collect();
        self.tell(&FromRunner::Complete { starting }, &[]);
    }

    /// Tells what is known of an attempt: everything, however often it was told before.
    pub(super) fn report(&mut self, key: Key) {
        let (run, epoch) = key;
        let Some(connection) = &mut self.connection else {
            return;
        };
        if connection.peer.is_none() {
            return;
        }
        let sent = match self.attempts.get_mut(key) {
            None => return,
            Some(Attempt::Refused(reason)) => {
                let reason = reason.clone();
                connection.send(&FromRunner::Refused { run, epoch, reason }, &[])
            }
            Some(Attempt::Live(live)) if live.unconfirmed.is_some() => return,
            Some(Attempt::Live(live)) => {
                live.is_told = true;
                connection.send(&started(key, &live.ends), &live.ends.fds())
            }
            Some(Attempt::Ended(ends, record)) => {
                connection.send(&ran(key, ends, record), &ends.fds())
            }
        };
        if sent.is_err() {
            self.disconnect();
        }
    }

    fn start_large(&mut self, bytes: u64, file: Option<&OwnedFd>) {
        let plan = file.ok_or_else(|| std::io::ErrorKind::InvalidInput.into());
        let plan = plan.and_then(|file| wire::unseal(file, bytes));
        match plan.and_then(|bytes| wire::decode::<Plan>(&bytes)) {
            Ok(plan) => self.start(Box::new(plan)),
            Err(error) => {
                log(format_args!("a plan could not be read: {error}"));
                self.disconnect();
            }
        }
    }

    /// Starts an attempt unless it, or a later one, is held already.
    fn start(&mut self, plan: Box<Plan>) {
        let key = (plan.run, plan.epoch);
        match self.attempts.place(key) {
            Place::Held(held) => self.report(held),
            Place::Occupied => {
                self.refuse(key, "an earlier attempt of this run still has processes");
            }
            Place::Free if self.ending => self.refuse(key, "the runner was told to end"),
            Place::Free => {
                let attempt = self.attempt(plan);
                self.attempts.insert(key, attempt);
                self.report(key);
            }
        }
    }

    fn attempt(&mut self, plan: Box<Plan>) -> Attempt {
        // So that the next child takes less along.
        for order in self.attempts.take_left() {
            self.machine.has_left(order);
        }
        match self.machine.start(plan, &*self.clock) {
            Ok(mut live) => {
                live.begins_among(self.attempts.unconfirmed());
                Attempt::Live(Box::new(live))
            }
            Err(refused) => {
                if let Some(name) = refused.scratch {
                    self.remove_scratch(name);
                }
                Attempt::Refused(refused.reason)
            }
        }
    }

    /// Refuses without keeping it: a later request may succeed.
    fn refuse(&mut self, (run, epoch): Key, why: &str) {
        let reason = Refusal::Resources(why.to_owned());
        self.tell(&FromRunner::Refused { run, epoch, reason }, &[]);
    }

    /// Ends an attempt that has processes; any other has ended already.
    pub(super) fn stop(&mut self, key: Key, kind: StopKind) {
        self.find_orphans();
        let now = self.clock.monotonic();
        if let Some(live) = self.attempts.live(key) {
            live.stop(kind, now);
        }
    }

    /// Lets go of an attempt that has ended.
    fn forget(&mut self, key: Key) {
        // What was never started left nothing.
        if let Some(Attempt::Ended(ends, _)) = self.attempts.forget(key) {
            self.remove_scratch(ends.scratch);
        }
    }
}

fn started((run, epoch): Key, ends: &Ends) -> FromRunner {
    FromRunner::Started {
        run,
        epoch,
        pid: number(ends),
        started_at: ends.started_at,
        enforced: ends.enforced.clone(),
    }
}

fn ran((run, epoch): Key, ends: &Ends, record: &ExitRecord) -> FromRunner {
    let (pid, started_at) = (number(ends), ends.started_at);
    let (enforced, record) = (ends.enforced.clone(), record.clone());
    if ends.streams.is_none() {
        return FromRunner::RanSilently {
            run,
            epoch,
            pid,
            started_at,
            enforced,
            record,
        };
    }
    FromRunner::Ran {
        run,
        epoch,
        pid,
        started_at,
        enforced,
        record,
    }
}

fn number(ends: &Ends) -> u32 {
    Pid::as_raw_nonzero(ends.main.pid()).get().unsigned_abs()
}
