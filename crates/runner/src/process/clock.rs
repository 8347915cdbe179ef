//! The kernel's clocks behind the port of the domain: the runner is a process of its own.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use stagedoor_domain::time::{Clock, Timestamp};

/// Real time.
pub(super) struct KernelClock;

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

impl Clock for KernelClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(read(ClockId::Realtime).as_millis()).unwrap_or(0))
    }

    fn monotonic(&self) -> Duration {
        read(ClockId::Monotonic)
    }
}
