//! TOML whose every value remembers where it stands.
//!
//! The text may be a whole file, or lines taken out of a comment block; a [`Mark`] always points
//! at the line and column that the author sees in the file.

mod keys;
mod node;
mod problem;
mod table;
mod text;

pub use keys::{Keys, nearest};
pub use node::{Node, Value};
pub use problem::{Problem, Problems, harmless_text};
pub use table::{Entry, Table};
pub use text::{BlockLine, Mark, Text};

use std::sync::Arc;

/// At most this many syntax errors of one text are told; the rest mostly follow from them.
const MOST_SYNTAX_ERRORS: usize = 20;

/// Reads a text as TOML. Hostile texts are safe: the depth is bounded by the parser.
///
/// # Errors
/// All syntax errors, in the order of the text.
pub fn parse(text: &Arc<Text>) -> Result<Table, Problems> {
    let (tree, errors) = toml::de::DeTable::parse_recoverable(text.toml());
    if errors.is_empty() {
        let mut problems = Problems::default();
        let table = table::table(text, tree.span(), tree.get_ref(), &mut problems);
        return if problems.is_empty() {
            Ok(table)
        } else {
            Err(problems)
        };
    }
    Err(errors
        .into_iter()
        .take(MOST_SYNTAX_ERRORS)
        .map(|error| syntax_problem(text, &error))
        .collect())
}

fn syntax_problem(text: &Arc<Text>, error: &toml::de::Error) -> Problem {
    let mark = Mark::new(text, error.span().unwrap_or(0..0));
    let message = error.message();
    let mend = if message.starts_with("string values must be quoted") {
        Some("put the value in quotes, as in `key = \"value\"`")
    } else if message.starts_with("duplicate key") {
        Some("keep one of the two")
    } else if message.starts_with("key with no value") {
        Some("write `key = value`; a line that is no key begins with another `#`")
    } else {
        None
    };
    let message = message.trim_end_matches(", expected literal string");
    let problem = mark.problem(format!("this is not TOML: {message}"));
    match mend {
        Some(mend) => problem.mend(mend),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(toml: &str) -> Vec<(usize, usize, String)> {
        let text = Text::whole("x.toml", toml);
        parse(&text)
            .err()
            .into_iter()
            .flatten()
            .map(|p| (p.line, p.column, p.message))
            .collect()
    }

    #[test]
    fn a_good_text_is_read_and_a_bad_one_points_at_the_place() {
        assert_eq!(errors("a = 1\nb = \"x\"\n"), []);
        let found = errors("a = 1\na = 2\n");
        assert_eq!(
            found,
            [(2, 1, "this is not TOML: duplicate key".to_owned())]
        );
        let found = errors("ok = 1\ntimeout = 30s\n");
        assert_eq!(found.first().map(|f| (f.0, f.1)), Some((2, 11)));
    }

    #[test]
    fn every_syntax_error_is_told_and_not_only_the_first() {
        assert_eq!(errors("a = b\nok = 1\nc = d\n").len(), 2);
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error() {
        assert_eq!(errors("a = 99999999999999999999\n").len(), 1);
        assert_eq!(errors("a = 9223372036854775807\n"), []);
    }

    #[test]
    fn a_text_made_to_exhaust_the_stack_is_an_error() {
        for toml in [
            format!("{}a = 1", "a.".repeat(40_000)),
            format!("a = {}", "[".repeat(40_000)),
        ] {
            assert!(!errors(&toml).is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_any_text_never_panics(toml in "(?s).{0,300}") {
            let text = Text::whole("x", &toml);
            if let Err(problems) = parse(&text) {
                for problem in problems {
                    let _ = problem.to_string();
                }
            }
        }
    }
}
