//! A TOML text and the map from its bytes to the lines of the file that it was taken from.

use std::ops::Range;
use std::sync::Arc;

use super::Problem;

/// One line that was taken out of a comment block.
#[derive(Debug, Clone, Copy)]
pub struct BlockLine<'a> {
    /// Number in the file, from 1.
    pub number: usize,
    /// The whole line without its end.
    pub full: &'a str,
    /// Bytes of `full` before the TOML begins.
    pub lead: usize,
}

#[derive(Debug)]
struct Line {
    /// Where the line begins in the TOML.
    start: usize,
    number: usize,
    /// Characters before the TOML begins.
    removed: usize,
    full: Box<str>,
}

/// A text with the map back to its file.
#[derive(Debug)]
pub struct Text {
    file: Box<str>,
    toml: String,
    lines: Vec<Line>,
}

impl Text {
    /// A file that is TOML from its first line to its last. A byte order mark is left out.
    pub fn whole(file: &str, content: &str) -> Arc<Self> {
        let content = content.strip_prefix('\u{FEFF}').unwrap_or(content);
        let mut start = 0;
        let mut lines = Vec::new();
        for (at, line) in content.split_inclusive('\n').enumerate() {
            let full = line.trim_end_matches(['\n', '\r']).into();
            lines.push(Line {
                start,
                number: at + 1,
                removed: 0,
                full,
            });
            start += line.len();
        }
        Arc::new(Self {
            file: file.into(),
            toml: content.to_owned(),
            lines,
        })
    }

    /// Lines taken out of a comment block, in order.
    pub fn block<'a>(file: &str, block: impl IntoIterator<Item = BlockLine<'a>>) -> Arc<Self> {
        let mut toml = String::new();
        let mut lines = Vec::new();
        for line in block {
            let (lead, content) = line
                .full
                .split_at_checked(line.lead)
                .unwrap_or((line.full, ""));
            lines.push(Line {
                start: toml.len(),
                number: line.number,
                removed: lead.chars().count(),
                full: line.full.into(),
            });
            toml.push_str(content);
            toml.push('\n');
        }
        Arc::new(Self {
            file: file.into(),
            toml,
            lines,
        })
    }

    /// The TOML alone.
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// The file's name in messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line that an offset in the TOML belongs to.
    fn line_at(&self, offset: usize) -> Option<&Line> {
        let after = self.lines.partition_point(|line| line.start <= offset);
        self.lines.get(after.saturating_sub(1))
    }
}

/// A place in a text.
#[derive(Debug, Clone)]
pub struct Mark {
    text: Arc<Text>,
    span: Range<usize>,
}

impl Mark {
    /// A place by its bytes in the TOML.
    pub fn new(text: &Arc<Text>, span: Range<usize>) -> Self {
        Self {
            text: Arc::clone(text),
            span,
        }
    }

    /// The first line of a text.
    pub fn start_of(text: &Arc<Text>) -> Self {
        Self::new(text, 0..0)
    }

    /// Line in the file, from 1.
    pub fn line(&self) -> usize {
        self.text
            .line_at(self.span.start)
            .map_or(1, |line| line.number)
    }

    /// The file's name in messages.
    pub fn file(&self) -> &str {
        self.text.file()
    }

    /// Where it begins; marks of one text sort by this.
    pub(super) fn offset(&self) -> usize {
        self.span.start
    }

    /// A problem at this place.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        let mut problem = Problem::of_file(self.text.file(), message);
        let Some(line) = self.text.line_at(self.span.start) else {
            return problem;
        };
        let count = |range: Range<usize>| {
            self.text
                .toml
                .get(range)
                .map_or(0, |part| part.chars().count())
        };
        problem.line = line.number;
        problem.column = line.removed + count(line.start..self.span.start) + 1;
        problem.width = count(self.span.start..self.span.end).max(1);
        problem.source_line = line.full.to_string();
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_in_a_block_points_at_the_line_and_column_of_the_file() {
        let lines = [
            BlockLine {
                number: 3,
                full: "# ä = 1",
                lead: 2,
            },
            BlockLine {
                number: 4,
                full: "#",
                lead: 1,
            },
            BlockLine {
                number: 5,
                full: "# bb = 2",
                lead: 2,
            },
        ];
        let text = Text::block("x.sh", lines);
        assert_eq!(text.toml(), "ä = 1\n\nbb = 2\n");
        let at = text.toml().find('2').expect("there");
        let problem = Mark::new(&text, at..at + 1).problem("m");
        assert_eq!((problem.line, problem.column, problem.width), (5, 8, 1));
        assert_eq!(problem.source_line, "# bb = 2");
        let problem = Mark::new(&text, 3..4).problem("m");
        assert_eq!((problem.line, problem.column), (3, 5));
    }

    #[test]
    fn a_mark_behind_the_end_points_at_the_last_line() {
        let text = Text::whole("x", "a = 1\r\nb");
        let problem = Mark::new(&text, 8..8).problem("m");
        assert_eq!((problem.line, problem.column), (2, 2));
        let text = Text::whole("x", "");
        assert_eq!(Mark::start_of(&text).problem("m").line, 0);
    }
}
