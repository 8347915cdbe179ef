//! Time of one seed: that of a paused runtime, over all its runtimes.

use std::sync::Mutex;
use std::time::Duration;

use stagedoor_domain::time::{Clock, Timestamp};
use tokio::time::Instant;

/// 2026-11-21, 20:00 UTC.
const WALL: i64 = 1_795_291_200_000;

/// The clock of a seed, which goes on from one runtime to the next.
#[derive(Default)]
pub struct Time(Mutex<Past>);

#[derive(Default)]
struct Past {
    before: Duration,
    /// When the present runtime began.
    since: Option<Instant>,
}

impl Time {
    /// To be called first in a runtime.
    pub fn begin(&self) {
        self.0.lock().expect("not poisoned").since = Some(Instant::now());
    }

    /// To be called last in a runtime.
    pub fn end(&self) {
        let now = self.monotonic();
        *self.0.lock().expect("not poisoned") = Past {
            before: now,
            since: None,
        };
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(WALL).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        let past = self.0.lock().expect("not poisoned");
        past.before + past.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}
