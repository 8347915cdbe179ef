//! `GET /runs/{id}/lines` and `GET /runs/{id}/search`: output as people read it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stagedoor_output::{Line, Lines, MAX_LINES, MAX_QUERY, Selection};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::api::query::{PathRun, StrictQuery, bad_key, number, read};
use crate::output::look;
use crate::problem::Problem;
use crate::session::Caller;
use crate::state::AppState;

/// Lines in an answer when the client does not say.
const USUAL_LINES: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinesQuery {
    /// `both`, which is the default, `stdout` or `stderr`. Each numbers its lines by itself.
    #[param(pattern = "^(both|stdout|stderr)$")]
    stream: Option<String>,
    /// The first line, from 0.
    #[param(value_type = Option<u64>)]
    from: Option<String>,
    /// At most so many, 1 to 500; 200 when not given.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 500)]
    n: Option<String>,
}

/// Some lines of the output.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lines)]
pub(crate) struct LinesJson {
    /// The number of the first line here.
    from: u64,
    /// How many there are by now.
    total: u64,
    /// How many of them, at the end, are not finished and may still change.
    partial: u64,
    /// A line is a text, or a list: the text, then for each stretch of equal style its length in
    /// UTF-16 units, colour, background and flags.
    #[schema(schema_with = lines_schema)]
    lines: Vec<Line>,
    /// Where to go on when there are more; null at the end.
    next: Option<u64>,
}

/// Of lines as they are written: a line without style is a string.
fn lines_schema() -> utoipa::openapi::schema::Array {
    let of = |kind: Type| -> Object { ObjectBuilder::new().schema_type(kind).build() };
    let styled = ArrayBuilder::new()
        .prefix_items([of(Type::String)])
        .items(of(Type::Integer))
        .min_items(Some(5))
        .description(Some(
            "The text, then for each stretch of equal style four numbers: its length in UTF-16 \
             units, colour, background and flags.",
        ))
        .build();
    let line = OneOfBuilder::new().item(of(Type::String)).item(styled);
    ArrayBuilder::new().items(line).build()
}

impl From<Lines> for LinesJson {
    fn from(lines: Lines) -> Self {
        let Lines {
            from,
            total,
            lines,
            next,
            partial,
        } = lines;
        Self {
            from,
            total,
            partial,
            lines,
            next,
        }
    }
}

/// Lines of the output, coloured and safe to show.
#[utoipa::path(get, path = "/api/v1/runs/{id}/lines", tag = "output",
    params(("id" = String, Path, description = "the run's id"), LinesQuery),
    responses(
        (status = 200, body = LinesJson),
        (status = 404, description = "Unknown, or not for this caller: the same answer."),
    ))]
pub(super) async fn lines(
    State(state): State<AppState>,
    caller: Caller,
    PathRun(id): PathRun,
    StrictQuery(query): StrictQuery<LinesQuery>,
) -> Result<Json<LinesJson>, Problem> {
    let selection = selection(query.stream.as_deref())?;
    let n = number("n", query.n.as_deref(), 1..=MAX_LINES)?.unwrap_or(USUAL_LINES);
    let from = first_line(query.from.as_deref())?;
    let looked = look(&state.app, &caller.user, id, move |view| {
        view.lines(selection, from, n)
    });
    let (_, lines) = looked.await?;
    Ok(Json(lines?.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchQuery {
    /// `both`, which is the default, `stdout` or `stderr`.
    #[param(pattern = "^(both|stdout|stderr)$")]
    stream: Option<String>,
    /// The text to find; small and capital letters are the same.
    #[param(min_length = 1, max_length = 256)]
    q: String,
    /// The line to begin at, from 0.
    #[param(value_type = Option<u64>)]
    from: Option<String>,
}

/// A line that has the text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hit)]
pub(crate) struct HitJson {
    /// Its number.
    line: u64,
    /// Its text.
    text: String,
}

/// Lines that have the text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Found)]
pub(crate) struct FoundJson {
    /// In order.
    items: Vec<HitJson>,
    /// Where to go on when there may be more; null at the end.
    next: Option<u64>,
}

/// Finds a text in the output.
#[utoipa::path(get, path = "/api/v1/runs/{id}/search", tag = "output",
    params(("id" = String, Path, description = "the run's id"), SearchQuery),
    responses(
        (status = 200, body = FoundJson),
        (status = 404, description = "Unknown, or not for this caller: the same answer."),
    ))]
pub(super) async fn search(
    State(state): State<AppState>,
    caller: Caller,
    PathRun(id): PathRun,
    StrictQuery(query): StrictQuery<SearchQuery>,
) -> Result<Json<FoundJson>, Problem> {
    let selection = selection(query.stream.as_deref())?;
    if query.q.is_empty() || query.q.len() > MAX_QUERY {
        return Err(bad_key(
            "q",
            format!("write a text of 1 to {MAX_QUERY} bytes"),
        ));
    }
    let from = first_line(query.from.as_deref())?;
    let looked = look(&state.app, &caller.user, id, move |view| {
        view.search(selection, &query.q, from)
    });
    let (_, found) = looked.await?;
    let found = found?;
    let items = found
        .items
        .into_iter()
        .map(|hit| HitJson {
            line: hit.line,
            text: hit.text,
        })
        .collect();
    Ok(Json(FoundJson {
        items,
        next: found.next,
    }))
}

fn first_line(text: Option<&str>) -> Result<u64, Problem> {
    let parse = |text: &str| text.parse().ok();
    Ok(read("from", text, parse, "the number of a line, from 0")?.unwrap_or(0))
}

fn selection(word: Option<&str>) -> Result<Selection, Problem> {
    let found = read("stream", word, Selection::parse, "both, stdout or stderr")?;
    Ok(found.unwrap_or(Selection::Both))
}
