//! What the rules of the runner ask of the operating system about processes, as a port: the real
//! one is [`Station`], a simulation has its own.

use std::io;

use rustix::process::{Pid, WaitOptions};
use stagedoor_domain::time::Clock;

use super::attempt::Live;
use super::child::Order;
use super::members;
use super::start::{Refused, Station};
use super::tree::Tree;
use crate::protocol::Plan;

/// A child that has ended and was waited for.
pub(super) struct Waited {
    pub(super) pid: Pid,
    /// Unless a signal ended it.
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
}

/// The operating system.
pub(super) trait Machine {
    /// Starts the attempt. It is not known yet whether it executes.
    fn start(&mut self, plan: Box<Plan>, clock: &dyn Clock) -> Result<Live, Refused>;

    /// The child has executed or ended, so that its order is not needed any more.
    fn has_left(&mut self, order: Order);

    /// The children of the runner that nobody knows and that are in no cgroup.
    fn orphans(&self, is_known: &dyn Fn(Pid) -> bool) -> Vec<Pid>;

    /// The attempt did not come about, and what was to become its tree may still be ending.
    fn give_up(&mut self, tree: Tree);

    /// Nothing is left of the tree.
    fn clear(&mut self, tree: Tree);

    /// The next child that has ended; none when there is none now.
    fn wait(&mut self) -> Option<Waited>;

    /// Removes the secrets in an attempt's folder.
    fn remove_secrets(&mut self, name: &str);

    /// Removes an attempt's folder, with a process if need be.
    fn remove_scratch(&mut self, name: &str) -> io::Result<Option<Pid>>;

    /// Something was mounted or unmounted.
    fn mounts_changed(&mut self);

    /// That process has ended.
    fn swept(&mut self, name: &str) -> io::Result<()>;
}

impl Machine for Station {
    fn start(&mut self, plan: Box<Plan>, clock: &dyn Clock) -> Result<Live, Refused> {
        Self::start(self, plan, clock)
    }

    fn has_left(&mut self, order: Order) {
        self.nursery.has_left(order);
    }

    fn orphans(&self, is_known: &dyn Fn(Pid) -> bool) -> Vec<Pid> {
        let mut orphans = members::children(rustix::process::getpid());
        orphans.retain(|pid| !is_known(*pid) && !self.nursery.is_in_cgroup(*pid));
        orphans
    }

    fn give_up(&mut self, tree: Tree) {
        self.nursery.give_up(tree);
    }

    fn clear(&mut self, tree: Tree) {
        self.nursery.clear(tree);
    }

    fn wait(&mut self) -> Option<Waited> {
        let (pid, status) = rustix::process::wait(WaitOptions::NOHANG).ok()??;
        Some(Waited {
            pid,
            exit_code: status.exit_status(),
            signal: status.terminating_signal(),
        })
    }

    fn remove_secrets(&mut self, name: &str) {
        self.scratch.remove_secrets(name);
    }

    fn remove_scratch(&mut self, name: &str) -> io::Result<Option<Pid>> {
        self.scratch.remove(name)
    }

    fn mounts_changed(&mut self) {
        self.scratch.mounts_changed();
    }

    fn swept(&mut self, name: &str) -> io::Result<()> {
        self.scratch.swept(name)
    }
}
