//! The stream that hyper reads: bytes reach it only as [`Framing`] lets them pass, one request at
//! a time. The next one waits until the answer to the last has been handed to the socket.
//!
//! After a refusal hyper reads the end of the stream, so nothing behind it is run; the answer is
//! then written here. hyper writes no answer of its own either: should it dislike what may pass,
//! its words are kept back and ours are written.

use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Framing, Refusal, Then};
use super::heads::Heads;
use super::{log, refused};

/// Most bytes of one read here. What a client sends while it is answered is read so far and no
/// further, to notice when it goes away.
const PIECE: usize = 4 * 1024;

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// A request is read.
    Reading,
    /// One has been passed to its end and is answered.
    Answering,
    /// Nothing may be read any more.
    Refused(Refusal),
    /// hyper has read the end for that reason, or was the first to refuse, and this is to be said.
    Ended(Refusal),
    /// The body that was being passed is a bad one; its handler answers.
    Broken(Refusal),
}

/// A stream that is read strictly.
pub(super) struct Gated<S> {
    stream: S,
    framing: Framing,
    heads: Heads,
    flow: Flow,
    /// Bytes that hyper has not got: first those that may pass, then those to be judged.
    held: Vec<u8>,
    /// How many of them have been given.
    given: usize,
    /// How many of them may pass.
    good: usize,
    /// Requests whose heads have been passed.
    passed: u64,
    /// How many of them were seen to reach the service.
    asked: u64,
    /// Some of a request has been passed, and not all.
    is_within: bool,
    /// The client sends no more.
    is_over: bool,
    is_shut: bool,
}

impl<S> Gated<S> {
    /// `heads` knows how far the answers are.
    pub fn new(stream: S, heads: Heads) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            heads,
            flow: Flow::Reading,
            held: Vec::new(),
            given: 0,
            good: 0,
            passed: 0,
            asked: 0,
            is_within: false,
            is_over: false,
            is_shut: false,
        }
    }

    /// Looks at bytes that were not judged before, or at a head with more behind it; how many of
    /// them may pass.
    fn judge(&mut self, bytes: &[u8]) -> usize {
        let verdict = self.framing.follow(bytes);
        let was_within = self.is_within;
        if verdict.pass > 0 && !was_within {
            self.passed += 1;
            self.is_within = true;
        }
        match verdict.then {
            Then::More => {}
            Then::Whole => {
                self.is_within = false;
                self.flow = Flow::Answering;
            }
            Then::Refused(refusal) if self.is_within => self.flow = Flow::Broken(refusal),
            Then::Refused(refusal) => self.flow = Flow::Refused(refusal),
        }
        if was_within != self.is_within {
            self.heads.leave_body_open(self.is_within);
        }
        verdict.pass
    }

    /// The same of what is held behind the bytes that may pass.
    fn judge_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.good += self.judge(held.get(self.good..).unwrap_or_default());
        self.held = held;
    }

    /// Gives what may pass of what is held; false if there is nothing.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> bool {
        let here = self.held.get(self.given..self.good).unwrap_or_default();
        if here.is_empty() {
            return false;
        }
        let (now, _) = here.split_at(here.len().min(out.remaining()));
        out.put_slice(now);
        self.given += now.len();
        if self.given == self.good {
            self.held.drain(..self.given);
            (self.given, self.good) = (0, 0);
        }
        true
    }

    /// The answer to the last request is over, and hyper has nothing more to write.
    fn go_on(&mut self, cx: &Context<'_>) {
        self.flow = Flow::Reading;
        self.heads.rest();
        if self.held.is_empty() {
            return;
        }
        self.judge_held();
        if self.flow == Flow::Reading {
            self.heads.begin_head();
        }
        // hyper waits for the socket, where nothing may come any more.
        cx.waker().wake_by_ref();
    }

    /// Whether hyper writes though no request of it is answered: then it refuses what may pass.
    fn speaks_for_itself(&mut self) -> bool {
        if self.asked < self.passed {
            self.asked = self.heads.asked();
        }
        if self.asked >= self.passed {
            return false;
        }
        if let Flow::Reading | Flow::Answering | Flow::Broken(_) = self.flow {
            self.flow = Flow::Ended(Refusal::bad("The request cannot be read."));
        }
        true
    }
}

impl<S: AsyncRead + Unpin> Gated<S> {
    /// Reads to where hyper wants it, when nothing is held: what is judged good stays there.
    fn poll_direct(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, out))?;
        let new = out.filled().get(before..).unwrap_or_default();
        self.is_over = new.is_empty();
        let pass = self.judge(new);
        self.held
            .extend_from_slice(new.get(pass..).unwrap_or_default());
        out.set_filled(before + pass);
        Poll::Ready(Ok(()))
    }

    /// Reads behind what is held.
    fn poll_behind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        self.is_over = piece.filled().is_empty();
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(()))
    }

    /// While a request is answered: ready when the client is gone, or wants nothing more.
    fn poll_while_answering(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_over && self.held.len() < PIECE {
            ready!(self.poll_behind(cx))?;
        }
        if self.held.is_empty() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// A read failed. A head that began and is late is told so; whoever sent nothing is not.
    fn failed(&mut self, error: io::Error) -> io::Result<()> {
        let is_late = error.kind() == io::ErrorKind::TimedOut && !self.is_within;
        if !is_late {
            return Err(error);
        }
        self.is_over = self.held.is_empty();
        if !self.is_over {
            self.flow = Flow::Refused(Refusal::late());
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.filled().len();
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.give(out) {
                return Poll::Ready(Ok(()));
            }
            let read = match this.flow {
                Flow::Refused(refusal) => {
                    this.flow = Flow::Ended(refusal);
                    return Poll::Ready(Ok(()));
                }
                Flow::Ended(_) => return Poll::Ready(Ok(())),
                Flow::Broken(refusal) => return Poll::Ready(Err(io::Error::other(refusal.reason))),
                Flow::Answering => return this.poll_while_answering(cx),
                Flow::Reading if this.is_over => return Poll::Ready(Ok(())),
                Flow::Reading if this.held.is_empty() => ready!(this.poll_direct(cx, out)),
                Flow::Reading => {
                    let read = ready!(this.poll_behind(cx));
                    if read.is_ok() {
                        this.judge_held();
                    }
                    read
                }
            };
            if let Err(error) = read {
                this.failed(error)?;
            }
            if out.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.speaks_for_itself() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.speaks_for_itself() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // hyper flushes when it has written all that it has.
        if self.flow == Flow::Answering && self.heads.answered() >= self.passed {
            self.go_on(cx);
        }
        Poll::Ready(Ok(()))
    }

    /// Not yet, when something is to be said here.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Flow::Ended(_) = self.flow {
            return Pin::new(&mut self.stream).poll_flush(cx);
        }
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gated<S> {
    /// Once hyper is done: says what is to be said, and ends the connection so that the client
    /// sees the last answer. `headers` are the lines that every answer has.
    pub async fn finish(mut self, peer: IpAddr, headers: impl FnOnce() -> String) {
        let asked = self.framing.asked();
        let is_unread = self.is_within || !self.held.is_empty();
        match self.flow {
            Flow::Ended(refusal) => {
                log::refused(peer, refusal.status, refusal.reason);
                refused::answer(&mut self.stream, refusal, asked, &headers()).await;
            }
            Flow::Broken(refusal) => log::refused(peer, refusal.status, refusal.reason),
            // The last answer said that the connection closes: what is behind it is nobody's.
            Flow::Refused(_) | Flow::Reading | Flow::Answering => {}
        }
        if !self.is_shut {
            refused::shut(&mut self.stream).await;
        }
        let is_refused = !matches!(self.flow, Flow::Reading | Flow::Answering);
        if !self.is_over && (is_refused || is_unread) {
            refused::drain(&mut self.stream).await;
        }
    }
}

#[cfg(test)]
mod tests;
