//! The head of a request must be whole soon after its first byte, though a connection may be
//! silent for longer between two requests. hyper has one timer for both, so it is set to the
//! longer time, and the shorter one is kept here.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::watched::{Watch, Watched};

/// What a connection does, as far as heads matter.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Nothing of the next head has come.
    Idle,
    /// The head must be whole by then.
    Head(Instant),
    /// A request is answered.
    Answering,
}

/// What all who see the connection know of it.
#[derive(Debug)]
struct Known {
    phase: Phase,
    /// Requests that have reached the service.
    asked: u64,
    /// Those of them whose answers are over.
    answered: u64,
    /// The body of the last request has not been passed to its end.
    is_body_open: bool,
}

/// Shared by the stream, which sees bytes, and the service, which sees requests.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    known: Arc<Mutex<Known>>,
    patience: Duration,
}

/// While it lives, a request is answered. No head is waited for until [`Heads::rest`].
#[derive(Debug)]
pub(super) struct Answering(Heads);

impl Answering {
    /// Bytes of the request are still to come, so its connection cannot be used for another one.
    pub fn leaves_a_body(&self) -> bool {
        self.0.known().is_body_open
    }
}

/// Ends a stream of requests when a head is late.
pub(super) struct HeadTimer {
    heads: Heads,
    timer: Pin<Box<Sleep>>,
}

impl Heads {
    /// Of a connection that begins now: its first head is waited for at once.
    pub fn new(patience: Duration) -> Self {
        let known = Known {
            phase: Phase::Head(Instant::now() + patience),
            asked: 0,
            answered: 0,
            is_body_open: false,
        };
        Self {
            known: Arc::new(Mutex::new(known)),
            patience,
        }
    }

    /// Watches what is read from the stream.
    pub fn watch<S>(&self, stream: S) -> Watched<S, HeadTimer> {
        let timer = HeadTimer {
            heads: self.clone(),
            timer: Box::pin(tokio::time::sleep(self.patience)),
        };
        Watched::new(stream, timer)
    }

    /// A head has come whole; the answer is over when what is returned is dropped.
    pub fn answering(&self) -> Answering {
        let mut known = self.known();
        known.phase = Phase::Answering;
        known.asked += 1;
        drop(known);
        Answering(self.clone())
    }

    /// How many requests have reached the service.
    pub fn asked(&self) -> u64 {
        self.known().asked
    }

    /// How many answers are over.
    pub fn answered(&self) -> u64 {
        self.known().answered
    }

    /// Whether more of the request that is passed is to come.
    pub fn leave_body_open(&self, is_open: bool) {
        self.known().is_body_open = is_open;
    }

    /// The last answer is over and has left for the socket: the next head may come. Not sooner, for a client that
    /// takes the rest slowly may have begun to ask again.
    pub fn rest(&self) {
        self.known().phase = Phase::Idle;
    }

    /// Some of the next head was there before the last answer was over.
    pub fn begin_head(&self) {
        let mut known = self.known();
        if let Phase::Idle = known.phase {
            known.phase = Phase::Head(Instant::now() + self.patience);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.known().answered += 1;
    }
}

impl Watch for HeadTimer {
    fn read(
        &mut self,
        read: Poll<io::Result<()>>,
        came: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let phase = self.heads.known().phase;
        match phase {
            Phase::Idle if !came.is_empty() => {
                self.heads.begin_head();
                read
            }
            Phase::Head(due) if read.is_pending() => {
                if self.timer.deadline() != due {
                    self.timer.as_mut().reset(due);
                }
                ready!(self.timer.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Phase::Idle | Phase::Head(_) | Phase::Answering => read,
        }
    }
}
