//! `GET /runs/{id}/output`: one stream, byte for byte.

use std::ops::Range;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use stagedoor_app::view::RunView;
use stagedoor_output::Stream;
use utoipa::IntoParams;

use crate::api::query::{PathRun, StrictQuery, read};
use crate::api::range::{Part, part};
use crate::output::{body, look};
use crate::problem::Problem;
use crate::session::Caller;
use crate::state::AppState;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutputQuery {
    /// `stdout`, which is the default, or `stderr`. Both together have no bytes of their own:
    /// `lines` shows them in order.
    #[param(pattern = "^(stdout|stderr)$")]
    stream: Option<String>,
}

/// The bytes of one stream, as far as they are there. Of a run that goes on, more may follow: ask
/// for the rest with `Range`.
#[utoipa::path(get, path = "/api/v1/runs/{id}/output", tag = "output",
    params(("id" = String, Path, description = "the run's id"), OutputQuery,
        ("Range" = Option<String>, Header, description = "one range of bytes")),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, description = "Unknown, or not for this caller: the same answer."),
        (status = 416, description = "The range begins beyond the end."),
    ))]
pub(super) async fn output(
    State(state): State<AppState>,
    caller: Caller,
    PathRun(id): PathRun,
    asked: (Method, HeaderMap),
    StrictQuery(query): StrictQuery<OutputQuery>,
) -> Result<Response, Problem> {
    let stream = read(
        "stream",
        query.stream.as_deref(),
        Stream::parse,
        "stdout or stderr",
    )?;
    let stream = stream.unwrap_or(Stream::Stdout);
    let looked = look(&state.app, &caller.user, id, move |view| {
        Ok((view.size(stream), Arc::new(view)))
    });
    let (run, view) = looked.await?;
    let (size, view) = view?;
    let tag = run
        .is_ended()
        .then(|| format!("\"{id}-{}-{}-{size}\"", run.epoch.0, stream.word()));
    let (status, bytes) = match part(range_header(&asked, tag.as_deref()), size) {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Bytes(bytes) => (StatusCode::PARTIAL_CONTENT, bytes),
        Part::Unsatisfiable => return Err(unsatisfiable(size)),
    };
    let mut answer = (status, body(view, stream, bytes.clone())).into_response();
    let set = |(name, value): (HeaderName, String)| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(name, value);
        }
    };
    describe(&run, stream, &bytes)
        .into_iter()
        .chain(tag.map(|tag| (ETAG, tag)))
        .for_each(set);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!(
            "bytes {}-{}/{size}",
            bytes.start,
            bytes.end.saturating_sub(1)
        );
        answer.headers_mut().insert(CONTENT_RANGE, header(&range));
    }
    Ok(answer)
}

/// The header `Range`, unless `If-Range` says that it was meant for other bytes. It has a meaning
/// with GET alone (RFC 9110, 14.2).
fn range_header<'a>(
    (method, headers): &'a (Method, HeaderMap),
    tag: Option<&str>,
) -> Option<&'a str> {
    let applies = headers
        .get(IF_RANGE)
        .is_none_or(|wanted| tag.is_some_and(|tag| wanted == tag));
    headers
        .get(RANGE)
        .filter(|_| applies && *method == Method::GET)
        .and_then(|range| range.to_str().ok())
}

/// Whatever a script printed, a browser is told to keep it as a file and not to look into it.
fn describe(run: &RunView, stream: Stream, bytes: &Range<u64>) -> Vec<(HeaderName, String)> {
    let file = format!("{}-{}.{}.txt", run.script.last(), run.id, stream.word());
    vec![
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{file}\""),
        ),
        (
            CONTENT_LENGTH,
            bytes.end.saturating_sub(bytes.start).to_string(),
        ),
        (ACCEPT_RANGES, "bytes".to_owned()),
    ]
}

fn unsatisfiable(size: u64) -> Problem {
    Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        format!("The output has {size} bytes by now."),
    )
    .with_header(CONTENT_RANGE, header(&format!("bytes */{size}")))
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
