//! What the runner says to the server.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::sandbox::Enforced;
use stagedoor_domain::time::Timestamp;
use tokio::time::Instant;

use super::link::Link;
use super::missing::Missing;
use crate::protocol::{ExitRecord, FromRunner, Refusal, ToRunner};
use crate::wire::{self, Received};

/// An attempt that executes, with what is the server's now.
#[derive(Debug)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub epoch: Epoch,
    /// The main process.
    pub pid: u32,
    /// When it was forked.
    pub started_at: Timestamp,
    /// What it is held by.
    pub enforced: Enforced,
    /// The read end of standard output, blocking.
    pub stdout: OwnedFd,
    /// The read end of standard error, blocking.
    pub stderr: OwnedFd,
    /// Names the main process even when its number is reused.
    pub pidfd: OwnedFd,
}

/// What the runner says. The same report may come more than once.
#[derive(Debug)]
pub enum Report {
    /// The attempt executes.
    Started(Started),
    /// The attempt was not started.
    Refused {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// Why.
        reason: Refusal,
    },
    /// The attempt has ended, and no process of it is left. Its pipes may still hold output.
    Exited {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// How.
        record: ExitRecord,
    },
    /// The attempt has executed and has ended, as in [`Report::Exited`], before it was told that it
    /// executes, and has printed nothing.
    Ran {
        /// The run.
        run: RunId,
        /// The attempt.
        epoch: Epoch,
        /// What its main process was.
        pid: u32,
        /// When it was forked.
        started_at: Timestamp,
        /// What it was held by.
        enforced: Enforced,
        /// How it ended.
        record: ExitRecord,
    },
    /// Everything that the runner held when this server connected has been reported. An attempt
    /// that was neither reported nor stands here is not held.
    Complete {
        /// Forked, but not known to execute, or its pipes found no descriptor free here yet;
        /// `Started` or `Refused` follows.
        starting: Vec<(RunId, Epoch)>,
    },
    /// The runner is gone, or this server was replaced by another: nothing more will come.
    Gone,
}

/// The reports of the runner, in the order in which things happened; only those of an attempt
/// whose pipes find no free descriptor in this process come later, its `Started` first.
pub struct Reports {
    link: Arc<dyn Link>,
    buffer: Vec<u8>,
    missing: Missing,
    /// The second report of a packet that had two.
    next: Option<Report>,
    pub(super) knows_all: bool,
}

impl Reports {
    /// What comes over this link.
    pub(super) fn new(link: Arc<dyn Link>) -> Self {
        Self {
            link,
            buffer: vec![0; wire::LARGEST_PACKET],
            missing: Missing::default(),
            next: None,
            knows_all: false,
        }
    }

    /// Whether every attempt of an earlier server was handed to the runner that was found, or to
    /// none: one that it did not report before [`Report::Complete`] was never started.
    pub fn knows_all(&self) -> bool {
        self.knows_all
    }

    /// The next report. Cancelling loses none.
    pub async fn recv(&mut self) -> Report {
        if let Some(report) = self.next.take() {
            return report;
        }
        loop {
            let received = tokio::select! {
                // What is due now is not due again at once, so that it keeps no report waiting.
                biased;
                () = until(self.missing.next()) => {
                    self.ask_again(Instant::now());
                    continue;
                }
                received = self.link.receive(&mut self.buffer) => received,
            };
            if let Some(report) = self.understand(received) {
                return report;
            }
        }
    }

    /// What a packet tells; none if that is to be told another time.
    fn understand(&mut self, received: io::Result<Received>) -> Option<Report> {
        let Received {
            length,
            fds,
            lacks_fds,
        } = match received {
            Ok(received) if received.length > 0 => received,
            Ok(_) => return Some(Report::Gone),
            Err(error) => {
                if error.kind() != io::ErrorKind::ConnectionReset {
                    tracing::error!(%error, "the runner cannot be heard any more");
                }
                return Some(Report::Gone);
            }
        };
        let Ok(mut message) = wire::decode(self.buffer.get(..length).unwrap_or_default()) else {
            return Some(Report::Gone);
        };
        if let FromRunner::Ran {
            run, epoch, record, ..
        } = &mut message
            && !lacks_fds
        {
            let (run, epoch, record) = (*run, *epoch, std::mem::take(record));
            self.next = Some(Report::Exited { run, epoch, record });
        }
        match &mut message {
            FromRunner::Started { run, epoch, .. } | FromRunner::Ran { run, epoch, .. }
                if lacks_fds =>
            {
                if self.missing.add((*run, *epoch), Instant::now()) {
                    tracing::warn!(%run, epoch = epoch.0, "no descriptor is free for the output of this run; it waits");
                }
                return None;
            }
            FromRunner::Started { run, epoch, .. } | FromRunner::Ran { run, epoch, .. } => {
                self.missing.remove((*run, *epoch));
            }
            // It is told again after its `Started`.
            FromRunner::Exited { run, epoch, .. } if self.missing.contains((*run, *epoch)) => {
                return None;
            }
            FromRunner::Complete { starting } => starting.extend(self.missing.keys()),
            _ => {}
        }
        Some(report(message, fds).unwrap_or(Report::Gone))
    }

    fn ask_again(&mut self, now: Instant) {
        for (run, epoch) in self.missing.take_due(now) {
            let asked = wire::encode(&ToRunner::Again { run, epoch })
                .and_then(|bytes| self.link.try_send(&bytes, &[]));
            // Not waited for: a runner that waits itself reads again once its reports are read.
            if asked.is_err() {
                self.missing.add((run, epoch), now);
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// None for what no runner says at this place: it is as good as gone.
fn report(message: FromRunner, fds: Vec<OwnedFd>) -> Option<Report> {
    Some(match message {
        FromRunner::Welcome { .. } => return None,
        FromRunner::RanSilently {
            run,
            epoch,
            pid,
            started_at,
            enforced,
            record,
        } => Report::Ran {
            run,
            epoch,
            pid,
            started_at,
            enforced,
            record,
        },
        FromRunner::Started {
            run,
            epoch,
            pid,
            started_at,
            enforced,
        }
        | FromRunner::Ran {
            run,
            epoch,
            pid,
            started_at,
            enforced,
            ..
        } => {
            let [stdout, stderr, pidfd] = fds.try_into().ok()?;
            Report::Started(Started {
                run,
                epoch,
                pid,
                started_at,
                enforced,
                stdout,
                stderr,
                pidfd,
            })
        }
        FromRunner::Refused { run, epoch, reason } => Report::Refused { run, epoch, reason },
        FromRunner::Exited { run, epoch, record } => Report::Exited { run, epoch, record },
        FromRunner::Complete { starting } => Report::Complete { starting },
    })
}
