//! The processes of an attempt: which they are, whether one is left, and how all are signalled.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::process::{Pid, Signal};

use super::cgroups::{Cgroup, Cgroups};
use super::child::Steps;
use super::keeper::Keeper;
use super::launch::Launched;
use super::members::Member;
use super::simulation::Puppet;
use super::stack::{Stack, Stacks};

/// How the processes of an attempt are known.
pub(super) enum Tree {
    /// They are those in its cgroup.
    Cgroup(Cgroup),
    /// They are those below its keeper.
    Keeper(Keeper),
    /// Its keeper was killed, by a script that may signal it, say. What it kept became the runner's
    /// own children; which of several such attempts they belong to cannot be told, and all are to end.
    Orphans(Vec<Pid>),
    /// It is one process of a simulation.
    Simulated(Puppet),
}

impl Tree {
    /// Sends a signal to every process; whether there was one.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        match self {
            Self::Cgroup(cgroup) if signal == Signal::KILL && cgroup.kill().is_ok() => true,
            Self::Simulated(puppet) => puppet.signal(signal),
            tree => {
                let members = tree.members();
                for member in &members {
                    member.signal(signal);
                }
                !members.is_empty()
            }
        }
    }

    /// What is left, zombies apart.
    pub(super) fn members(&self) -> Vec<Member> {
        match self {
            Self::Cgroup(cgroup) => cgroup.members(),
            Self::Keeper(keeper) => keeper.members(),
            // Children that were not waited for, so the numbers are theirs.
            Self::Orphans(pids) => pids.iter().copied().flat_map(Member::open).collect(),
            Self::Simulated(_) => Vec::new(),
        }
    }

    /// Whether nothing is left, once the child of the runner that stood for it was waited for.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Cgroup(cgroup) => cgroup.is_empty(),
            // It ends when nothing is left below it.
            Self::Keeper(_) | Self::Simulated(_) => true,
            Self::Orphans(pids) => pids.is_empty(),
        }
    }

    /// Becomes exceptional when the last process is gone, where that cannot be told otherwise.
    pub(super) fn end_of_tree(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Cgroup(cgroup) => Some(cgroup.events()),
            Self::Keeper(_) | Self::Orphans(_) | Self::Simulated(_) => None,
        }
    }
}

/// A child of the runner that stands for an attempt, and what it still reads and stands on.
pub(super) struct Planted {
    /// The main process, or its keeper.
    pub(super) child: Pid,
    pub(super) tree: Tree,
    /// Until the report pipe has closed; a keeper has a copy of its own.
    pub(super) launched: Option<Launched>,
}

/// Makes trees.
pub(super) struct Nursery {
    cgroups: Option<Cgroups>,
    stacks: Stacks,
    /// Children that failed and have not ended yet.
    leaving: HashMap<Pid, Launched>,
}

impl Nursery {
    /// With cgroups where this process may make some and scripts run as another account: its own
    /// could leave them, as it owns them.
    pub(super) fn open(socket: &Path, scripts_are_strangers: bool) -> Self {
        let cgroups = scripts_are_strangers.then(|| Cgroups::open(socket));
        Self {
            cgroups: cgroups.flatten(),
            stacks: Stacks::default(),
            leaving: HashMap::new(),
        }
    }

    /// Starts a child that becomes the script.
    pub(super) fn plant(&mut self, steps: Steps) -> io::Result<Planted> {
        let stack = self.stacks.take()?;
        // One that cannot be had now, because the system has too many, is done without.
        if let Some(Ok(cgroup)) = self.cgroups.as_mut().map(Cgroups::take) {
            return self.plant_in(cgroup, steps, stack);
        }
        let planted = with_keeper(steps, &stack);
        self.stacks.give_back(stack);
        planted
    }

    fn plant_in(&mut self, cgroup: Cgroup, steps: Steps, stack: Stack) -> io::Result<Planted> {
        let folder = cgroup.folder().as_raw_fd();
        let steps = Box::new(Steps {
            cgroup: Some(folder),
            ..steps
        });
        let launched = Launched::start(steps, stack);
        let tree = Tree::Cgroup(cgroup);
        match launched {
            Ok(launched) => Ok(Planted {
                child: launched.pid,
                tree,
                launched: Some(launched),
            }),
            Err(error) => {
                self.clear(tree);
                Err(error)
            }
        }
    }

    /// Ends what was just planted. A keeper that loses its runner ends what it keeps.
    pub(super) fn uproot(&mut self, planted: Planted) {
        if let Some(launched) = planted.launched {
            // It was not waited for, so the number is its own.
            let _ = rustix::process::kill_process(planted.child, Signal::KILL);
            self.is_leaving(launched);
        }
        self.clear(planted.tree);
    }

    /// The child has executed: it has left the runner's memory.
    pub(super) fn has_left(&mut self, launched: Launched) {
        self.stacks.give_back(launched.stack);
    }

    /// The child could not execute. It has said so, and may still be on its way to its end.
    pub(super) fn is_leaving(&mut self, launched: Launched) {
        self.leaving.insert(launched.pid, launched);
    }

    /// This child has ended and was waited for.
    pub(super) fn is_gone(&mut self, child: Pid) {
        if let Some(launched) = self.leaving.remove(&child) {
            self.has_left(launched);
        }
    }

    /// Whether a process is known by its cgroup.
    pub(super) fn is_in_cgroup(&self, pid: Pid) -> bool {
        self.cgroups
            .as_ref()
            .is_some_and(|cgroups| cgroups.holds(pid))
    }

    /// Nothing is left of the tree.
    pub(super) fn clear(&mut self, tree: Tree) {
        if let (Tree::Cgroup(cgroup), Some(cgroups)) = (tree, &mut self.cgroups) {
            cgroups.give_back(cgroup);
        }
    }
}

/// What is left of children that failed is theirs until the end of this process.
impl Drop for Nursery {
    fn drop(&mut self) {
        self.leaving.drain().for_each(std::mem::forget);
    }
}

fn with_keeper(steps: Steps, stack: &Stack) -> io::Result<Planted> {
    let keeper = Keeper::start(Box::new(steps), stack)?;
    Ok(Planted {
        child: keeper.pid(),
        tree: Tree::Keeper(keeper),
        launched: None,
    })
}
