//! The server's handle to the runner: requests out, reports in.

mod connect;
mod identity;
mod launch;
mod link;
mod missing;
mod reports;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use stagedoor_domain::id::{Epoch, RunId};

pub use self::connect::{ConnectError, Connection};
pub use self::launch::RunnerOptions;
#[doc(hidden)]
pub use self::link::{Link, Waiting};
pub use self::reports::{Report, Reports, Started};
use crate::protocol::{LARGEST_PLAN, Plan, StopKind, ToRunner};
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
    /// The runner's version of the protocol.
    version: u32,
}

/// Of one message: the runner looks at nothing else meanwhile.
const MOST_FORGOTTEN: usize = 64;

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
        let message = ToRunner::StartSealed { run, epoch, bytes };
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

    /// To be called once the ends of these attempts are committed: the runner lets go of all it holds of
    /// them.
    pub async fn forget(&self, attempts: &[(RunId, Epoch)]) -> Result<(), SendError> {
        let at_once = if self.version < 6 { 1 } else { MOST_FORGOTTEN };
        for some in attempts.chunks(at_once) {
            let message = match *some {
                [(run, epoch)] => ToRunner::Forget { run, epoch },
                _ => ToRunner::ForgetAll {
                    attempts: some.to_vec(),
                },
            };
            self.tell(&message).await?;
        }
        Ok(())
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
