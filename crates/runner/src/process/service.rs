//! The loop: one thread, one wait, and what each event changes.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::process::Pid;
use stagedoor_domain::time::Clock;

use super::attempts::Attempts;
use super::clock::KernelClock;
use super::connection::{Connection, Incoming, Sent};
use super::listener::Listener;
use super::log::log;
use super::start::Station;
use crate::protocol::FromRunner;

/// A runner that nobody needs ends after this time.
const IDLE: Duration = Duration::from_secs(10);
/// When the kernel holds too many descriptors in flight, how long until the next try.
const LATER: Duration = Duration::from_millis(10);
/// Messages read in one turn, so that exits are not kept waiting.
const TURN: usize = 64;

const LISTENER: u64 = 0;
const SIGNALS: u64 = 1;
const CONNECTION: u64 = 2;
/// In the low byte; the main process's number stands above it.
pub(super) const REPORT: u64 = 3;

/// Everything the runner has.
pub(super) struct Service {
    pub(super) epoll: OwnedFd,
    pub(super) signals: OwnedFd,
    listener: Listener,
    pub(super) connection: Option<Connection>,
    pub(super) attempts: Attempts,
    pub(super) station: Station,
    pub(super) clock: KernelClock,
    /// What it was started with.
    pub(super) settings: Vec<String>,
    /// Processes that empty scratch folders, with the folder's name.
    pub(super) sweepers: HashMap<Pid, String>,
    idle_since: Duration,
    pub(super) retry_at: Option<Duration>,
    /// TERM has come: nothing is started any more.
    pub(super) ending: bool,
    /// The server has said goodbye and nothing is held.
    pub(super) dismissed: bool,
}

impl Service {
    pub(super) fn new(
        listener: Listener,
        signals: OwnedFd,
        station: Station,
        settings: Vec<String>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        watch(&epoll, &listener.socket, LISTENER)?;
        watch(&epoll, &signals, SIGNALS)?;
        let clock = KernelClock;
        let mut service = Self {
            epoll,
            signals,
            listener,
            connection: None,
            attempts: Attempts::default(),
            station,
            idle_since: clock.monotonic(),
            clock,
            settings,
            sweepers: HashMap::new(),
            retry_at: None,
            ending: false,
            dismissed: false,
        };
        for name in service.station.scratch.stale()? {
            service.remove_scratch(name);
        }
        Ok(service)
    }

    pub(super) fn null(&self) -> BorrowedFd<'_> {
        self.station.null.as_fd()
    }

    /// Serves until nobody needs it any more.
    pub(super) fn serve(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        while !self.is_over() {
            let timeout = self
                .next_due()
                .map(|due| timespec(due, self.clock.monotonic()));
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            for event in events.drain(..) {
                self.on_event(event.data.u64());
            }
            self.on_time();
            self.rearm();
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let idle = self
            .idle_until()
            .is_some_and(|until| until <= self.clock.monotonic());
        let told = self
            .connection
            .as_ref()
            .is_none_or(|connection| !connection.is_waiting());
        let ended = told && self.sweepers.is_empty() && self.attempts.all_live().next().is_none();
        self.dismissed || idle || (self.ending && ended)
    }

    /// When nobody needs this runner any more, unless something happens before.
    fn idle_until(&self) -> Option<Duration> {
        let needed = self.connection.is_some() || self.attempts.len() > 0;
        (!needed && self.sweepers.is_empty()).then(|| self.idle_since.saturating_add(IDLE))
    }

    fn next_due(&self) -> Option<Duration> {
        let attempts = self.attempts.all_live().filter_map(|(_, live)| live.due());
        attempts.chain(self.idle_until()).chain(self.retry_at).min()
    }

    fn on_event(&mut self, token: u64) {
        match token {
            LISTENER => self.on_connect(),
            SIGNALS => self.on_signals(),
            CONNECTION => self.on_connection(),
            report => {
                let pid = i32::try_from(report >> 8).ok().and_then(Pid::from_raw);
                if let Some(key) = pid.and_then(|pid| self.attempts.of_main(pid)) {
                    self.confirm(key);
                }
            }
        }
    }

    /// A new server replaces the old one.
    fn on_connect(&mut self) {
        if let Some(socket) = self.listener.accept() {
            self.disconnect();
            match watch(&self.epoll, &socket, CONNECTION) {
                Ok(()) => self.connection = Some(Connection::new(socket)),
                Err(error) => log(format_args!("a connection cannot be watched: {error}")),
            }
        }
    }

    /// Children that were forked and have not executed yet share the socket, so closing it alone
    /// would not end the events.
    pub(super) fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = epoll::delete(&self.epoll, &connection.socket);
            self.idle_since = self.clock.monotonic();
            self.retry_at = None;
        }
    }

    fn on_connection(&mut self) {
        self.flush();
        for _ in 0..TURN {
            let Some(connection) = self.connection.as_mut().filter(|c| !c.is_waiting()) else {
                return;
            };
            match connection.receive() {
                Ok(Incoming::Message(message, fds)) => self.obey(message, &fds),
                Ok(Incoming::Nothing) => return,
                Ok(Incoming::Closed) => return self.disconnect(),
                Err(error) => {
                    log(format_args!("a message was not understood: {error}"));
                    return self.disconnect();
                }
            }
        }
    }

    pub(super) fn flush(&mut self) {
        match self.connection.as_mut().map(Connection::flush) {
            Some(Sent::Later) => self.retry_at = Some(self.clock.monotonic() + LATER),
            _ => self.retry_at = None,
        }
    }

    /// Waits for what the connection can do next: be written to, be read, or nothing for a while.
    fn rearm(&mut self) {
        if let Some(connection) = &self.connection {
            let flags = match (connection.is_waiting(), self.retry_at) {
                (false, _) => epoll::EventFlags::IN,
                (true, None) => epoll::EventFlags::OUT,
                (true, Some(_)) => epoll::EventFlags::empty(),
            };
            let data = epoll::EventData::new_u64(CONNECTION);
            if epoll::modify(&self.epoll, &connection.socket, data, flags).is_err() {
                self.disconnect();
            }
        }
    }

    /// Tells the server, if one is there and has said hello.
    pub(super) fn tell(&mut self, message: &FromRunner, fds: &[BorrowedFd<'_>]) {
        let connection = self
            .connection
            .as_mut()
            .filter(|connection| connection.greeted);
        if connection.is_some_and(|connection| connection.send(message, fds).is_err()) {
            // It can connect again and is told everything then.
            self.disconnect();
        }
    }
}

pub(super) fn watch(epoll: &OwnedFd, fd: impl AsFd, token: u64) -> io::Result<()> {
    Ok(epoll::add(
        epoll,
        fd,
        epoll::EventData::new_u64(token),
        epoll::EventFlags::IN,
    )?)
}

fn timespec(due: Duration, now: Duration) -> Timespec {
    let wait = due.saturating_sub(now);
    Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    }
}
