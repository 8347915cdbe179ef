//! A connection whose client does not take what we send holds a place for nothing: after a while
//! it is closed. Below TLS, so that each byte that the client takes counts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::watched::{Watch, Watched};

/// How long nothing may be taken.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ends a stream when a write makes no progress for a minute.
pub(super) struct Stall {
    patience: Pin<Box<Sleep>>,
    waits: bool,
}

impl Stall {
    /// The stream, watched.
    pub fn watch<S>(stream: S) -> Watched<S, Self> {
        let stall = Self {
            patience: Box::pin(tokio::time::sleep(PATIENCE)),
            waits: false,
        };
        Watched::new(stream, stall)
    }
}

impl Watch for Stall {
    fn write(
        &mut self,
        done: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if done.is_ready() {
            self.waits = false;
            return done;
        }
        if !self.waits {
            self.waits = true;
            self.patience.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(self.patience.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut client, server) = tokio::io::duplex(8);
        let mut server = Stall::watch(server);
        server.write_all(b"12345678").await.expect("room for it");
        let error = server.write_all(b"9").await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        client
            .read_exact(&mut [0; 8])
            .await
            .expect("what was sent before");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_is_not() {
        let (mut client, server) = tokio::io::duplex(1);
        let mut server = Stall::watch(server);
        let reader = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                client.read_u8().await.expect("a byte");
            }
        });
        server.write_all(b"12345").await.expect("it reads slowly");
        reader.await.expect("no panic");
    }
}
