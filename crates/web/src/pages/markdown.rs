//! Markdown of authors, as pieces that a template writes out.
//!
//! Nothing here makes HTML: each tag stands literally in `markdown.html`, and each text is
//! escaped by it. Raw HTML is dropped, images become their text, and a link leads to the web or
//! to a mail address or is no link.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::language::Text;

/// Longest text that is rendered, in bytes.
const LONGEST: usize = 256 * 1024;

/// A text of an author, ready for a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prose {
    /// What the template writes.
    pub pieces: Vec<Piece>,
    /// The tag of a translation.
    pub lang: Option<String>,
}

impl Prose {
    /// Of a text, if there is one.
    pub fn of(text: Option<Text>) -> Self {
        let Some(Text { text, lang }) = text else {
            return Self::default();
        };
        Self {
            pieces: pieces(&text),
            lang,
        }
    }
}

/// What a template writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text to escape.
    Text(String),
    /// Code within a line.
    Code(String),
    /// A link begins; the address is safe to follow.
    Link(String),
    /// A tag begins.
    Open(Mark),
    /// A tag ends.
    Close(Mark),
    /// A line ends here.
    Break,
    /// A line across.
    Rule,
}

/// The tags there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `p`
    Paragraph,
    /// `h3`, whatever the level: the page has its own headings above.
    Heading,
    /// `em`
    Emphasis,
    /// `strong`
    Strong,
    /// `ul`
    List,
    /// `ol`
    Numbers,
    /// `li`
    Item,
    /// `blockquote`
    Quote,
    /// `pre`
    Block,
    /// `a`
    Link,
}

/// The pieces of a text, balanced.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let end = (0..=text.len().min(LONGEST))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
    let mut pieces = Vec::new();
    // What each open tag was written as, so that its end is the same.
    let mut open: Vec<Option<Mark>> = Vec::new();
    // Within raw HTML, nothing is written.
    let mut raw = 0_usize;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::HtmlBlock) => raw += 1,
            Event::End(TagEnd::HtmlBlock) => raw = raw.saturating_sub(1),
            _ if raw > 0 => {}
            Event::Start(tag) => {
                let piece = begin(&tag);
                open.push(match &piece {
                    Some(Piece::Open(mark)) => Some(*mark),
                    Some(Piece::Link(_)) => Some(Mark::Link),
                    _ => None,
                });
                pieces.extend(piece);
            }
            Event::End(_) => pieces.extend(open.pop().flatten().map(Piece::Close)),
            Event::Text(text) => pieces.push(Piece::Text(text.into_string())),
            Event::Code(text) => pieces.push(Piece::Code(text.into_string())),
            Event::SoftBreak => pieces.push(Piece::Text("\n".to_owned())),
            Event::HardBreak => pieces.push(Piece::Break),
            Event::Rule => pieces.push(Piece::Rule),
            _ => {}
        }
    }
    pieces
}

fn begin(tag: &Tag<'_>) -> Option<Piece> {
    Some(match tag {
        Tag::Paragraph => Piece::Open(Mark::Paragraph),
        Tag::Heading { .. } => Piece::Open(Mark::Heading),
        Tag::Emphasis => Piece::Open(Mark::Emphasis),
        Tag::Strong => Piece::Open(Mark::Strong),
        Tag::List(None) => Piece::Open(Mark::List),
        Tag::List(Some(_)) => Piece::Open(Mark::Numbers),
        Tag::Item => Piece::Open(Mark::Item),
        Tag::BlockQuote(_) => Piece::Open(Mark::Quote),
        Tag::CodeBlock(_) => Piece::Open(Mark::Block),
        Tag::Link { dest_url, .. } => Piece::Link(safe_address(dest_url)?),
        _ => return None,
    })
}

/// Addresses that a page may link to.
fn safe_address(address: &str) -> Option<String> {
    let is_known = ["http://", "https://", "mailto:"].iter().any(|scheme| {
        address
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let is_plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    (is_known && is_plain).then(|| address.to_owned())
}

/// The first paragraph as plain text, for a card.
pub(crate) fn summary(text: &str) -> String {
    let mut summary = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) | Piece::Code(text) => summary.push_str(&text),
            Piece::Break => summary.push(' '),
            Piece::Close(Mark::Paragraph) => break,
            _ => {}
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_html_is_dropped_and_its_neighbours_stay() {
        let found =
            pieces("a <b onclick=x>b</b>\n\n<script>alert(1)</script>\n\nc <img src=x onerror=y>");
        let text: String = found
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text(text) | Piece::Code(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(text, "a bc ");
    }

    #[test]
    fn only_addresses_of_the_web_and_of_mail_are_links() {
        let links = |text| {
            pieces(text)
                .into_iter()
                .filter(|p| matches!(p, Piece::Link(_)))
                .count()
        };
        for good in [
            "[a](https://x.example/)",
            "[a](http://x)",
            "[a](MAILTO:a@b.example)",
            "<https://x.example>",
        ] {
            assert_eq!(links(good), 1, "{good}");
        }
        for bad in [
            "[a](javascript:alert(1))",
            "[a](data:text/html,x)",
            "[a](/logout)",
            "[a](//x)",
            "[a](vbscript:x)",
            "[a]( javascript:x)",
        ] {
            assert_eq!(links(bad), 0, "{bad}");
        }
    }

    #[test]
    fn what_is_opened_is_closed() {
        for text in [
            "# a *b* [c](javascript:x) **d**",
            "> - 1. a\n>   b",
            "| a |\n|---|",
            "```\n<x>\n```",
            "![a](b)",
        ] {
            let mut open = Vec::new();
            for piece in pieces(text) {
                match piece {
                    Piece::Open(mark) => open.push(mark),
                    Piece::Link(_) => open.push(Mark::Link),
                    Piece::Close(mark) => assert_eq!(open.pop(), Some(mark), "{text}"),
                    _ => {}
                }
            }
            assert!(open.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_summary_is_the_first_paragraph_without_marks() {
        assert_eq!(summary("Dumps *one* `db`.\n\nMore."), "Dumps one db.");
        assert_eq!(summary(""), "");
    }
}
