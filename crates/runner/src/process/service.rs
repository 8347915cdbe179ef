//! The loop: one thread, one wait, and what each event changes.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use stagedoor_domain::time::Clock;

use super::attempts::Attempts;
use super::connection::{Connection, Incoming, Sent};
use super::listener::Listener;
use super::log::warn;
use super::machine::Machine;
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
// In the low byte; above it stands the keeper's number, or the descriptor's of the cgroup's events.
pub(super) const KEEPER: u64 = 3;
/// A cgroup's last process is gone.
pub(super) const CGROUP: u64 = 4;
const MOUNTS: u64 = 5;

/// A process that empties a scratch folder.
pub(super) struct Sweeper {
    pub(super) folder: String,
    /// It may belong to the scripts' account, and be suspended by a script. It cannot keep the runner
    /// longer than until then.
    pub(super) kill_at: Duration,
}

/// Everything the runner has.
pub(super) struct Service {
    pub(super) epoll: OwnedFd,
    /// Room for what epoll tells, kept from turn to turn.
    events: Vec<epoll::Event>,
    pub(super) signals: OwnedFd,
    /// Tells when they change.
    mounts: Option<OwnedFd>,
    pub(super) connection: Option<Connection>,
    pub(super) attempts: Attempts,
    pub(super) machine: Box<dyn Machine>,
    pub(super) clock: Arc<dyn Clock>,
    /// What it was started with.
    pub(super) settings: Vec<String>,
    /// Processes that empty scratch folders.
    pub(super) sweepers: HashMap<Pid, Sweeper>,
    idle_since: Duration,
    pub(super) retry_at: Option<Duration>,
    /// Children have ended that were not waited for yet.
    pub(super) has_more: bool,
    /// TERM has come: nothing is started any more.
    pub(super) ending: bool,
    /// The server has said goodbye and nothing is held.
    pub(super) dismissed: bool,
    /// None in a simulation, which brings its connections. Last, because it holds the lock that keeps the
    /// next runner from what the machine still removes.
    listener: Option<Listener>,
}

impl Service {
    pub(super) fn new(
        listener: Option<Listener>,
        signals: OwnedFd,
        machine: Box<dyn Machine>,
        clock: Arc<dyn Clock>,
        settings: Vec<String>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        if let Some(listener) = &listener {
            watch(&epoll, &listener.socket, LISTENER)?;
        }
        watch(&epoll, &signals, SIGNALS)?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(64),
            signals,
            mounts: None,
            listener,
            connection: None,
            attempts: Attempts::default(),
            machine,
            idle_since: clock.monotonic(),
            clock,
            settings,
            sweepers: HashMap::new(),
            retry_at: None,
            has_more: false,
            ending: false,
            dismissed: false,
        })
    }

    /// Has the machine told of each change of the mounts.
    pub(super) fn watch_mounts(&mut self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mounts = rustix::fs::open(c"/proc/self/mountinfo", flags, Mode::empty())?;
        let data = epoll::EventData::new_u64(MOUNTS);
        epoll::add(&self.epoll, &mounts, data, epoll::EventFlags::PRI)?;
        self.mounts = Some(mounts);
        Ok(())
    }

    /// Serves until nobody needs it any more.
    pub(super) fn serve(&mut self) -> io::Result<()> {
        while !self.is_over() {
            let now = self.clock.monotonic();
            self.turn(self.next_due().map(|due| due.saturating_sub(now)))?;
        }
        Ok(())
    }

    /// Waits for events, but not longer than this, and does what follows from them.
    pub(super) fn turn(&mut self, at_most: Option<Duration>) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.events);
        let timeout = at_most.map(timespec);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in events.drain(..) {
            self.on_event(event.data.u64());
        }
        self.events = events;
        self.on_time();
        self.rearm();
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
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

    pub(super) fn next_due(&self) -> Option<Duration> {
        let attempts = self.attempts.all_live().filter_map(|(_, live)| live.due());
        let at_once = self.has_more.then_some(Duration::ZERO);
        let sweepers = self.sweepers.values().map(|sweeper| sweeper.kill_at);
        let others = self
            .idle_until()
            .into_iter()
            .chain(self.retry_at)
            .chain(sweepers);
        attempts.chain(others).chain(at_once).min()
    }

    fn on_event(&mut self, token: u64) {
        match token & 0xff {
            LISTENER => self.on_connect(),
            SIGNALS => self.on_signals(),
            CONNECTION => self.on_connection(),
            MOUNTS => self.machine.mounts_changed(),
            CGROUP => self.on_empty_cgroup(token >> 8),
            _ => {
                let keeper = i32::try_from(token >> 8).ok().and_then(Pid::from_raw);
                if let Some(key) = keeper.and_then(|pid| self.attempts.of_child(pid)) {
                    self.on_words(key);
                }
            }
        }
    }

    /// A new server replaces the old one.
    fn on_connect(&mut self) {
        if let Some(socket) = self.listener.as_ref().and_then(Listener::accept) {
            self.replace_connection(socket);
        }
    }

    pub(super) fn replace_connection(&mut self, socket: OwnedFd) {
        self.disconnect();
        match watch(&self.epoll, &socket, CONNECTION) {
            Ok(()) => self.connection = Some(Connection::new(socket)),
            Err(error) => warn(format_args!("a connection cannot be watched: {error}")),
        }
    }

    /// What was forked, a keeper, say, and has not closed it yet shares the socket, so closing it alone
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
                    warn(format_args!("a message was not understood: {error}"));
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
        if let Some(connection) = &mut self.connection {
            let flags = match (connection.is_waiting(), self.retry_at) {
                (false, _) => epoll::EventFlags::IN,
                (true, None) => epoll::EventFlags::OUT,
                (true, Some(_)) => epoll::EventFlags::empty(),
            };
            if connection.interest == flags {
                return;
            }
            connection.interest = flags;
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
            .filter(|connection| connection.peer.is_some());
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

/// What the words of a keeper are known by.
pub(super) fn token(keeper: Pid) -> u64 {
    u64::from(keeper.as_raw_nonzero().get().unsigned_abs()) << 8 | KEEPER
}

fn timespec(wait: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    }
}
