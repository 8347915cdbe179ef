//! How long a process of a script goes on once it has a processor that others want, too.
//!
//! The scheduler lets whoever wakes take the turn of a process with longer turns at once. Without
//! that, a script that keeps all processors busy makes each step of everybody else wait for the end of
//! a turn: a commit to the disk takes three of those steps, and a start several commits.

use rustix::io::Errno;

use crate::process::raw;

/// Nanoseconds; longer than what others have (0.7 to 3 milliseconds), and short enough for those who
/// wait for their turn among scripts.
const LONG: u64 = 5_000_000;

/// What is asked of the kernel, which knows of turns since 6.12 and ignores them before.
pub(in crate::process) struct Turns(libc::sched_attr);

impl Turns {
    /// Long ones, for who is this nice. None where the service manager has put the runner, and so its
    /// scripts, under another rule than the usual one.
    pub(super) fn long(nice: i32) -> Option<Self> {
        // SAFETY: no pointer is passed.
        let policy = unsafe { raw::call(libc::SYS_sched_getscheduler, [0; 5]) };
        let usual = usize::try_from(libc::SCHED_OTHER).ok()?;
        if policy != Ok(usual) {
            return None;
        }
        Some(Self(libc::sched_attr {
            size: u32::try_from(size_of::<libc::sched_attr>()).ok()?,
            sched_policy: u32::try_from(libc::SCHED_OTHER).ok()?,
            sched_flags: 0,
            sched_nice: nice,
            sched_priority: 0,
            sched_runtime: LONG,
            sched_deadline: 0,
            sched_period: 0,
        }))
    }

    /// For this process from now on, and all that it makes.
    pub(in crate::process) fn take(&self) -> Result<(), Errno> {
        let attributes = (&raw const self.0).addr();
        // SAFETY: the attributes are as long as they say.
        let done = unsafe { raw::call(libc::SYS_sched_setattr, [0, attributes, 0, 0, 0]) };
        done.map(|_| ())
    }
}
