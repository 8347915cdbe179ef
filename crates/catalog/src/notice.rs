//! Must something be read again? Asked with every request, so no file is touched here.

use std::sync::Arc;
use std::time::Duration;

use crate::options::Options;
use crate::watch::{Changes, Watch};

/// How often one looks at what the kernel does not tell.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the kernel told, and what was made of it.
#[derive(Debug)]
pub(crate) struct Notice {
    watch: Option<Arc<Watch>>,
    /// Told, and not read again yet.
    changes: Changes,
    /// Somebody reads.
    reading: bool,
    told: Told,
    /// Monotonic time of the end of the last reading.
    looked: Duration,
}

/// What the kernel tells of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// Every folder is watched.
    pub watched: bool,
    /// A definition depends on something that nobody tells of.
    pub waits: bool,
}

/// Why something must be read again.
#[derive(Debug)]
pub(crate) struct Due {
    /// What the kernel told.
    pub changes: Changes,
    /// It is time to look at what it does not tell.
    pub overdue: bool,
}

impl Notice {
    /// Before the first reading: all is due.
    pub fn new(watch: Option<Arc<Watch>>) -> Self {
        let changes = Changes {
            anything: true,
            ..Changes::default()
        };
        Self {
            watch,
            changes,
            reading: false,
            // Nothing more than that is overdue.
            told: Told {
                watched: true,
                waits: false,
            },
            looked: Duration::ZERO,
        }
    }

    /// Must something be read again, or is it being read just now? One system call that never
    /// waits.
    pub fn is_due(&mut self, options: &Options) -> bool {
        self.ask();
        self.reading || !self.changes.is_empty() || self.is_overdue(options)
    }

    /// Begins to read what is due; none when nothing is. Only one reads at a time.
    pub fn begin(&mut self, options: &Options) -> Option<Due> {
        self.ask();
        // A reading that came to no end leaves nobody who knows what it had read.
        self.changes.anything |= self.reading;
        let overdue = self.is_overdue(options);
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() && !overdue {
            return None;
        }
        self.reading = true;
        Some(Due { changes, overdue })
    }

    /// The reading has ended, and its result is there for all. What changed meanwhile is due.
    pub fn end(&mut self, told: Told, now: Duration) {
        (self.reading, self.told, self.looked) = (false, told, now);
    }

    fn ask(&mut self) {
        if let Some(watch) = &self.watch {
            watch.tell(&mut self.changes);
        }
    }

    fn is_overdue(&self, options: &Options) -> bool {
        let Told { watched, waits } = self.told;
        (!watched || waits) && options.clock.monotonic().saturating_sub(self.looked) >= LOOK_EVERY
    }
}
