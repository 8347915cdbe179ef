//! `GET /runs/{id}/events`: a run as it goes, as server-sent events.
//!
//! `state` carries the run, `tail` the newest lines of its output, `end` says that nothing more
//! will come. Whoever connects, for the first time or again after a break (`Last-Event-ID`), gets
//! the present state and tail at once; what was missed between is fetched as lines. A viewer that
//! reads slowly skips tails, and slows nobody.

mod feed;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use utoipa::ToSchema;

use crate::api::query::PathRun;
use crate::problem::Problem;
use crate::session::{Arrival, Caller};
use crate::state::AppState;
use feed::Feed;

/// A comment is sent when nothing else was: proxies end connections that are silent.
const PING: Duration = Duration::from_secs(15);

/// The stream of events. Each `tail` has an id, its number.
#[derive(ToSchema)]
#[schema(as = Events, value_type = String)]
#[expect(dead_code, reason = "describes what is sent piece by piece")]
pub(crate) struct EventsText(String);

/// Follows a run: `state`, `tail` and at last `end`.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "output",
    params(("id" = String, Path, description = "the run's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "sent by a browser that resumes")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, description = "Unknown, or not for this caller: the same answer."),
    ))]
pub(super) async fn events(
    State(state): State<AppState>,
    caller: Caller,
    arrival: Arrival,
    PathRun(id): PathRun,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let feed = Feed::open(state, caller, arrival, &headers, id).await?;
    let events = stream::unfold(feed, |mut feed| async move {
        let event: Event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(PING))
        .into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    // nginx collects an answer before it passes it on, unless it is told not to.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}
