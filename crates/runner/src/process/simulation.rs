//! The runner's loop and rules above a simulated operating system, for simulations of the whole
//! product. Sockets, pipes and epoll are real, and so is every line above them; processes, signals
//! and time are the simulation's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal};
use stagedoor_domain::sandbox::Enforced;
use stagedoor_domain::time::Clock;

use super::attempt::{Ends, Live};
use super::child::Order;
use super::log;
use super::machine::{Machine, Waited};
use super::members::Member;
use super::service::Service;
use super::start::Refused;
use super::tree::Tree;
use super::unconfirmed::Unconfirmed;
use crate::protocol::{Plan, Refusal};
use crate::wire::{self, Received};

/// The numbers of the signals that the runner is told of, as `signalfd` writes them.
const SIGCHLD: u32 = libc::SIGCHLD.unsigned_abs();
const SIGTERM: u32 = libc::SIGTERM.unsigned_abs();

/// The operating system of a simulation. Numbers of processes are not used again.
pub trait System {
    /// Starts a process, which is to become the script.
    fn start(&self, plan: &Plan) -> Result<u32, Refusal>;
    /// Whether it has become the script, or ended.
    fn executes(&self, pid: u32) -> bool;
    /// Sends a signal to a process; whether it was there.
    fn signal(&self, pid: u32, signal: i32) -> bool;
    /// The next process that has ended and was not waited for.
    fn wait(&self) -> Option<Ended>;
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Which.
    pub pid: u32,
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// A runner. To drop it is to kill it: its processes are the simulation's to end.
pub struct SimulatedRunner {
    service: Service,
    signals: OwnedFd,
}

impl SimulatedRunner {
    /// A runner that holds nothing.
    pub fn new(system: Rc<dyn System>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        log::be_quiet();
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (theirs, signals) = rustix::pipe::pipe_with(flags)?;
        let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let simulated = Simulated { system, null };
        let service = Service::new(None, theirs, Box::new(simulated), clock, Vec::new())?;
        Ok(Self { service, signals })
    }

    /// A server connects, in the place of an earlier one. This is its end.
    pub fn connect(&mut self) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
        self.service.replace_connection(ours);
        Ok(theirs)
    }

    /// A process of its has ended.
    pub fn interrupt(&self) -> io::Result<()> {
        self.signal(SIGCHLD)
    }

    /// It is told to end.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(SIGTERM)
    }

    fn signal(&self, number: u32) -> io::Result<()> {
        let mut record = [0; size_of::<libc::signalfd_siginfo>()];
        if let Some(first) = record.first_chunk_mut() {
            *first = number.to_ne_bytes();
        }
        rustix::io::write(&self.signals, &record)?;
        Ok(())
    }

    /// Does what is to be done now; whether it ends then.
    pub fn turn(&mut self) -> io::Result<bool> {
        self.service.turn(Some(Duration::ZERO))?;
        Ok(self.service.is_over())
    }

    /// When there is something to do even if nothing comes.
    pub fn due(&self) -> Option<Duration> {
        self.service.next_due()
    }

    /// How many attempts it holds.
    pub fn held(&self) -> usize {
        self.service.attempts.len()
    }
}

/// Sends a packet to a runner, from the end that [`SimulatedRunner::connect`] gave.
pub fn send(socket: &OwnedFd, bytes: &[u8], fds: &[OwnedFd]) -> io::Result<()> {
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    wire::send(socket, bytes, &fds)
}

/// Receives a packet of a runner.
pub fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Received> {
    wire::receive(socket, buffer)
}

/// One process as the tree of an attempt: it has no children.
pub(super) struct Puppet {
    system: Rc<dyn System>,
    pid: u32,
}

impl Puppet {
    pub(super) fn executes(&self) -> bool {
        self.system.executes(self.pid)
    }

    pub(super) fn signal(&self, signal: Signal) -> bool {
        self.system.signal(self.pid, signal.as_raw())
    }
}

/// The port to a simulated system.
struct Simulated {
    system: Rc<dyn System>,
    null: OwnedFd,
}

impl Simulated {
    fn live(&self, plan: Box<Plan>, clock: &dyn Clock) -> io::Result<Result<Live, Refusal>> {
        let pid = match self.system.start(&plan) {
            Ok(pid) => pid,
            Err(reason) => return Ok(Err(reason)),
        };
        let tree = Tree::Simulated(Puppet {
            system: Rc::clone(&self.system),
            pid,
        });
        let prints = pid.is_multiple_of(2);
        let pid = pid_of(pid).ok_or(io::ErrorKind::InvalidInput)?;
        let ends = Ends {
            main: Member::of(pid, self.null.try_clone()?),
            started_at: clock.now(),
            streams: Some([Self::pipe(prints)?, Self::pipe(prints)?]),
            scratch: String::new(),
            enforced: Enforced::default(),
        };
        let unconfirmed = Unconfirmed::new(Rc::new(self.null.try_clone()?), plan, None);
        Ok(Ok(Live::new(ends, tree, unconfirmed, clock.monotonic())))
    }

    /// The read end of a pipe with something in it, or with nothing. Nobody reads it.
    fn pipe(has_bytes: bool) -> io::Result<OwnedFd> {
        let (end, writes) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        if has_bytes {
            rustix::io::write(&writes, b"x")?;
        }
        Ok(end)
    }
}

fn pid_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

impl Machine for Simulated {
    fn start(&mut self, plan: Box<Plan>, clock: &dyn Clock) -> Result<Live, Refused> {
        let live = self.live(plan, clock);
        let failed = |error: io::Error| Refusal::Resources(error.to_string());
        live.map_err(failed).flatten().map_err(Refused::from)
    }

    fn has_left(&mut self, _: Order) {}

    fn orphans(&self, _: &dyn Fn(Pid) -> bool) -> Vec<Pid> {
        Vec::new()
    }

    fn give_up(&mut self, _: Tree) {}

    fn clear(&mut self, _: Tree) {}

    fn wait(&mut self) -> Option<Waited> {
        let Ended { pid, code, signal } = self.system.wait()?;
        Some(Waited {
            pid: pid_of(pid)?,
            exit_code: code,
            signal,
        })
    }

    fn remove_secrets(&mut self, _: &str) {}

    fn remove_scratch(&mut self, _: &str) -> io::Result<Option<Pid>> {
        Ok(None)
    }

    fn mounts_changed(&mut self) {}

    fn swept(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}
