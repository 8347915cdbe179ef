//! Where no cgroup can be made: one small process per attempt, between the runner and the script.
//!
//! Whatever outlives its parent becomes the keeper's child (`PR_SET_CHILD_SUBREAPER`), so the tree
//! of the attempt is what is below the keeper, and it is empty when the keeper has ended. It tells
//! the runner the number of the main process and how that ended. A runner that is killed cannot end
//! its scripts any more: then its keepers do.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

use super::child::{Failure, Order, Step};
use super::launch;
use super::members::{self, Member};
use super::signals;

/// Between two rounds of killing what is left, in which more may have been forked.
const AGAIN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// The runner has a descriptor of the main process.
const KNOWN: &[u8] = b"k";
/// Everything is to be killed.
const END_ALL: &[u8] = b"e";

/// The runner's side of a keeper.
pub(super) struct Keeper {
    pid: Pid,
    channel: OwnedFd,
}

/// What the runner learns from a keeper.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The main process ended with this exit code, or by this signal.
    Ended(Option<i32>, Option<i32>),
    /// The main process has ended, and something it started has not.
    Left,
    /// Nothing now.
    Nothing,
    /// The keeper is gone, or speaks no more.
    Gone,
}

impl Keeper {
    /// Forks a keeper that launches a copy of this order; only what its child tells is shared.
    pub(super) fn start(order: Box<Order>) -> io::Result<(Self, Box<Order>)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::SEQPACKET;
        let (channel, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
        // SAFETY: the runner has one thread, so no lock is held and the child may allocate.
        match unsafe { libc::fork() } {
            0 => keep(order, &theirs),
            pid => {
                let pid = launch::started(pid)?;
                Ok((Self { pid, channel }, order))
            }
        }
    }

    /// The runner's own child.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable when there is a word.
    pub(super) fn channel(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// Whether it has said which the main process is.
    pub(super) fn knows_main(&self) -> bool {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        recv(&self.channel, &mut [0; 4], flags).is_ok()
    }

    /// The main process, once that has executed or the keeper has ended. From then on the keeper lets it
    /// go when it ends; until then its number stays its own.
    pub(super) fn main(&self) -> Option<Member> {
        let mut bytes = [0; 4];
        let main = match recv(&self.channel, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((4, _)) => {
                Pid::from_raw(i32::from_ne_bytes(bytes)).and_then(|pid| Member::open(pid).ok())
            }
            _ => None,
        };
        let _ = send(&self.channel, KNOWN, SendFlags::NOSIGNAL);
        main
    }

    /// The next word. To be asked after [`Keeper::main`].
    pub(super) fn word(&self) -> Word {
        let mut bytes = [0; 8];
        match recv(&self.channel, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((8, _)) => {
                let (code, signal) = bytes.split_at(4);
                let (code, signal) = (number(code), number(signal));
                Word::Ended((code >= 0).then_some(code), (signal > 0).then_some(signal))
            }
            Ok((1, _)) => Word::Left,
            Err(Errno::AGAIN | Errno::INTR) => Word::Nothing,
            _ => Word::Gone,
        }
    }

    /// Has it kill everything below it. It has descriptors for that also when none is free here, and one
    /// that was suspended goes on.
    pub(super) fn kill(&self) {
        let _ = send(&self.channel, END_ALL, SendFlags::NOSIGNAL);
        // It was not waited for, so the number is its own.
        let _ = rustix::process::kill_process(self.pid, Signal::CONT);
    }

    /// What is left of the tree.
    pub(super) fn members(&self) -> Vec<Member> {
        members::below(self.pid)
    }
}

/// The keeper. It ends when nothing is left below it.
fn keep(order: Box<Order>, channel: &OwnedFd) -> ! {
    let work = std::panic::AssertUnwindSafe(|| keep_until_empty(order, channel));
    let done = std::panic::catch_unwind(work);
    // SAFETY: `_exit` ends the process without touching what it shares with the runner, and without
    // dropping what was closed already.
    unsafe { libc::_exit(i32::from(!matches!(done, Ok(Ok(()))))) }
}

fn keep_until_empty(order: Box<Order>, channel: &OwnedFd) -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // The main process reads it for an unknown time.
    let order = ManuallyDrop::new(order);
    // SAFETY: it is neither changed nor dropped in this process.
    let main = match unsafe { launch::launch(&order) } {
        Ok(main) => main,
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or_default();
            let step = Step::Process;
            order.departure().fail(Failure { step, errno });
            return Ok(());
        }
    };
    // A script that nobody is told of, or that cannot be watched, must not go on.
    watch_over(main, &order, channel).or_else(|_| end_everything())
}

/// Tells the runner who the main process is and what becomes of it, until nothing is left.
fn watch_over(main: Pid, order: &Order, channel: &OwnedFd) -> io::Result<()> {
    send(
        channel,
        &main.as_raw_nonzero().get().to_ne_bytes(),
        SendFlags::NOSIGNAL,
    )?;
    // Neither the runner's lock nor its connections may live as long as a script.
    rustix::stdio::dup2_stdin(channel)?;
    signals::close_inherited()?;
    let channel = rustix::stdio::stdin();
    let signals = signals::of_children()?;
    let (mut is_known, mut main_is_gone) = (false, false);
    loop {
        // Until the runner has a descriptor of the main process, its number must stay its own.
        if is_known && reap(main, &mut main_is_gone, channel)? {
            return Ok(());
        }
        let mut ready = [
            PollFd::new(&channel, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
        ];
        poll(&mut ready, None)?;
        signals::drain(&signals);
        if !is_known && has_ended(main) {
            order.departure().ended(main);
        }
        let mut word = [0; 1];
        match recv(channel, &mut word, RecvFlags::DONTWAIT) {
            Ok((1.., _)) if word == END_ALL => kill_everything(),
            Ok((1.., _)) => is_known = true,
            Err(Errno::AGAIN | Errno::INTR) => {}
            _ => return end_everything(),
        }
    }
}

/// Its number stays its own: it is not let go of.
fn has_ended(main: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(
        rustix::process::waitid(WaitId::Pid(main), look),
        Ok(Some(_))
    )
}

/// Lets go of every child that has ended, and tells how the main process did. True when none is
/// left. A runner that cannot be told is gone and has closed the channel, which ends everything.
fn reap(main: Pid, main_is_gone: &mut bool, channel: BorrowedFd<'_>) -> io::Result<bool> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == main => {
                *main_is_gone = true;
                let code = status.exit_status().unwrap_or(-1);
                let signal = status.terminating_signal().unwrap_or(0);
                let word = [code.to_ne_bytes(), signal.to_ne_bytes()].concat();
                let _ = send(channel, &word, SendFlags::NOSIGNAL);
            }
            Ok(Some(_)) => {}
            Ok(None) => {
                if *main_is_gone {
                    let _ = send(channel, b"l", SendFlags::NOSIGNAL);
                }
                return Ok(false);
            }
            Err(Errno::CHILD) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn number(bytes: &[u8]) -> i32 {
    let bytes = bytes.first_chunk();
    bytes.map_or(0, |bytes| i32::from_ne_bytes(*bytes))
}

/// Nobody is there any more who could stop the script or end it in time.
fn end_everything() -> io::Result<()> {
    loop {
        kill_everything();
        poll(&mut [], Some(&AGAIN))?;
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return Ok(()),
            }
        }
    }
}

fn kill_everything() {
    for member in members::below(rustix::process::getpid()) {
        member.signal(Signal::KILL);
    }
}
