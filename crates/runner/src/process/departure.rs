//! What a child tells the runner before it executes, in memory that both see: whether it has left
//! that memory, and which step failed.
//!
//! It has a page of its own, which stays shared also where the child has a copy of all other memory:
//! who could write there could say something false about a child, and no more. The kernel notes that
//! the child has left, as it does for the holder of a robust futex: when it executes or ends, in
//! whatever way. So a start needs no pipe for that.

use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicIsize, AtomicU32, AtomicUsize, Ordering};

use rustix::io::Errno;
use rustix::process::Pid;

use super::child::{Failure, Step};
use super::raw;

/// The kernel's mark in the word of a futex whose holder is gone.
const GONE: u32 = 0x4000_0000;

/// Begins with the kernel's `struct robust_list_head`: a list of one entry, and where the word is
/// that belongs to an entry.
#[repr(C, align(64))]
pub(super) struct Departure {
    first: AtomicUsize,
    from_entry_to_word: AtomicIsize,
    pending: AtomicUsize,
    entry: AtomicUsize,
    /// The child's number, once it has begun; then [`GONE`].
    word: AtomicU32,
    /// The number of the step that failed, or 0.
    step: AtomicU32,
    errno: AtomicI32,
}

impl Departure {
    /// The length of what the kernel knows.
    const HEAD: usize = offset_of!(Self, entry);
    const DISTANCE: usize = offset_of!(Self, word) - offset_of!(Self, entry);

    /// For the next child. Nothing else may use this memory.
    pub(super) fn prepare(&self) {
        let head = std::ptr::from_ref(self).addr();
        self.first.store(head + Self::HEAD, Ordering::Relaxed);
        self.from_entry_to_word
            .store(Self::DISTANCE.cast_signed(), Ordering::Relaxed);
        self.pending.store(0, Ordering::Relaxed);
        // The last entry leads back to the head.
        self.entry.store(head, Ordering::Relaxed);
        self.word.store(0, Ordering::Relaxed);
        self.step.store(0, Ordering::Relaxed);
    }

    /// Where the kernel is to write the child's number when it begins (`CLONE_CHILD_SETTID`).
    pub(super) fn word(&self) -> *mut libc::pid_t {
        self.word.as_ptr().cast()
    }

    /// In the child: from now on its leaving is noted.
    pub(super) fn watch(&self) -> Result<(), Errno> {
        let head = std::ptr::from_ref(self).addr();
        // SAFETY: the list is as the kernel demands it, and stays where it is until the child leaves.
        unsafe { raw::call(libc::SYS_set_robust_list, [head, Self::HEAD, 0, 0, 0]) }.map(|_| ())
    }

    /// In the child: a step has failed, and it ends.
    pub(super) fn fail(&self, failure: Failure) {
        self.errno.store(failure.errno, Ordering::Relaxed);
        self.step.store(failure.step as u32, Ordering::Release);
    }

    /// Whoever may wait for the child sees that it has ended: it may have been killed before it could be
    /// watched. Where it was watched, this memory may be the next child's by now, and is left alone.
    pub(super) fn ended(&self, child: Pid) {
        let number = child.as_raw_nonzero().get().unsigned_abs();
        let order = Ordering::AcqRel;
        let _ = self
            .word
            .compare_exchange(number, GONE, order, Ordering::Relaxed);
    }

    /// Whether the child has executed or ended. False for one that was killed at its very beginning,
    /// until somebody says so (see [`Departure::ended`]) or waits for it.
    pub(super) fn is_over(&self) -> bool {
        self.word.load(Ordering::Acquire) & GONE != 0
    }

    /// To be asked when it is over: why it did not execute.
    pub(super) fn failure(&self) -> Option<Failure> {
        let step = Step::of(self.step.load(Ordering::Acquire))?;
        let errno = self.errno.load(Ordering::Relaxed);
        Some(Failure { step, errno })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::cgroup::Joins;
    use crate::process::child::{Directory, Order, Program, Steps, Strings};
    use crate::process::launch::{self, Shares};
    use crate::process::sandbox::Confinement;
    use crate::process::stack::Stack;
    use rustix::process::{Signal, WaitOptions};
    use std::ffi::CString;
    use std::time::Duration;

    fn order(program: &str, argument: &str, shares_memory: bool) -> Order {
        let text = |text: &str| CString::new(text).expect("no NUL");
        let stack = Stack::new().expect("a stack");
        stack.departure().prepare();
        let steps = Steps {
            streams: [None, None, None],
            shares: Shares {
                memory: shares_memory,
                table: false,
            },
            joins: Joins::default(),
            is_bound: false,
            view: None,
            begins_session: true,
            credentials: None,
            confinement: Confinement::with_limits(Vec::new()),
            directory: Directory::Path(text("/")),
            program: Program::Path(text(program)),
            argv: Strings::new(vec![text(program), text(argument)]),
            envp: Strings::new(Vec::new()),
        };
        Order { steps, stack }
    }

    fn start(order: &Order) -> Pid {
        // SAFETY: every test waits for the child before it drops the order.
        unsafe { launch::launch(order) }.expect("a child")
    }

    fn wait(child: Pid) {
        rustix::process::waitpid(Some(child), WaitOptions::empty()).expect("waited for");
    }

    #[test]
    fn a_child_that_executes_has_left_while_it_runs_whether_it_shares_all_memory_or_not() {
        for shares_memory in [true, false] {
            let order = order("/bin/sleep", "1000", shares_memory);
            assert!(!order.departure().is_over());
            let child = start(&order);
            for _ in 0..3000 {
                if order.departure().is_over() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(order.departure().is_over());
            assert_eq!(order.departure().failure(), None);
            rustix::process::kill_process(child, Signal::KILL).expect("it runs");
            wait(child);
        }
    }

    #[test]
    fn a_child_that_cannot_execute_says_at_which_step_and_why() {
        for shares_memory in [true, false] {
            let mut order = order("/no/such/program", "", shares_memory);
            wait(start(&order));
            let failure = |step, errno: Errno| {
                let errno = errno.raw_os_error();
                Some(Failure { step, errno })
            };
            assert!(order.departure().is_over());
            let told = order.departure().failure();
            assert_eq!(told, failure(Step::Execute, Errno::NOENT));
            order.steps.directory = Directory::Path(c"/etc/passwd".to_owned());
            order.departure().prepare();
            assert!(!order.departure().is_over() && order.departure().failure().is_none());
            wait(start(&order));
            let told = order.departure().failure();
            assert_eq!(told, failure(Step::Directory, Errno::NOTDIR));
        }
    }
}
