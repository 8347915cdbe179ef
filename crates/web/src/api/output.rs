//! `GET /runs/{id}/output`: one stream, byte for byte, with stars for the secrets of the run.

use std::ops::Range;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use stagedoor_app::view::RunView;
use stagedoor_domain::script::OutputFormat;
use stagedoor_output::Stream;
use utoipa::IntoParams;

use crate::api::query::{PathRun, StrictQuery, read};
use crate::api::range::{Part, part};
use crate::headers::Sandboxed;
use crate::output::{body, format, look};
use crate::problem::Problem;
use crate::session::Caller;
use crate::state::AppState;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutputQuery {
    /// `stdout`, which is the default, or `stderr`. Both together have no bytes of their own:
    /// `lines` shows them in order.
    #[param(pattern = "^(stdout|stderr)$")]
    stream: Option<String>,
}

/// The bytes of one stream, as far as they are there, with a star for each byte of a secret. Of a run
/// that goes on, more may follow: ask for the rest with `Range`.
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
    let last = bytes.end.saturating_sub(1);
    let range = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| format!("bytes {}-{last}/{size}", bytes.start));
    let scripts = state.app.catalog().await;
    let body = body(view, stream, bytes.clone());
    let mut answer = (status, Extension(Sandboxed::File), body).into_response();
    let set = |(name, value): (HeaderName, String)| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(name, value);
        }
    };
    describe(&run, stream, format(&scripts, &run), &bytes)
        .into_iter()
        .chain(tag.map(|tag| (ETAG, tag)))
        .chain(range.map(|range| (CONTENT_RANGE, range)))
        .for_each(set);
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

/// Whatever a script printed, a browser is told to keep it as a file and not to look into it. A page
/// gets a name by which it opens as one, from the disk: never here, whence the type is no page's.
fn describe(
    run: &RunView,
    stream: Stream,
    format: OutputFormat,
    bytes: &Range<u64>,
) -> Vec<(HeaderName, String)> {
    let (script, id) = (run.script.last(), run.id);
    let file = match (format, stream) {
        (OutputFormat::Html, Stream::Stdout) => format!("{script}-{id}.html"),
        _ => format!("{script}-{id}.{}.txt", stream.word()),
    };
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
