//! One line as it is shown: text and its colours.

use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::style::Style;

/// A line to show. As JSON it is `"text"`, or `["text", length, fg, bg, flags, …]` where
/// anything in it has a style; lengths are in UTF-16 units, as a browser counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pub(crate) text: String,
    /// Length in UTF-16 units, and style; together they cover the text.
    pub(crate) runs: Vec<(u32, Style)>,
}

/// A piece of a line that looks the same throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its looks.
    pub style: Style,
}

impl Line {
    /// The text without looks. No control character is in it, and no bidi control.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces of the line in order, for a page that is made on the server.
    pub fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        let mut rest = self.text.as_str();
        self.runs.iter().map(move |(length, style)| {
            let (text, after) = rest.split_at(bytes_of(rest, *length));
            rest = after;
            Span {
                text,
                style: *style,
            }
        })
    }

    fn is_plain(&self) -> bool {
        self.runs
            .iter()
            .all(|(_, style)| *style == Style::default())
    }
}

/// How many bytes the first UTF-16 units take.
fn bytes_of(text: &str, units: u32) -> usize {
    let mut left = units as usize;
    text.char_indices()
        .find(|(_, c)| {
            let done = left == 0;
            left = left.saturating_sub(c.len_utf16());
            done
        })
        .map_or(text.len(), |(at, _)| at)
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_plain() {
            return serializer.serialize_str(&self.text);
        }
        let mut list = serializer.serialize_seq(Some(1 + 4 * self.runs.len()))?;
        list.serialize_element(&self.text)?;
        for (length, style) in &self.runs {
            for number in [*length, style.fg, style.bg, u32::from(style.flags)] {
                list.serialize_element(&number)?;
            }
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_is_a_string_and_a_coloured_one_a_list() {
        let red = Style {
            fg: 1 << 24 | 1,
            ..Style::default()
        };
        let json = |line: &Line| serde_json::to_string(line).expect("JSON");
        let plain = Line {
            text: "a\"<b>".into(),
            runs: vec![(5, Style::default())],
        };
        assert_eq!(json(&plain), r#""a\"<b>""#);
        let coloured = Line {
            text: "a😀b".into(),
            runs: vec![(3, red), (1, Style::default())],
        };
        assert_eq!(json(&coloured), r#"["a😀b",3,16777217,0,0,1,0,0,0]"#);
        let spans: Vec<_> = coloured.spans().map(|span| span.text).collect();
        assert_eq!(spans, ["a😀", "b"]);
        assert_eq!(json(&Line::default()), r#""""#);
    }
}
