//! The head of a request must be whole soon after its first byte, though a connection may be
//! silent for longer between two requests. hyper has one timer for both, so it is set to the
//! longer time, and the shorter one is kept here.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

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

/// Shared by the stream, which sees bytes, and the service, which sees requests.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    phase: Arc<Mutex<Phase>>,
    patience: Duration,
}

/// While it lives, a request is answered and no head is waited for.
#[derive(Debug)]
pub(super) struct Answering(Heads);

/// A stream of requests that ends when a head is late.
pub(super) struct Headed<S> {
    stream: S,
    timer: HeadTimer,
}

struct HeadTimer {
    heads: Heads,
    timer: Pin<Box<Sleep>>,
}

impl Heads {
    /// Of a connection that begins now: its first head is waited for at once.
    pub fn new(patience: Duration) -> Self {
        let due = Instant::now() + patience;
        Self {
            phase: Arc::new(Mutex::new(Phase::Head(due))),
            patience,
        }
    }

    /// Watches what is read from the stream.
    pub fn watch<S>(&self, stream: S) -> Headed<S> {
        let timer = HeadTimer {
            heads: self.clone(),
            timer: Box::pin(tokio::time::sleep(self.patience)),
        };
        Headed { stream, timer }
    }

    /// A head has come whole; the answer is over when what is returned is dropped.
    pub fn answering(&self) -> Answering {
        self.set(Phase::Answering);
        Answering(self.clone())
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Phase::Idle);
    }
}

impl HeadTimer {
    /// `read` is what the stream said to a read, `came` whether it gave bytes.
    fn watch(
        &mut self,
        read: Poll<io::Result<()>>,
        came: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self.heads.phase() {
            Phase::Idle if came => {
                let due = Instant::now() + self.heads.patience;
                self.heads.set(Phase::Head(due));
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

impl<S: AsyncRead + Unpin> AsyncRead for Headed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().len() > before;
        self.timer.watch(read, came, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Headed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
