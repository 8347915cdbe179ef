//! What browsers report of the policy that our pages come with (row W8): taken in, grouped, kept
//! in memory. Anybody can send a report, so it is read as a hint from a stranger: little of it is
//! kept, nothing is logged, and nobody sends many.

mod groups;
mod pace;
mod reading;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use stagedoor_domain::time::Timestamp;

use crate::front::{body, network};
use crate::headers;
use crate::problem::Problem;
use crate::routes::{Access, CsrfClass, Route};
use crate::session::Arrival;
use crate::state::AppState;

pub(crate) use groups::{Group, Groups, Kept};
pub(crate) use reading::Violation;
use reading::{Format, Site};

/// Most bytes of one message; a browser's are about 1 KiB for each report.
const LARGEST: usize = 16 * 1024;
/// Pace is kept by the minute.
const PAUSE: HeaderValue = HeaderValue::from_static("60");

/// All that was reported since the server began.
#[derive(Debug, Default)]
pub(crate) struct PolicyReports {
    groups: Mutex<Groups>,
    pace: pace::Pace,
}

impl PolicyReports {
    /// What is kept, the latest first.
    pub fn kept(&self) -> Kept {
        self.groups().kept()
    }

    /// How many groups there are.
    pub fn count(&self) -> usize {
        self.groups().count()
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admits(&self, peer: IpAddr, now: Duration) -> bool {
        self.pace.admits(network(peer), now)
    }

    fn note(&self, violations: Vec<Violation>, now: Timestamp) {
        let mut groups = self.groups();
        for violation in violations {
            groups.note(violation, now);
        }
    }
}

/// `POST /csp-report`
pub(crate) fn route() -> Route {
    Route::post(headers::REPORTS, Access::Public, CsrfClass::Report, receive)
}

/// What cannot be read is dropped without a word: the sender is a browser, which cannot act on it.
async fn receive(
    State(state): State<AppState>,
    arrival: Arrival,
    request: Request,
) -> Result<StatusCode, Problem> {
    let format = Format::of(text(request.headers(), CONTENT_TYPE)).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "This address takes application/csp-report and application/reports+json.",
        )
    })?;
    let host = text(request.headers(), HOST).to_owned();
    let clock = state.app.clock();
    if !state.policy_reports.admits(arrival.peer, clock.monotonic()) {
        let detail = "There are too many reports. Try again in a minute.";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
        return Err(problem.with_header(RETRY_AFTER, PAUSE));
    }
    let bytes = body::up_to(LARGEST, request).await?;
    let site = Site {
        host: &host,
        is_secure: arrival.is_secure,
    };
    let violations = reading::violations(&bytes, format, site);
    state.policy_reports.note(violations, clock.now());
    Ok(StatusCode::NO_CONTENT)
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    let value = headers.get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}
