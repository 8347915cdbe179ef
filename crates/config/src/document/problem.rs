//! What is wrong, where, and how to mend it.

use std::fmt;

/// Longest source line that is shown whole, in characters; of a longer one, a window is shown.
const LONGEST_SHOWN: usize = 160;

/// One mistake in a file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// The file, relative to the folder that is served.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters are wrong, at least 1.
    pub width: usize,
    /// The whole line as it stands in the file, without its end.
    pub source_line: String,
    /// What is wrong, as a fragment in small letters.
    pub message: String,
    /// What to do.
    pub mend: Option<String>,
}

impl Problem {
    /// A problem of a file as a whole: it cannot be read, say.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
            width: 1,
            source_line: String::new(),
            message: message.into(),
            mend: None,
        }
    }

    /// Says what to do.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// The part of the line that is shown, and the caret's distance from its start.
    fn window(&self) -> (Vec<char>, usize) {
        let line: Vec<char> = self.source_line.chars().collect();
        let caret = self.column.saturating_sub(1);
        if line.len() <= LONGEST_SHOWN {
            return (line, caret);
        }
        let from = caret.saturating_sub(LONGEST_SHOWN / 2);
        let shown = line.into_iter().skip(from).take(LONGEST_SHOWN).collect();
        (shown, caret - from)
    }
}

/// A file's line may hold anything, and is printed to a terminal: what steers one is made visible.
fn harmless(c: char) -> char {
    let steers_direction = matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if (c.is_control() && c != '\t') || steers_direction {
        '\u{FFFD}'
    } else {
        c
    }
}

/// A text as people see it who must not be fooled by it: U+FFFD stands for each character that would
/// steer a terminal, end a line or turn the direction of reading.
#[must_use]
pub fn harmless_text(text: &str) -> String {
    text.chars().map(harmless).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, message) = (harmless_text(&self.file), harmless_text(&self.message));
        if self.line == 0 {
            write!(f, "{file}: {message}")?;
        } else {
            let (shown, caret) = self.window();
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            let line: String = shown.iter().copied().map(harmless).collect();
            // A tab stays a tab, so that the caret stands below its character.
            let before: String = shown
                .iter()
                .chain(std::iter::repeat(&' '))
                .take(caret)
                .map(|c| if *c == '\t' { '\t' } else { ' ' })
                .collect();
            let room = shown.len().saturating_sub(caret).max(1);
            let carets = "^".repeat(self.width.clamp(1, room));
            writeln!(f, "{file}:{number}:{}: {message}", self.column)?;
            writeln!(f, "  {number} | {line}")?;
            write!(f, "  {gutter} | {before}{carets}")?;
        }
        if let Some(mend) = &self.mend {
            write!(f, "\n  mend: {}", harmless_text(mend))?;
        }
        Ok(())
    }
}

/// The problems found so far. Reading goes on after a problem, so that one reading tells them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// One more.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// None was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of another reading.
    pub fn append(&mut self, other: Problems) {
        self.0.extend(other.0);
    }

    /// In the order of file, line and column, each once.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source_line: &str, column: usize, width: usize) -> Problem {
        Problem {
            line: 4,
            column,
            width,
            source_line: source_line.to_owned(),
            ..Problem::of_file("ops/backup.sh", "unknown key `titel`")
        }
    }

    #[test]
    fn a_problem_prints_its_place_the_line_a_caret_and_the_mend() {
        let text = problem("# titel = 1", 3, 5)
            .mend("did you mean `title`?")
            .to_string();
        assert_eq!(
            text,
            "ops/backup.sh:4:3: unknown key `titel`\n  4 | # titel = 1\n    |   ^^^^^\n  \
             mend: did you mean `title`?"
        );
    }

    #[test]
    fn a_problem_of_a_whole_file_has_no_line() {
        let text = Problem::of_file("a.sh", "cannot be read").to_string();
        assert_eq!(text, "a.sh: cannot be read");
    }

    #[test]
    fn what_would_steer_a_terminal_is_not_printed() {
        let text = problem("# \u{1b}[2J\u{202e}", 1, 1).to_string();
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{202e}'),
            "{text:?}"
        );
    }

    #[test]
    fn of_a_very_long_line_the_part_around_the_caret_is_shown() {
        let long = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let text = problem(&long, 5001, 1).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].len() < 200);
        assert_eq!(lines[1].find('X'), lines[2].find('^'));
    }
}
