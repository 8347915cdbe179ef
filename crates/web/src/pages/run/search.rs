//! Lines of a run's output that have a text, for a page that is made on the server.

use std::io;

use serde::Deserialize;
use stagedoor_domain::id::RunId;
use stagedoor_output::{Hit, MAX_QUERY, Selection, View};

use crate::pages::paths;

/// Lines on one page.
const MOST: usize = 200;
/// The reader of output looks at a bounded stretch at a time; so many of them make a page.
const STRETCHES: usize = 16;

/// The page's query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Find {
    /// The text; none when it is empty.
    pub q: String,
    /// The line to begin at, from 0; anything odd is the first one.
    from: String,
}

/// What was found, for the template.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Lines in their order, with their numbers from 1.
    pub hits: Vec<(u64, String)>,
    /// Where the looking began, when that is not the first line; from 1.
    pub from: Option<u64>,
    /// The number and address of the line to go on at, if not all was looked at.
    pub next: Option<(u64, String)>,
    /// Why nothing was looked for.
    pub error: Option<&'static str>,
}

impl Find {
    /// Looks through both streams; may block on the disk. None when nothing is looked for.
    pub fn look(&self, view: &View, id: RunId) -> io::Result<Option<Found>> {
        if self.q.is_empty() {
            return Ok(None);
        }
        if self.q.len() > MAX_QUERY {
            return Ok(Some(Found {
                error: Some("That is too long to be looked for; take a part of it."),
                ..Found::default()
            }));
        }
        let from = self.from.parse().unwrap_or(0);
        let (hits, next) = collect(from, |from| {
            let found = view.search(Selection::Both, &self.q, from)?;
            Ok((found.items, found.next))
        })?;
        let next = next.map(|line| (line + 1, self.address(id, line)));
        Ok(Some(Found {
            hits: hits
                .into_iter()
                .map(|hit| (hit.line + 1, hit.text))
                .collect(),
            from: (from > 0).then(|| from.saturating_add(1)),
            next,
            error: None,
        }))
    }

    fn address(&self, id: RunId, line: u64) -> String {
        let pairs = [("q", self.q.as_str()), ("from", &line.to_string())];
        format!("{}#found", paths::query(&paths::run(id), &pairs))
    }
}

/// Stretch by stretch, until the page is full or the output at its end.
fn collect(
    from: u64,
    mut search: impl FnMut(u64) -> io::Result<(Vec<Hit>, Option<u64>)>,
) -> io::Result<(Vec<Hit>, Option<u64>)> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut next = Some(from);
    for _ in 0..STRETCHES {
        let Some(from) = next.filter(|_| hits.len() < MOST) else {
            break;
        };
        let (items, rest) = search(from)?;
        hits.extend(items);
        next = rest;
    }
    if let Some(beyond) = hits.get(MOST) {
        next = Some(beyond.line);
        hits.truncate(MOST);
    }
    Ok((hits, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `step`th of `total` lines has the text; so many of them come at a time.
    fn collected(from: u64, total: u64, step: usize, at_once: usize) -> (Vec<u64>, Option<u64>) {
        let (hits, next) = collect(from, |from| {
            let first = from.next_multiple_of(step as u64);
            let mut lines = (first..total).step_by(step);
            let text = "x".to_owned();
            let items: Vec<Hit> = lines
                .by_ref()
                .take(at_once)
                .map(|line| Hit {
                    line,
                    text: text.clone(),
                })
                .collect();
            Ok((items, lines.next()))
        })
        .expect("no disk");
        (hits.into_iter().map(|hit| hit.line).collect(), next)
    }

    #[test]
    fn a_page_has_200_lines_and_says_where_to_go_on() {
        let (lines, next) = collected(0, 10_000, 10, 70);
        assert_eq!(
            (lines.len(), lines.last(), next),
            (200, Some(&1990), Some(2000))
        );
        let (lines, next) = collected(9_000, 10_000, 10, 70);
        assert_eq!((lines.len(), lines.first(), next), (100, Some(&9000), None));
    }

    #[test]
    fn looking_for_what_is_rare_ends_too() {
        let (lines, next) = collected(0, 1000, 1, 1);
        assert_eq!((lines.len(), next), (STRETCHES, Some(16)));
    }
}
