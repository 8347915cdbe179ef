//! Old records of the audit log are removed, where the operator does not want them for ever.

use std::time::Duration;

use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{Old, Trimmed};

use crate::app::App;

/// How often one looks.
const STEP: Duration = Duration::from_hours(1);
/// Records that are removed in one transaction, for which others wait.
const AT_ONCE: u32 = 5_000;
/// Between two of these.
const PAUSE: Duration = Duration::from_secs(1);
/// A clock that has leapt may be set right within this time; until then nothing goes by it.
const SETTLED: Duration = Duration::from_hours(24);
const DAY_MILLIS: i64 = 86_400_000;

/// Removes old records now and then, for as long as it is polled.
pub(crate) async fn trim(app: App) {
    let look = || {
        let app = app.clone();
        async move { app.remove_old_records().await }
    };
    now_and_then(look).await;
}

/// Looks, and at once again as long as there is more. First after a step: the clock of a machine that
/// has just started may not be set yet.
async fn now_and_then<F: Future<Output = bool>>(mut look: impl FnMut() -> F) {
    loop {
        tokio::time::sleep(STEP).await;
        while look().await {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl App {
    /// Removes some records of the audit log that are too old, as a server does now and then; whether
    /// there are more.
    pub async fn remove_old_records(&self) -> bool {
        let Some(keep) = self.options().keep_audit_log else {
            return false;
        };
        let now = self.clock().now();
        let (before, settled) = (whole_day(now.minus(keep)), now.minus(SETTLED));
        let entry = self.entry(Act::LogTrimmed, &Origin::server());
        let entry = entry.with("older_than", before.rfc3339());
        let removed = self
            .inner
            .store
            .trim_audit_log(entry, Old { before, settled }, AT_ONCE)
            .await;
        match removed {
            Ok(Trimmed::Removed(0)) => false,
            Ok(Trimmed::NotWhole(fault)) => {
                tracing::error!(%fault, "the audit log is not whole, so nothing old is removed from it; run: stagedoor audit-log verify");
                false
            }
            Ok(Trimmed::AllOld) => {
                // Also where nothing was done for long, so it is no warning.
                tracing::info!(before = %before.rfc3339(), "every record of the audit log is too old by the clock of this machine, but for those of the last day: none was removed; see whether the clock is right");
                false
            }
            Ok(Trimmed::Removed(removed)) => {
                tracing::info!(removed, before = %before.rfc3339(), "removed old records of the audit log");
                u32::try_from(removed).is_ok_and(|removed| removed == AT_ONCE)
            }
            Err(error) => {
                tracing::warn!(%error, "could not remove old records of the audit log");
                false
            }
        }
    }
}

/// The beginning of that day. So there is one removal a day, and one record of it.
fn whole_day(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis() - at.millis().rem_euclid(DAY_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn the_first_look_comes_a_step_after_the_start_and_the_next_ones_as_there_is_more() {
        let (began, mut looks) = (Instant::now(), Vec::new());
        let looking = now_and_then(|| {
            looks.push(began.elapsed());
            std::future::ready(looks.len() == 2)
        });
        drop(tokio::time::timeout(STEP * 3 + PAUSE * 2, looking).await);
        let second = STEP * 2;
        assert_eq!(looks, [STEP, second, second + PAUSE, second + PAUSE + STEP]);
    }

    #[test]
    fn old_is_what_is_of_an_earlier_day() {
        let day = |millis| whole_day(Timestamp::from_millis(millis)).millis();
        assert_eq!(day(0), 0);
        assert_eq!(day(DAY_MILLIS - 1), 0);
        assert_eq!(day(DAY_MILLIS), DAY_MILLIS);
        assert_eq!(day(-1), -DAY_MILLIS);
    }
}
