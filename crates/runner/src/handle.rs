//! The server's handle to the runner: requests out, reports in.

mod connect;
mod identity;
mod launch;
mod link;
mod missing;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::Timestamp;
use tokio::time::Instant;

pub use self::connect::{ConnectError, Connection};
pub use self::launch::RunnerOptions;
#[doc(hidden)]
pub use self::link::{Link, Waiting};
use self::missing::Missing;
use crate::protocol::{ExitRecord, FromRunner, LARGEST_PLAN, Plan, Refusal, StopKind, ToRunner};
use crate::wire;
#[doc(hidden)]
pub use crate::wire::Received;

/// Why a request did not reach the runner.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The runner is gone; [`Reports`] says so too.
    #[error("the runner is gone")]
    Gone,
    /// The plan is larger than [`LARGEST_PLAN`], so it was not sent and never can be.
    #[error("the arguments are too large")]
    TooLarge,
    /// The system could not pass it on now; nothing was sent.
    #[error("the runner could not be reached: {0}")]
    System(#[source] io::Error),
}

/// Asks the runner for things. Cheap to clone; requests of one task arrive in order.
///
/// The runner reads nothing while its reports are not read, so [`Reports`] belong in a task that
/// never waits for a request.
#[derive(Clone)]
pub struct Runner {
    link: Arc<dyn Link>,
    /// The runner's, of its protocol.
    version: u32,
}

impl Runner {
    /// Starts an attempt, or has it reported again if the runner holds it or a later one.
    pub async fn start(&self, plan: Plan) -> Result<(), SendError> {
        let message = ToRunner::Start(Box::new(plan));
        let bytes = wire::encode(&message).map_err(SendError::System)?;
        if bytes.len() <= wire::LARGEST_INLINE {
            return self.send(&bytes, &[]).await;
        }
        let ToRunner::Start(plan) = message else {
            return Ok(());
        };
        let (run, epoch) = (plan.run, plan.epoch);
        let plan = wire::encode(&*plan).map_err(SendError::System)?;
        if plan.len() > LARGEST_PLAN {
            return Err(SendError::TooLarge);
        }
        let file = wire::seal(&plan).map_err(SendError::System)?;
        let bytes = plan.len() as u64;
        let message = if self.version < 3 {
            ToRunner::StartLarge { bytes }
        } else {
            ToRunner::StartSealed { run, epoch, bytes }
        };
        let bytes = wire::encode(&message).map_err(SendError::System)?;
        self.send(&bytes, &[file.as_fd()]).await
    }

    /// Ends an attempt; one that has ended already stays as it is.
    pub async fn stop(
        &self,
        run: RunId,
        epoch: Epoch,
        kind: StopKind,
        cause: &str,
    ) -> Result<(), SendError> {
        // A packet is bounded, and the cause is only for the runner's log.
        let cause = cause.chars().take(200).collect();
        self.tell(&ToRunner::Stop {
            run,
            epoch,
            kind,
            cause,
        })
        .await
    }

    /// To be called once the attempt's end is committed: the runner lets go of all it holds of it.
    pub async fn forget(&self, run: RunId, epoch: Epoch) -> Result<(), SendError> {
        self.tell(&ToRunner::Forget { run, epoch }).await
    }

    /// The server leaves. A runner that holds nothing ends at once; one that holds something waits
    /// for the next server.
    pub async fn bye(&self) -> Result<(), SendError> {
        self.tell(&ToRunner::Bye).await
    }

    async fn tell(&self, message: &ToRunner) -> Result<(), SendError> {
        let bytes = wire::encode(message).map_err(SendError::System)?;
        self.send(&bytes, &[]).await
    }

    async fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), SendError> {
        self.link
            .send(bytes, fds)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::NotConnected => SendError::Gone,
                _ => SendError::System(error),
            })
    }
}

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
    knows_all: bool,
}

impl Reports {
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
        FromRunner::Started {
            run,
            epoch,
            pid,
            started_at,
        }
        | FromRunner::Ran {
            run,
            epoch,
            pid,
            started_at,
            ..
        } => {
            let [stdout, stderr, pidfd] = fds.try_into().ok()?;
            Report::Started(Started {
                run,
                epoch,
                pid,
                started_at,
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
