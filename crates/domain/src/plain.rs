//! Text that strangers chose, where a line of it is one line and a terminal obeys nothing in it.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// What steers a terminal, ends a line, or changes the order or the place of what is read.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Is this one line that steers nothing?
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.contains(steers)
}

/// Lets through what is only read, and writes the number of each character that does more: `\n`,
/// `\u{1b}`, `\u{202e}`.
pub struct Plain<W>(pub W);

impl<W: Write> Write for Plain<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_numbered(&mut self.0, text, steers)
    }
}

/// The same for text of several lines: line ends and tabs stay.
pub struct PlainLines<W>(pub W);

impl<W: Write> Write for PlainLines<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_numbered(&mut self.0, text, |c| {
            steers(c) && !matches!(c, '\n' | '\t')
        })
    }
}

fn write_numbered(to: &mut impl Write, text: &str, is_bad: fn(char) -> bool) -> fmt::Result {
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_bad(*c)) {
        let (before, from) = rest.split_at(at);
        to.write_str(before)?;
        write!(to, "{}", c.escape_default())?;
        rest = from.get(c.len_utf8()..).unwrap_or("");
    }
    to.write_str(rest)
}

/// The same JSON in nothing but printable ASCII. Only texts in JSON hold other characters, and
/// each of them may be written by its number. It must be one line.
pub fn ascii_json(json: &str) -> Cow<'_, str> {
    if json.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 64);
    for character in json.chars() {
        match character {
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(text: &str) -> String {
        let mut written = String::new();
        Plain(&mut written)
            .write_str(text)
            .expect("a string takes all");
        written
    }

    #[test]
    fn what_steers_is_written_by_its_number_and_the_rest_as_it_is() {
        assert_eq!(plain("Größe “x” 漢字 🦀 \\n"), "Größe “x” 漢字 🦀 \\n");
        assert_eq!(plain("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(plain("\u{1b}[2J\u{9b}m"), "\\u{1b}[2J\\u{9b}m");
        assert_eq!(plain("x\u{202e}\u{2066}"), "x\\u{202e}\\u{2066}");
        assert_eq!(plain("\u{2028}é\u{0}\u{7f}"), "\\u{2028}é\\u{0}\\u{7f}");
    }

    #[test]
    fn lines_and_tabs_may_stay() {
        let mut written = String::new();
        let text = "a\tb\nc\r\u{1b}[2J\u{202e}";
        PlainLines(&mut written)
            .write_str(text)
            .expect("a string takes all");
        assert_eq!(written, "a\tb\nc\\r\\u{1b}[2J\\u{202e}");
        assert!(is_plain("a b") && !is_plain("a\nb") && !is_plain("a\u{202e}"));
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left_of_any_text(text in any::<String>()) {
            prop_assert!(!plain(&text).contains(steers));
        }

        #[test]
        fn any_json_is_printable_ascii_and_means_the_same(text in any::<String>()) {
            let json = serde_json::Value::from(text);
            let written = json.to_string();
            let ascii = ascii_json(&written);
            prop_assert!(ascii.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let read: serde_json::Value = serde_json::from_str(&ascii).expect("JSON");
            prop_assert_eq!(read, json);
        }
    }
}
