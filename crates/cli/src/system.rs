//! What the machine says: the time, chance, and its name. The only place where they are asked for.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stagedoor_domain::time::{Chance, Clock, Timestamp};

/// The machine's clocks.
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The kernel's random numbers.
pub struct KernelChance;

impl Chance for KernelChance {
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            // Going on with guessable tokens would be worse than ending.
            eprintln!("stagedoor: the kernel gives no random numbers: {error}");
            std::process::abort();
        }
    }
}

/// What the machine is called; none where it does not say.
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}
