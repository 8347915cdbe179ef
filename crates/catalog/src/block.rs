//! The comment block of a script file that holds its definition.
//!
//! Two forms: `# /// stagedoor` … `# ///` with any known lead, and `[tool.stagedoor]` in Python's
//! own `# /// script` block (PEP 723). Pure: bytes in, a table with its places out.

mod lead;

use std::sync::Arc;

use stagedoor_config::document::{self, BlockLine, Mark, Problem, Problems, Table, Text, Value};

use lead::{LEADS, fence, is_fence, opening, without_lead};

/// The whole block stands within this many bytes of the file's start.
pub(crate) const HEAD: usize = 64 * 1024;

/// A definition that was found in a script file.
#[derive(Debug)]
pub(crate) struct Found {
    /// The keys.
    pub table: Table,
    /// The first line of the block.
    pub mark: Mark,
}

/// One line of the file.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    bytes: &'a [u8],
}

/// One closed block: its lines between the fences.
struct Block<'a> {
    opening: Line<'a>,
    lines: Vec<BlockLine<'a>>,
    /// Index of the line behind the block.
    next: usize,
}

struct Reading<'a> {
    file: &'a str,
    lines: Vec<Line<'a>>,
    truncated: bool,
}

/// Finds the definition in the first [`HEAD`] bytes of a file; `truncated` when the file is longer.
///
/// # Errors
/// Everything that is wrong with the block itself or with its TOML.
pub(crate) fn find(file: &str, head: &[u8], truncated: bool) -> Result<Option<Found>, Problems> {
    // Programs hold any text; those are declared beside the file.
    if head.starts_with(b"\x7fELF") || memchr::memmem::find(head, b"///").is_none() {
        return Ok(None);
    }
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let lines = head
        .strip_suffix(b"\n")
        .unwrap_or(head)
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(at, bytes)| Line {
            number: at + 1,
            bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes),
        })
        .collect();
    Reading {
        file,
        lines,
        truncated,
    }
    .find()
}

impl<'a> Reading<'a> {
    fn find(&self) -> Result<Option<Found>, Problems> {
        let own = self.own_block()?;
        let python = self.python_block();
        let tool = python
            .as_ref()
            .map_or(Ok(None), |block| self.tool_table(block))?;
        match (own, tool) {
            (None, tool) => Ok(tool),
            (Some(own), Some(_)) => Err(self
                .problem(
                    own.opening,
                    "this script has two definitions: this block and `[tool.stagedoor]`",
                )
                .mend("keep one of the two")
                .into()),
            (Some(own), None) => {
                if let Some(python) = &python {
                    self.blank_line_between(&own, python)?;
                }
                let text = Text::block(self.file, own.lines);
                let mark = opening_mark(self.file, own.opening);
                document::parse(&text).map(|table| Some(Found { table, mark }))
            }
        }
    }

    /// The one block that begins with `LEAD /// stagedoor`.
    fn own_block(&self) -> Result<Option<Block<'a>>, Problems> {
        let mut found: Option<Block<'a>> = None;
        let mut at = 0;
        while let Some(line) = self.lines.get(at) {
            let Some(lead) = opening(line.bytes) else {
                self.near_miss(*line)?;
                at += 1;
                continue;
            };
            if let Some(first) = &found {
                let message = format!(
                    "the definition begins a second time; the first begins at line {}",
                    first.opening.number
                );
                return Err(self
                    .problem(*line, message)
                    .mend("keep one of the two blocks")
                    .into());
            }
            let block = self.take(at, lead)?;
            at = block.next;
            found = Some(block);
        }
        Ok(found)
    }

    /// The lines from the opening at `at` to the fence that ends the block.
    fn take(&self, at: usize, lead: &str) -> Result<Block<'a>, Problem> {
        let rest = self.lines.get(at..).unwrap_or_default();
        let (Some(opening_line), body) = (rest.first().copied(), rest.get(1..).unwrap_or_default())
        else {
            return Err(Problem::of_file(self.file, "the block has no lines"));
        };
        let mut lines = Vec::new();
        for (offset, line) in body.iter().enumerate() {
            if is_fence(line.bytes, lead) {
                return Ok(Block {
                    opening: opening_line,
                    lines,
                    next: at + offset + 2,
                });
            }
            if opening(line.bytes).is_some() {
                let message = format!(
                    "the definition begins again before the one at line {} has ended",
                    opening_line.number
                );
                let mend = format!("end the first with a line `{}`", fence(lead));
                return Err(self.problem(*line, message).mend(mend));
            }
            lines.push(self.content(*line, lead, opening_line)?);
        }
        Err(self.unclosed(opening_line, lead))
    }

    fn unclosed(&self, opening: Line<'_>, lead: &str) -> Problem {
        if self.truncated {
            return self
                .problem(
                    opening,
                    "this block does not end within the first 64 KiB of the file",
                )
                .mend("move it up, or move the definition to a file beside this one");
        }
        self.problem(opening, "this block is not closed")
            .mend(format!("end it with a line `{}`", fence(lead)))
    }

    /// One line of a block without its lead.
    fn content(
        &self,
        line: Line<'a>,
        lead: &str,
        opening: Line<'_>,
    ) -> Result<BlockLine<'a>, Problem> {
        let Ok(full) = std::str::from_utf8(line.bytes) else {
            return Err(self
                .problem(line, "this line is not UTF-8")
                .mend("save the file as UTF-8"));
        };
        let Some(rest) = without_lead(full, lead) else {
            let message = format!(
                "the block that begins at line {} is not closed: this line does not begin with `{lead}`",
                opening.number
            );
            let mend = format!("end the block with a line `{}`", fence(lead));
            return Err(self.problem(line, message).mend(mend));
        };
        let removed = match rest.chars().next() {
            None => full.len(),
            Some(_) if lead.is_empty() => 0,
            Some(' ') => full.len() - rest.len() + 1,
            Some(_) if rest.trim().is_empty() => full.len(),
            Some(_) => {
                let message = format!("a space must stand behind `{lead}`");
                return Err(self
                    .problem(line, message)
                    .mend(format!("write `{lead} {}`", rest.trim())));
            }
        };
        Ok(BlockLine {
            number: line.number,
            full,
            lead: removed,
        })
    }

    /// A line that was meant to begin a definition would otherwise be ignored in silence.
    fn near_miss(&self, line: Line<'_>) -> Result<(), Problem> {
        let Ok(text) = std::str::from_utf8(line.bytes) else {
            return Ok(());
        };
        let text = text.trim_end();
        let meant = LEADS.iter().find(|lead| {
            without_lead(text, lead)
                .and_then(|rest| rest.trim_start().strip_prefix("///"))
                .is_some_and(|rest| rest.trim().eq_ignore_ascii_case("stagedoor"))
        });
        match meant {
            Some(lead) if !text.starts_with([' ', '\t']) => {
                let right = format!("{} stagedoor", fence(lead));
                Err(self
                    .problem(
                        line,
                        "this looks like the begin of a definition, and is not quite one",
                    )
                    .mend(format!("write it as `{right}`")))
            }
            _ => Ok(()),
        }
    }

    /// Python's own block. What is wrong with it is not ours to say: other tools read it.
    fn python_block(&self) -> Option<Block<'a>> {
        let at = self
            .lines
            .iter()
            .position(|line| line.bytes.trim_ascii_end() == b"# /// script")?;
        self.take(at, "#").ok()
    }

    /// `[tool.stagedoor]` of Python's block.
    fn tool_table(&self, block: &Block<'a>) -> Result<Option<Found>, Problems> {
        let text = Text::block(self.file, block.lines.iter().copied());
        if !text.toml().contains("stagedoor") {
            return Ok(None);
        }
        let mut root = document::parse(&text)?;
        let tool = root.remove("tool").map(|entry| entry.node.value);
        let Some(Value::Table(mut tool)) = tool else {
            return Ok(None);
        };
        let Some(ours) = tool.remove("stagedoor") else {
            return Ok(None);
        };
        let mut problems = Problems::default();
        match ours.node.table("[tool.stagedoor]", &mut problems) {
            Some(table) => Ok(Some(Found {
                table: table.clone(),
                mark: ours.key,
            })),
            None => Err(problems),
        }
    }

    /// Python's tools read two blocks without a line between them as one.
    fn blank_line_between(&self, own: &Block<'a>, python: &Block<'a>) -> Result<(), Problem> {
        let (first, second) = if own.next < python.next {
            (own, python)
        } else {
            (python, own)
        };
        let between = self
            .lines
            .get(first.next..second.opening.number - 1)
            .unwrap_or_default();
        let separate = between
            .iter()
            .any(|line| line.bytes != b"#" && !line.bytes.starts_with(b"# "));
        if separate {
            return Ok(());
        }
        Err(self
            .problem(second.opening, "this block follows another one without a blank line, so Python's tools read both as one")
            .mend("leave a blank line between the two blocks"))
    }

    fn problem(&self, line: Line<'_>, message: impl Into<String>) -> Problem {
        line_problem(self.file, line.number, line.bytes, message)
    }
}

/// A problem of one whole line.
pub(crate) fn line_problem(
    file: &str,
    number: usize,
    line: &[u8],
    message: impl Into<String>,
) -> Problem {
    let source_line = String::from_utf8_lossy(line).into_owned();
    Problem {
        line: number,
        column: 1,
        width: source_line.trim_end().chars().count().max(1),
        source_line,
        ..Problem::of_file(file, message)
    }
}

fn opening_mark(file: &str, line: Line<'_>) -> Mark {
    let full = String::from_utf8_lossy(line.bytes).into_owned();
    let only = BlockLine {
        number: line.number,
        full: &full,
        lead: 0,
    };
    let text: Arc<Text> = Text::block(file, [only]);
    Mark::new(&text, 0..full.len())
}

#[cfg(test)]
mod tests;
