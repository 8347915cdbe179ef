//! The one connection of the server that counts.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use crate::protocol::{FromRunner, ToRunner};
use crate::wire::{self, Received};

/// A connected server and what could not be sent to it yet.
pub(super) struct Connection {
    /// For epoll.
    pub(super) socket: OwnedFd,
    /// The version that it speaks: it has said hello, so that it may be told things.
    pub(super) peer: Option<u32>,
    /// What epoll was told to watch it for.
    pub(super) interest: EventFlags,
    waiting: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    buffer: Vec<u8>,
}

/// What came in.
pub(super) enum Incoming {
    /// A message with its descriptors.
    Message(ToRunner, Vec<OwnedFd>),
    /// Nothing now.
    Nothing,
    /// The server is gone.
    Closed,
}

/// Whether everything was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Nothing waits.
    All,
    /// The socket is full.
    Full,
    /// Too many descriptors are on their way; only time helps.
    Later,
}

impl Connection {
    /// A connection that is watched for messages.
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            peer: None,
            interest: EventFlags::IN,
            waiting: VecDeque::new(),
            buffer: vec![0; wire::LARGEST_PACKET],
        }
    }

    /// Something waits to be sent; nothing more is read meanwhile, which bounds what can wait.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next message. A packet that is no message is an error.
    pub(super) fn receive(&mut self) -> io::Result<Incoming> {
        match wire::receive(&self.socket, &mut self.buffer) {
            Ok(Received { length: 0, .. }) => Ok(Incoming::Closed),
            // Where a descriptor is lacking, its message finds none.
            Ok(Received { length, fds, .. }) => {
                let message = wire::decode(self.buffer.get(..length).unwrap_or_default())?;
                Ok(Incoming::Message(message, fds))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Incoming::Nothing),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
            Err(_) => Ok(Incoming::Closed),
        }
    }

    /// Sends now, or keeps the message with duplicates of the descriptors until it can be sent.
    pub(super) fn send(&mut self, message: &FromRunner, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = wire::encode(message)?;
        if self.waiting.is_empty() {
            match wire::send(&self.socket, &bytes, fds) {
                Err(error) if is_later(&error) => {}
                // A server that is gone may have left messages to be read; their end tells it.
                Ok(()) | Err(_) => return Ok(()),
            }
        }
        let fds = fds
            .iter()
            .map(BorrowedFd::try_clone_to_owned)
            .collect::<io::Result<_>>()?;
        self.waiting.push_back((bytes, fds));
        Ok(())
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) -> Sent {
        while let Some((bytes, fds)) = self.waiting.front() {
            let borrowed: Vec<_> = fds.iter().map(std::os::fd::AsFd::as_fd).collect();
            match wire::send(&self.socket, bytes, &borrowed) {
                Ok(()) => {
                    self.waiting.pop_front();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Full,
                Err(error) if is_later(&error) => return Sent::Later,
                Err(_) => self.waiting.clear(),
            }
        }
        Sent::All
    }
}

/// Whether the same packet can be sent another time.
fn is_later(error: &io::Error) -> bool {
    let busy = [
        Errno::AGAIN,
        Errno::TOOMANYREFS,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::INTR,
    ];
    Errno::from_io_error(error).is_some_and(|errno| busy.contains(&errno))
}
