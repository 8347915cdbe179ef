//! The way between server and runner: two queues, in which packets may take their time.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use stagedoor_domain::time::Clock;
use stagedoor_runner::handle::{Link, Received, Waiting};

use super::world::World;

/// One connection.
#[derive(Default)]
pub struct Pair(Mutex<Ends>);

#[derive(Default)]
struct Ends {
    to_runner: Queue,
    to_server: Queue,
    server_is_gone: bool,
    runner_is_gone: bool,
}

#[derive(Default)]
struct Queue(VecDeque<Packet>);

struct Packet {
    due: Duration,
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Queue {
    fn push(&mut self, due: Duration, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let fds = fds.iter().map(BorrowedFd::try_clone_to_owned);
        self.0.push_back(Packet {
            // None overtakes another.
            due: self.0.back().map_or(due, |last| last.due.max(due)),
            bytes: bytes.to_vec(),
            fds: fds.collect::<io::Result<_>>()?,
        });
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.0.front().map(|packet| packet.due)
    }

    fn take(&mut self, now: Duration, buffer: &mut [u8]) -> Option<Received> {
        self.due().filter(|due| *due <= now)?;
        let Packet { bytes, fds, .. } = self.0.pop_front()?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Some(Received {
            length: bytes.len(),
            fds,
            lacks_fds: false,
        })
    }
}

fn closed() -> Received {
    Received {
        length: 0,
        fds: Vec::new(),
        lacks_fds: false,
    }
}

impl Pair {
    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().expect("not poisoned")
    }

    /// When the runner can read something.
    pub fn due(&self) -> Option<Duration> {
        self.lock().to_runner.due()
    }

    /// What the runner can read now.
    pub fn take(&self, now: Duration, buffer: &mut [u8]) -> Option<Received> {
        self.lock().to_runner.take(now, buffer)
    }

    /// The server is gone and has nothing more to say.
    pub fn is_silent(&self) -> bool {
        let ends = self.lock();
        ends.server_is_gone && ends.to_runner.0.is_empty()
    }

    pub fn server_goes(&self) {
        self.lock().server_is_gone = true;
    }

    pub fn runner_goes(&self) {
        self.lock().runner_is_gone = true;
    }

    pub fn runner_is_gone(&self) -> bool {
        self.lock().runner_is_gone
    }

    /// The runner has said this.
    pub fn tell(&self, world: &World, bytes: &[u8], fds: &[OwnedFd]) {
        let late = Duration::from_millis(world.dice.below(4));
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let told = self
            .lock()
            .to_server
            .push(world.monotonic() + late, bytes, &fds);
        told.expect("duplicates");
        world.mail.notify_one();
        world.step("a packet to the server");
    }
}

/// The server's end.
pub struct ServerEnd {
    pub world: Arc<World>,
    pub life: u32,
    pub pair: Arc<Pair>,
}

impl ServerEnd {
    fn push(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut ends = self.pair.lock();
        if ends.runner_is_gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let late = Duration::from_millis(self.world.dice.below(4));
        ends.to_runner
            .push(self.world.monotonic() + late, bytes, fds)?;
        drop(ends);
        self.world.bell.notify_one();
        Ok(())
    }

    /// What can be read now, and else when there may be something.
    fn read(&self, buffer: &mut [u8]) -> Result<Received, Option<Duration>> {
        let mut ends = self.pair.lock();
        let now = self.world.monotonic();
        match ends.to_server.take(now, buffer) {
            Some(received) => Ok(received),
            None if ends.to_server.0.is_empty() && ends.runner_is_gone => Ok(closed()),
            None => Err(ends.to_server.due().map(|due| due.saturating_sub(now))),
        }
    }
}

impl Link for ServerEnd {
    fn send<'a>(&'a self, bytes: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> Waiting<'a, ()> {
        Box::pin(async move {
            self.world.pause(self.life, 1).await;
            self.world.step("a packet to the runner");
            self.world.die_if_dead(self.life).await;
            let sent = self.push(bytes, fds);
            self.world.step("a packet on its way to the runner");
            self.world.die_if_dead(self.life).await;
            sent
        })
    }

    fn try_send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.push(bytes, fds)
    }

    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Waiting<'a, Received> {
        Box::pin(async move {
            loop {
                self.world.die_if_dead(self.life).await;
                match self.read(buffer) {
                    Ok(received) => {
                        self.world.step("a packet from the runner");
                        self.world.bell.notify_one();
                        self.world.die_if_dead(self.life).await;
                        return Ok(received);
                    }
                    Err(None) => self.world.mail.notified().await,
                    Err(Some(wait)) => tokio::time::sleep(wait).await,
                }
            }
        })
    }
}
