//! One line in the log for each request that the front refuses, and says why. A flood of them must
//! not fill the disk: then most are counted only, and the next line tells how many.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use tokio::time::Instant;

/// Lines at once. Later there is one more for each second: 20 MB a day at most.
const MOST_LINES: u64 = 10;

/// `reason` is for the operator. Whatever a client chose in it is escaped and short.
pub(crate) fn refused(peer: IpAddr, status: StatusCode, reason: &str) {
    static LINES: Mutex<Lines> = Mutex::new(Lines::NONE);
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let due = lines.take(Instant::now());
    drop(lines);
    let status = status.as_u16();
    match due {
        Some(0) => tracing::info!(%peer, status, reason, "a request was refused"),
        Some(untold) => tracing::info!(%peer, status, reason, untold, "a request was refused"),
        None => tracing::debug!(%peer, status, reason, "a request was refused"),
    }
}

/// How many lines may be written.
struct Lines {
    left: u64,
    /// When the last one was earned.
    since: Option<Instant>,
    /// Refusals without a line since the last line.
    untold: u64,
}

impl Lines {
    const NONE: Self = Self {
        left: MOST_LINES,
        since: None,
        untold: 0,
    };

    /// Where there is room for a line: how many there was none for.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_secs();
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(MOST_LINES);
            self.since = Some(now);
        }
        if self.left == 0 {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_a_line_a_second_that_counts_the_rest() {
        let mut lines = Lines::NONE;
        let now = Instant::now();
        for _ in 0..MOST_LINES {
            assert_eq!(lines.take(now), Some(0), "a few are told at once");
        }
        for _ in 0..1000 {
            assert_eq!(lines.take(now), None);
        }
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(lines.take(at(1)), Some(1000));
        assert_eq!(lines.take(at(1)), None);
        for _ in 0..MOST_LINES {
            assert!(lines.take(at(3600)).is_some(), "it was quiet for long");
        }
        assert_eq!(lines.take(at(3600)), None);
    }
}
