//! Search in the lines of an attempt, as people see them: without colours and controls.

use regex::bytes::{Regex, RegexBuilder};
use serde::Serialize;
use std::io;

use crate::paint::{MAX_CELLS, Painter};
use crate::split::SOFT;
use crate::stream::Selection;
use crate::view::View;
use crate::walk::{Row, Step};

/// Bytes of a query at most.
pub const MAX_QUERY: usize = 1024;
/// Lines found in an answer at most.
const MAX_HITS: usize = 100;
/// Bytes of text in an answer at most, if there is more than one line.
const MAX_TEXT: usize = 1 << 20;
/// Bytes looked at (and cells painted) for an answer at most.
const MAX_WORK: u64 = 16 << 20;
const PIECE: usize = 256 * 1024;

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Its number in the selection that was searched.
    pub line: u64,
    /// Its text.
    pub text: String,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// In the order of the lines.
    pub items: Vec<Hit>,
    /// Where to go on, if the search did not reach the end.
    pub next: Option<u64>,
}

impl View {
    /// Searches from a line on for a text, taken literally, whatever its case. A query
    /// that is empty or longer than [`MAX_QUERY`] is `InvalidInput`.
    pub fn search(&self, selection: Selection, query: &str, from: u64) -> io::Result<Found> {
        let mut search = Search::new(query)?;
        let scene = self.scene(selection, |index| index.before_line(from))?;
        let mut walk = scene.walk(self, PIECE);
        loop {
            match walk.next()? {
                Some(Step::Line(row)) if row.number >= from => search.look(walk.raw(&row), &row),
                Some(_) => {}
                None => break,
            }
            if search.is_full() || walk.walked() + search.painter.work() > MAX_WORK {
                let next = walk.cursor().line.max(from);
                search.found.next = Some(next).filter(|next| *next < scene.total());
                return Ok(search.found);
            }
        }
        for row in scene.partials.iter().filter(|row| row.number >= from) {
            search.look(&self.raw_partial(row)?, row);
        }
        Ok(search.found)
    }
}

struct Search {
    pattern: Regex,
    painter: Painter,
    found: Found,
    text: usize,
}

impl Search {
    fn new(query: &str) -> io::Result<Self> {
        if query.is_empty() || query.len() > MAX_QUERY {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let pattern = RegexBuilder::new(&regex::escape(query))
            .case_insensitive(true)
            .build()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Self {
            pattern,
            painter: Painter::default(),
            found: Found::default(),
            text: 0,
        })
    }

    fn look(&mut self, raw: &[u8], row: &Row) {
        if !self.matches(raw, row) {
            return;
        }
        let text = self.painter.paint(raw, row.style, MAX_CELLS, 0).text;
        self.text += text.len();
        self.found.items.push(Hit {
            line: row.number,
            text,
        });
    }

    fn matches(&mut self, raw: &[u8], row: &Row) -> bool {
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        // Printable ASCII is shown as it is; all else has to be painted first.
        if line.iter().all(|b| (0x20..0x7f).contains(b)) {
            return self.pattern.is_match(line);
        }
        let all = usize::try_from(SOFT).unwrap_or(usize::MAX);
        let painted = self.painter.paint(raw, row.style, all, 0);
        self.pattern.is_match(painted.text.as_bytes())
    }

    fn is_full(&self) -> bool {
        self.found.items.len() >= MAX_HITS || self.text >= MAX_TEXT
    }
}
