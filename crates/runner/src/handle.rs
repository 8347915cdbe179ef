//! The server's handle to the runner: requests out, reports in.

mod connect;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::Timestamp;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub use self::connect::{ConnectError, Connection, RunnerOptions};
use crate::protocol::{ExitRecord, FromRunner, LARGEST_PLAN, Plan, Refusal, StopKind, ToRunner};
use crate::wire;

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
    socket: Arc<AsyncFd<OwnedFd>>,
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
        let plan = wire::encode(&*plan).map_err(SendError::System)?;
        if plan.len() > LARGEST_PLAN {
            return Err(SendError::TooLarge);
        }
        let file = wire::seal(&plan).map_err(SendError::System)?;
        let message = ToRunner::StartLarge {
            bytes: plan.len() as u64,
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
        let write = |socket: &OwnedFd| wire::send(socket, bytes, fds);
        let sent = self.socket.async_io(Interest::WRITABLE, write).await;
        sent.map_err(|error| match error.kind() {
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
        /// Forked, but not known to execute; `Started` or `Refused` follows.
        starting: Vec<(RunId, Epoch)>,
    },
    /// The runner is gone, or this server was replaced by another: nothing more will come.
    Gone,
}

/// The reports of the runner, in the order in which things happened.
pub struct Reports {
    socket: Arc<AsyncFd<OwnedFd>>,
    buffer: Vec<u8>,
}

impl Reports {
    /// The next report. Cancelling loses none.
    pub async fn recv(&mut self) -> Report {
        let Self { socket, buffer } = self;
        let receive = |socket: &OwnedFd| wire::receive(socket, buffer);
        match socket.async_io(Interest::READABLE, receive).await {
            Ok((0, _)) => Report::Gone,
            Ok((length, fds)) => {
                let message = wire::decode(self.buffer.get(..length).unwrap_or_default());
                message
                    .ok()
                    .and_then(|message| report(message, fds))
                    .unwrap_or(Report::Gone)
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Report::Gone,
            // This runtime is ending, not the runner: whoever waits is about to be dropped.
            Err(_) => std::future::pending().await,
        }
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
