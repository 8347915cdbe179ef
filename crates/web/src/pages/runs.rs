//! The history: runs that this user may see, newest first.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use stagedoor_app::find::{RunsError, RunsFilter};
use stagedoor_app::view::RunView;
use stagedoor_catalog::Snapshot;
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State as RunState};
use stagedoor_domain::time::Timestamp;

use super::paths;
use super::said::{Chip, When, arguments_line, took};
use super::shell::{Here, Shell};
use crate::language::{Languages, Text};
use crate::problem::Problem;
use crate::session::Me;
use crate::state::AppState;

/// Runs on one page.
const PER_PAGE: usize = 50;
/// Pages that one can go back to by their links.
const LONGEST_TRAIL: usize = 20;
/// Between the cursors of a trail.
const STEP: char = '~';

#[derive(Template)]
#[template(path = "runs.html")]
pub(super) struct RunsPage {
    pub shell: Shell,
    pub filter: Filter,
    pub outcomes: Vec<OutcomeOption>,
    pub error: Option<String>,
    pub rows: Vec<Row>,
    pub is_filtered: bool,
    pub newer: Option<String>,
    pub older: Option<String>,
}

pub(super) struct OutcomeOption {
    pub word: &'static str,
    pub label: String,
    pub chosen: bool,
}

/// One run in a table.
pub(super) struct Row {
    pub href: String,
    pub title: Text,
    pub chip: Chip,
    pub arguments: String,
    pub user: String,
    pub when: When,
    pub took: String,
}

/// The page's query: what is looked for, and where the page stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    script: String,
    user: String,
    /// An outcome's word, or a state's.
    outcome: String,
    state: String,
    /// Days in UTC, both included.
    from: String,
    to: String,
    cursor: String,
    /// The cursors of the pages before this one.
    trail: String,
}

/// `GET /runs`
pub(crate) async fn list(
    State(state): State<AppState>,
    me: Me,
    languages: Languages,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Problem> {
    let filter = filter.map(|Query(filter)| filter).unwrap_or_default();
    let (items, next, error) = match filter.parsed() {
        Ok(parsed) => match state.app.runs(&me.0.user, parsed).await {
            Ok(page) => (page.items, page.next, None),
            // The address of no page leads to the first one.
            Err(RunsError::BadCursor) => {
                return Ok(Redirect::to(&filter.link("", "")).into_response());
            }
            Err(error) => return Err(error.into()),
        },
        Err(error) => (Vec::new(), None, Some(error)),
    };
    let (catalog, now) = (state.app.catalog().await, state.app.clock().now());
    let row = |run| row(run, title(run, &languages, &catalog), now);
    let page = RunsPage {
        shell: Shell::of(&state, &me, Here::Runs),
        outcomes: outcomes(&filter),
        error,
        rows: items.iter().map(row).collect(),
        is_filtered: filter.is_set(),
        newer: filter.newer(),
        older: next.map(|next| filter.older(&next)),
        filter,
    };
    Ok(super::page_in_language(StatusCode::OK, &page))
}

/// A run in a table, seen from `now`.
pub(super) fn row(run: &RunView, title: Text, now: Timestamp) -> Row {
    Row {
        href: paths::run(run.id),
        title,
        chip: Chip::of(run),
        arguments: arguments_line(run),
        user: run.user.to_string(),
        when: When::new(run.created_at, now),
        took: took(run, now),
    }
}

/// The title of a run's script in the reader's language, if the script still exists.
pub(super) fn title(run: &RunView, languages: &Languages, catalog: &Snapshot) -> Text {
    match catalog.get(&run.script) {
        Some(script) => languages.title(script),
        None => run.title.as_str().into(),
    }
}

fn outcomes(filter: &Filter) -> Vec<OutcomeOption> {
    let words = RunState::ALL
        .iter()
        .map(|(word, _)| *word)
        .filter(|word| *word != "ended");
    words
        .chain(Outcome::ALL.iter().map(|(word, _)| *word))
        .map(|word| OutcomeOption {
            word,
            label: word.replace('_', " "),
            chosen: filter.outcome == word || filter.state == word,
        })
        .collect()
}

impl Filter {
    fn is_set(&self) -> bool {
        [
            &self.script,
            &self.user,
            &self.outcome,
            &self.state,
            &self.from,
            &self.to,
        ]
        .iter()
        .any(|text| !text.trim().is_empty())
    }

    /// For the use case, or what is wrong in words.
    fn parsed(&self) -> Result<RunsFilter, String> {
        let word = if self.outcome.is_empty() {
            &self.state
        } else {
            &self.outcome
        };
        let (state, outcome) = (RunState::parse(word), Outcome::parse(word));
        if !word.is_empty() && state.is_none() && outcome.is_none() {
            return Err(format!("There is no outcome `{word}`."));
        }
        Ok(RunsFilter {
            script: some(&self.script)
                .map(|text| ScriptName::parse(text).map_err(|e| format!("Script: {e}.")))
                .transpose()?,
            user: some(&self.user)
                .map(|text| UserName::parse(text).map_err(|e| format!("User: {e}.")))
                .transpose()?,
            state,
            outcome,
            from: some(&self.from).map(|text| day(text, 0)).transpose()?,
            to: some(&self.to).map(|text| day(text, 1)).transpose()?,
            cursor: some(&self.cursor).map(str::to_owned),
            limit: PER_PAGE,
        })
    }

    fn link(&self, cursor: &str, trail: &str) -> String {
        let pairs = [
            ("script", self.script.as_str()),
            ("user", &self.user),
            ("outcome", &self.outcome),
            ("state", &self.state),
            ("from", &self.from),
            ("to", &self.to),
            ("cursor", cursor),
            ("trail", trail),
        ];
        let set: Vec<(&str, &str)> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        paths::query(paths::RUNS, &set)
    }

    fn older(&self, next: &str) -> String {
        let mut trail: Vec<&str> = self
            .trail
            .split(STEP)
            .filter(|step| !step.is_empty())
            .collect();
        if !self.cursor.is_empty() {
            trail.push(&self.cursor);
        }
        let kept = trail.len().saturating_sub(LONGEST_TRAIL);
        let trail: Vec<&str> = trail.into_iter().skip(kept).collect();
        self.link(next, &trail.join(&STEP.to_string()))
    }

    /// The page before this one; none on the first.
    fn newer(&self) -> Option<String> {
        if self.cursor.is_empty() {
            return None;
        }
        let (trail, cursor) = self.trail.rsplit_once(STEP).unwrap_or(("", &self.trail));
        Some(self.link(cursor, trail))
    }
}

#[cfg(test)]
impl Filter {
    /// With this text in every field.
    pub(super) fn of_samples(text: &str) -> Self {
        let text = || text.to_owned();
        Self {
            script: text(),
            user: text(),
            outcome: text(),
            state: text(),
            from: text(),
            to: text(),
            cursor: text(),
            trail: text(),
        }
    }
}

/// What stands in a field, if anything.
pub(super) fn some(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// The beginning of a day in UTC, or of a later one.
pub(super) fn day(text: &str, later: i64) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is not a day; write it like 2026-11-21.");
    let date: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    let date = date
        .checked_add(jiff::Span::new().days(later))
        .map_err(|_| wrong())?;
    let zoned = date
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|_| wrong())?;
    Ok(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_and_newer_lead_along_the_same_way() {
        let first = Filter {
            script: "ops/a".into(),
            ..Filter::default()
        };
        assert_eq!(first.newer(), None);
        assert_eq!(first.older("c1"), "/runs?script=ops%2Fa&cursor=c1");
        let second = Filter {
            cursor: "c1".into(),
            ..first.clone()
        };
        assert_eq!(second.newer().as_deref(), Some("/runs?script=ops%2Fa"));
        assert_eq!(
            second.older("c2"),
            "/runs?script=ops%2Fa&cursor=c2&trail=c1"
        );
        let third = Filter {
            cursor: "c2".into(),
            trail: "c1".into(),
            ..first.clone()
        };
        assert_eq!(
            third.newer().as_deref(),
            Some("/runs?script=ops%2Fa&cursor=c1")
        );
        let fourth = Filter {
            cursor: "c3".into(),
            trail: "c1~c2".into(),
            ..first
        };
        assert_eq!(
            fourth.newer().as_deref(),
            Some("/runs?script=ops%2Fa&cursor=c2&trail=c1")
        );
    }

    #[test]
    fn a_filter_that_is_not_understood_says_so() {
        let parsed = |filter: Filter| filter.parsed().err();
        assert!(
            parsed(Filter {
                outcome: "great".into(),
                ..Filter::default()
            })
            .is_some()
        );
        assert!(
            parsed(Filter {
                from: "yesterday".into(),
                ..Filter::default()
            })
            .is_some()
        );
        assert!(
            parsed(Filter {
                script: "../x".into(),
                ..Filter::default()
            })
            .is_some()
        );
        assert_eq!(
            parsed(Filter {
                outcome: "timed_out".into(),
                from: "2026-11-21".into(),
                ..Filter::default()
            }),
            None
        );
    }

    #[test]
    fn both_days_of_a_span_are_in_it() {
        let span = Filter {
            from: "2026-11-21".into(),
            to: "2026-11-21".into(),
            ..Filter::default()
        };
        let parsed = span.parsed().expect("good");
        let (from, to) = (parsed.from.expect("set"), parsed.to.expect("set"));
        assert_eq!(to.since(from).as_secs(), 86_400);
    }
}
