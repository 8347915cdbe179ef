//! An attempt between its start and the moment when it is known to execute.
//!
//! Nothing tells that moment: it is looked for after a while, and then again. What is over before the
//! first look needs none.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use stagedoor_domain::invocation::Invocation;

use super::child::{Failure, Order};
use super::tree::Tree;
use crate::protocol::Plan;

/// Between two looks. Until then its output is read by nobody.
const PAUSE: Duration = Duration::from_millis(1);
/// Most others that a first look waits for, too.
const MOST_OTHERS: u32 = 31;
/// So many looks are made with that pause, on a busy machine nearly all.
const OFTEN: u32 = 50;
/// Between two looks at one that takes longer.
const LONG_PAUSE: Duration = Duration::from_millis(32);

/// An attempt whose folder and plan, in case it does not execute, are needed to say why.
pub(super) struct Unconfirmed {
    pub(super) folder: Rc<OwnedFd>,
    pub(super) plan: Box<Plan>,
    /// None in a simulation, and after [`Self::take_left`] has given it.
    pub(super) order: Option<Box<Order>>,
    /// A TERM that nobody was there yet to receive.
    pub(super) owes_term: bool,
    look_at: Duration,
    looks: u32,
}

impl Unconfirmed {
    pub(super) fn new(folder: Rc<OwnedFd>, mut plan: Box<Plan>, order: Option<Box<Order>>) -> Self {
        // What follows needs no argument, and a secret need not stay in memory.
        plan.invocation = Invocation::default();
        plan.env = Vec::new();
        Self {
            folder,
            plan,
            order,
            owes_term: false,
            look_at: Duration::ZERO,
            looks: 0,
        }
    }

    /// Why it does not execute, if it does not.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.order.as_ref()?.departure().failure()
    }

    /// When to look whether it executes.
    pub(super) fn look_at(&self) -> Duration {
        self.look_at
    }

    /// It shares the processors with so many others that are not known to execute, so the first look is
    /// later: one that has ended by then is told in one message, and its pipes may not even be needed.
    pub(super) fn begins_among(&mut self, others: usize) {
        let others = u32::try_from(others).map_or(MOST_OTHERS, |others| others.min(MOST_OTHERS));
        self.look_at = self.look_at.saturating_add(PAUSE * others);
    }

    /// What its child was given, once that has executed and has its own.
    pub(super) fn take_left(&mut self) -> Option<Box<Order>> {
        let has_left = |order: &mut Box<Order>| {
            order.departure().is_over() && order.departure().failure().is_none()
        };
        self.order.take_if(has_left)
    }

    /// Looks whether its child has executed or failed. If not, that is to be looked at later.
    pub(super) fn is_over(&mut self, tree: &Tree, now: Duration) -> bool {
        let order = self.order.as_ref();
        let has_left = order.is_none_or(|order| order.departure().is_over());
        let is_over = match tree {
            // A keeper says which process it is a moment later.
            Tree::Keeper(keeper) => has_left && keeper.knows_main(),
            Tree::Simulated(puppet) => puppet.executes(),
            Tree::Cgroup(_) | Tree::Orphans(_) => has_left,
        };
        if !is_over {
            self.look_later(now);
        }
        is_over
    }

    pub(super) fn look_later(&mut self, now: Duration) {
        let pause = if self.looks < OFTEN {
            PAUSE
        } else {
            LONG_PAUSE
        };
        self.look_at = now.saturating_add(pause);
        self.looks = self.looks.saturating_add(1);
    }
}
