//! The way between server and runner: packets with descriptors, each whole, all in order.

use std::future::Future;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::pin::Pin;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::wire::{self, Received};

/// What a link is waited for with.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// A socket, or what a simulation has in its place.
pub trait Link: Send + Sync {
    /// Sends one packet as soon as there is room for it.
    fn send<'a>(&'a self, bytes: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> Waiting<'a, ()>;

    /// Sends one packet if there is room for it now.
    fn try_send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()>;

    /// The next packet. Cancelling loses none.
    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Waiting<'a, Received>;
}

/// The real one.
pub(super) struct Socket(AsyncFd<OwnedFd>);

impl Socket {
    /// To be called inside the runtime.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        // SAFETY: an `OwnedFd` is open and stays the same descriptor; the `AsyncFd` owns it, and
        // only ever lends it.
        Ok(Self(unsafe { AsyncFd::register(socket) }?))
    }
}

impl Link for Socket {
    fn send<'a>(&'a self, bytes: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> Waiting<'a, ()> {
        let write = move |socket: &OwnedFd| wire::send(socket, bytes, fds);
        Box::pin(self.0.async_io(Interest::WRITABLE, write))
    }

    fn try_send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        wire::send(self.0.get_ref(), bytes, fds)
    }

    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Waiting<'a, Received> {
        let receive = |socket: &OwnedFd| match wire::receive(socket, buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            received => Ok(received),
        };
        Box::pin(async {
            match self.0.async_io(Interest::READABLE, receive).await {
                Ok(received) => received,
                // This runtime is ending, not the runner: whoever waits is about to be dropped.
                Err(_) => std::future::pending().await,
            }
        })
    }
}
