//! Old records of the audit log are removed, where the operator does not want them for ever.

use std::time::Duration;

use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::time::Timestamp;

use crate::app::App;

/// How often one looks.
const STEP: Duration = Duration::from_hours(1);
/// Records that are removed in one transaction, for which others wait.
const AT_ONCE: u32 = 5_000;
/// Between two of these.
const PAUSE: Duration = Duration::from_secs(1);
const DAY_MILLIS: i64 = 86_400_000;

/// Looks now and then, for as long as it is polled.
pub(crate) async fn trim(app: App) {
    loop {
        while app.trim_once().await {
            tokio::time::sleep(PAUSE).await;
        }
        tokio::time::sleep(STEP).await;
    }
}

impl App {
    /// Removes some of what is too old; whether there is more.
    async fn trim_once(&self) -> bool {
        let Some(keep) = self.options().keep_audit_log else {
            return false;
        };
        let before = whole_day(self.clock().now().minus(keep));
        let entry = self.entry(Act::LogTrimmed, &Origin::server());
        let entry = entry.with("older_than", before.rfc3339());
        let removed = self
            .inner
            .store
            .trim_audit_log(entry, before, AT_ONCE)
            .await;
        match removed {
            Ok(0) => false,
            Ok(removed) => {
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

    #[test]
    fn old_is_what_is_of_an_earlier_day() {
        let day = |millis| whole_day(Timestamp::from_millis(millis)).millis();
        assert_eq!(day(0), 0);
        assert_eq!(day(DAY_MILLIS - 1), 0);
        assert_eq!(day(DAY_MILLIS), DAY_MILLIS);
        assert_eq!(day(-1), -DAY_MILLIS);
    }
}
