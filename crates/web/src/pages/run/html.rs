//! `GET /runs/{id}/html`: what a script printed to stdout, as the page that it is (row W8b).
//!
//! Whoever wrote the script, or whatever it copied into its output, may have put anything in it. So
//! it is only ever shown with the policy of `headers::Sandboxed`: it has an origin of its own, and
//! nothing in it runs, loads, or is sent. stderr is text all the same.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use stagedoor_app::view::RunView;
use stagedoor_domain::run::Outcome;
use stagedoor_domain::script::OutputFormat;
use stagedoor_output::{Stream, View};

use crate::headers::Sandboxed;
use crate::output::{body, format, look};
use crate::pages::paths;
use crate::problem::Problem;
use crate::session::Me;
use crate::state::AppState;

/// Bytes of a page that are shown at most; the download has all.
const SHOWN: u64 = 8 << 20;

/// Bytes of each stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    stdout: u64,
    stderr: u64,
}

impl Sizes {
    /// By now.
    pub fn of(view: &View) -> Self {
        Self {
            stdout: view.size(Stream::Stdout),
            stderr: view.size(Stream::Stderr),
        }
    }
}

/// The frame on a run's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// What it shows.
    pub address: String,
    /// How many MiB of how many are shown, when that is not all.
    pub cut: Option<(u64, u64)>,
    /// The output as text is worth a look too.
    pub unfold: bool,
}

/// Whether what a run printed is shown in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Framed {
    /// It is text, or nothing.
    Not,
    /// It is a page, of a run that goes on.
    Later,
    /// It is a page.
    Now(Report),
}

impl Framed {
    /// Of a run whose script prints this format.
    pub fn of(run: &RunView, format: OutputFormat, sizes: Sizes, is_searched: bool) -> Self {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        match (format, run.is_ended(), sizes.stdout) {
            (OutputFormat::Text, ..) | (OutputFormat::Html, true, 0) => Self::Not,
            (OutputFormat::Html, false, _) => Self::Later,
            (OutputFormat::Html, true, size) => Self::Now(Report {
                address: paths::html(run.id),
                cut: (size > SHOWN).then(|| (mebibytes(SHOWN), mebibytes(size))),
                unfold: is_searched || sizes.stderr > 0 || run.outcome != Some(Outcome::Succeeded),
            }),
        }
    }

    /// What is shown.
    pub fn now(&self) -> Option<&Report> {
        match self {
            Self::Now(report) => Some(report),
            Self::Not | Self::Later => None,
        }
    }
}

/// `GET /runs/{id}/html`
pub(crate) async fn show(
    State(state): State<AppState>,
    me: Me,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = super::parse(&id)?;
    let looked = look(&state.app, &me.0.user, id, |view| Ok(Arc::new(view)));
    let (run, view) = looked.await?;
    let scripts = state.app.catalog().await;
    if format(&scripts, &run) != OutputFormat::Html {
        return Err(Problem::not_found());
    }
    let view = view?;
    let size = view.size(Stream::Stdout).min(SHOWN);
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_LENGTH, HeaderValue::from(size)),
    ];
    let mut response = (headers, body(view, Stream::Stdout, 0..size)).into_response();
    response.extensions_mut().insert(Sandboxed::Framed);
    Ok(response)
}
