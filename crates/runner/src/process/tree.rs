//! The processes of an attempt: which they are, whether one is left, and how all are signalled.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use stagedoor_domain::run::Met;

use super::cgroup::controls::Share;
use super::cgroup::{Cgroup, Joins};
use super::cgroups::{Cgroups, Others};
use super::child::{Order, Steps};
use super::keeper::Keeper;
use super::launch;
use super::log::warn;
use super::members::Member;
use super::simulation::Puppet;
use super::stack::Stacks;

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
                if let (Self::Keeper(keeper), Signal::KILL) = (tree, signal) {
                    keeper.kill();
                }
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

    /// The system's own group of its processes, where it has one.
    pub(super) fn cgroup(&self) -> Option<&Cgroup> {
        match self {
            Self::Cgroup(cgroup) => Some(cgroup),
            Self::Keeper(_) | Self::Orphans(_) | Self::Simulated(_) => None,
        }
    }

    /// What of its bounds it met.
    pub(super) fn met(&self) -> Met {
        self.cgroup().map_or_else(Met::default, Cgroup::met)
    }

    /// Becomes exceptional when the last process is gone, where that cannot be told otherwise.
    pub(super) fn end_of_tree(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup().map(Cgroup::events)
    }
}

/// A child of the runner that stands for an attempt, and what it still reads and stands on.
pub(super) struct Planted {
    /// The main process, or its keeper.
    pub(super) child: Member,
    pub(super) tree: Tree,
    pub(super) order: Box<Order>,
}

/// So many cgroups that served before are tried before a run goes without.
const MOST_USED: u32 = 64;

/// Where an attempt is planted.
#[derive(Default)]
pub(super) struct Bed {
    cgroup: Option<Cgroup>,
    /// What all in it may use together.
    pub(super) holds: Share,
}

impl Bed {
    /// The system's own group of its processes, where it has one.
    pub(super) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The files by which a child joins what bounds it.
    pub(super) fn joins(&self) -> Joins {
        self.cgroup
            .as_ref()
            .map_or_else(Joins::default, Cgroup::joins)
    }
}

/// Makes trees.
pub(super) struct Nursery {
    cgroups: Option<Cgroups>,
    /// The runner's session has no terminal.
    has_no_terminal: bool,
    stacks: Stacks,
}

impl Nursery {
    /// With cgroups where this process may make some and scripts run as another account: its own
    /// could leave them, as it owns them.
    pub(super) fn open(
        socket: &Path,
        scripts_are_strangers: bool,
        has_no_terminal: bool,
        others: Others,
    ) -> Self {
        let cgroups = scripts_are_strangers.then(|| Cgroups::open(socket, others));
        Self {
            cgroups: cgroups.flatten(),
            has_no_terminal,
            stacks: Stacks::default(),
        }
    }

    /// A cgroup for the next attempt, where there are any, bound to this share, and what of that holds. One
    /// that cannot be had now, because the system has too many, is done without.
    pub(super) fn bed(&mut self, share: Share) -> Bed {
        let Some(cgroups) = &mut self.cgroups else {
            return Bed::default();
        };
        // One that is new can be bound, if any can.
        for _ in 0..=MOST_USED {
            let Ok(cgroup) = cgroups.take(share.memory) else {
                break;
            };
            match cgroup.bind(share) {
                Ok(holds) => {
                    return Bed {
                        cgroup: Some(cgroup),
                        holds,
                    };
                }
                Err(_) => {
                    let _ = cgroup.remove();
                }
            }
        }
        warn(format_args!(
            "there is no cgroup for a run, or none can be bound"
        ));
        Bed::default()
    }

    /// Nothing was planted in it.
    pub(super) fn take_back(&mut self, bed: Bed) {
        if let (Some(cgroup), Some(cgroups)) = (bed.cgroup, &mut self.cgroups) {
            cgroups.give_back(cgroup);
        }
    }

    /// Starts a child that becomes the script, in this cgroup.
    pub(super) fn plant(&mut self, steps: Steps, bed: Bed) -> io::Result<Planted> {
        let stack = self.stacks.take()?;
        stack.departure().prepare();
        let mut order = Box::new(Order { steps, stack });
        order.steps.begins_session |= !self.has_no_terminal;
        match bed.cgroup {
            Some(cgroup) => self.plant_in(cgroup, order),
            None => with_keeper(order),
        }
    }

    /// In a cgroup that somebody has removed nothing can begin: it is done without, too.
    fn plant_in(&mut self, cgroup: Cgroup, mut order: Box<Order>) -> io::Result<Planted> {
        let wanted = order.steps.begins_session;
        // The cgroup holds all of it together: a session would add nothing to that but a share of the
        // processors.
        order.steps.begins_session &= !(self.has_no_terminal && cgroup.shares_processors());
        // SAFETY: what is planted keeps the order, until `has_left`.
        let launched = unsafe { launch::launch_into(cgroup.folder(), &order) };
        let tree = Tree::Cgroup(cgroup);
        match launched {
            Ok(child) => Ok(Planted { child, tree, order }),
            Err(error) => {
                self.give_up(tree);
                order.steps.begins_session = wanted;
                order.steps.joins = Joins::default();
                match Errno::from_io_error(&error) {
                    Some(Errno::NOENT | Errno::NODEV) if !order.steps.is_bound => {
                        with_keeper(order)
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// The child has executed or ended. What one that was killed before it could be watched stood on is
    /// not used again: it was waited for, unless it is a keeper's, which has a copy.
    pub(super) fn has_left(&mut self, order: Order) {
        if order.departure().is_over() {
            self.stacks.give_back(order.stack);
        }
    }

    /// Whether a process is known by its cgroup.
    pub(super) fn is_in_cgroup(&self, pid: Pid) -> bool {
        self.cgroups
            .as_ref()
            .is_some_and(|cgroups| cgroups.holds(pid))
    }

    /// The attempt did not come about, and what was to become its tree may still be ending.
    pub(super) fn give_up(&mut self, tree: Tree) {
        if let (Tree::Cgroup(cgroup), Some(cgroups)) = (tree, &mut self.cgroups) {
            cgroups.give_up(cgroup);
        }
    }

    /// Nothing is left of the tree.
    pub(super) fn clear(&mut self, tree: Tree) {
        if let (Tree::Cgroup(cgroup), Some(cgroups)) = (tree, &mut self.cgroups) {
            cgroups.give_back(cgroup);
        }
    }
}

/// A keeper that cannot be watched loses its runner, and ends what it keeps.
fn with_keeper(order: Box<Order>) -> io::Result<Planted> {
    let (keeper, order) = Keeper::start(order)?;
    Ok(Planted {
        child: Member::open(keeper.pid())?,
        tree: Tree::Keeper(keeper),
        order,
    })
}
