//! What went wrong elsewhere, as a client is told of it.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use stagedoor_app::throttle::BearerError;
use stagedoor_store::StoreError;

use super::{LATER, Problem, SOON};
use crate::guard::unauthorized;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::unavailable(
                StatusCode::INSUFFICIENT_STORAGE,
                "The disk of this server is full or read-only. Nothing was changed. Try again once \
                 whoever runs this server has made room on it.",
                error,
            )
            .with_header(RETRY_AFTER, LATER),
            StoreError::Busy => Self::unavailable(
                StatusCode::SERVICE_UNAVAILABLE,
                "This server is busy. Nothing was changed; try again in a moment.",
                error,
            )
            .with_header(RETRY_AFTER, SOON),
            failing @ StoreError::Failing(_) => Self::unavailable(
                StatusCode::SERVICE_UNAVAILABLE,
                "The disk or the memory of this server fails at the moment. Nothing was changed. Try \
                 again in a while; if it stays so, tell whoever runs this server.",
                with_causes(&failing),
            )
            .with_header(RETRY_AFTER, LATER),
            broken @ StoreError::Broken(_) => Self::internal(with_causes(&broken)),
        }
    }
}

impl From<BearerError> for Problem {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Blocked(blocked) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong tokens came from this address. Nothing was looked at; try again \
                 later with one that is good.",
            )
            .with_code("blocked")
            .with_header(RETRY_AFTER, HeaderValue::from(blocked.seconds())),
            BearerError::Bad(_) => unauthorized(),
            BearerError::Store(error) => error.into(),
        }
    }
}

/// Output that cannot be read. What the system refuses (no descriptor or memory is left, the disk
/// fails) may work in a while; anything else is a fault of ours.
impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        if error.raw_os_error().is_none() {
            return Self::internal(error);
        }
        Self::unavailable(
            StatusCode::SERVICE_UNAVAILABLE,
            "This server cannot read its files at the moment. Try again in a while; if it stays so, \
             tell whoever runs this server.",
            error,
        )
        .with_header(RETRY_AFTER, SOON)
    }
}

/// The whole chain, for the log.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn refused(problem: impl Into<Problem>) -> (u16, Option<String>) {
        let said = problem.into().0;
        let retry = said.headers.get(RETRY_AFTER);
        let retry = retry.map(|value| value.to_str().expect("digits").to_owned());
        (said.status.as_u16(), retry)
    }

    #[test]
    fn what_may_work_later_says_when_and_what_is_broken_does_not() {
        let cause = || Arc::new(std::io::Error::from_raw_os_error(5));
        assert_eq!(refused(StoreError::Full), (507, Some("30".to_owned())));
        assert_eq!(refused(StoreError::Busy), (503, Some("5".to_owned())));
        let failing = StoreError::Failing(cause());
        assert_eq!(refused(failing), (503, Some("30".to_owned())));
        assert_eq!(refused(StoreError::Broken(cause())), (500, None));
        let system = std::io::Error::from_raw_os_error(24);
        assert_eq!(refused(system), (503, Some("5".to_owned())));
        let ours = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        assert_eq!(refused(ours), (500, None));
    }
}
