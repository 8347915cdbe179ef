//! Where lines begin and end in a stream: a pure function of the bytes, whatever the
//! sizes of the pieces that they come in.
//!
//! A line ends at `\n`. One that has no `\n` within [`SOFT`] bytes starts again at its
//! last bare `\r` (a progress bar shows its last state), or else is broken there. The
//! colours at the start of each line are known, because styles go on over line ends.

use crate::escape::{Escapes, Taken};
use crate::style::Style;

/// Bytes in a line at most, without its `\n`.
pub(crate) const SOFT: u64 = 64 * 1024;

/// What the bytes led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The bytes from `start` to `end` are a line; the style is that at its start.
    Line { start: u64, end: u64, style: Style },
    /// The line that was begun starts later than it did.
    Restart,
}

/// The state between two pieces of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Splitter {
    /// Where the current line starts, and the style there.
    start: u64,
    start_style: Style,
    /// How far the stream was looked at, and the style there.
    at: u64,
    style: Style,
    escapes: Escapes,
    /// The last `\r` behind `start`, and the style there.
    last_return: Option<(u64, Style)>,
}

impl Splitter {
    /// Begins at the start of a line.
    pub fn from_line_start(start: u64, style: Style) -> Self {
        Self {
            start,
            start_style: style,
            at: start,
            style,
            ..Self::default()
        }
    }

    /// Offset in the stream of the line that is not ended yet.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Style at [`Splitter::start`].
    pub fn start_style(&self) -> Style {
        self.start_style
    }

    /// Offset of the first byte that was not looked at yet.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Looks at the bytes that stand at [`Splitter::at`], up to the first cut.
    /// Without a cut, all of them were looked at.
    pub fn next(&mut self, bytes: &[u8]) -> Option<Cut> {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            let room = SOFT.saturating_sub(self.at - self.start);
            if first == b'\n' {
                return Some(self.end_line());
            }
            if room == 0 {
                return Some(self.break_line());
            }
            let window = rest
                .get(..usize::try_from(room).unwrap_or(usize::MAX))
                .unwrap_or(rest);
            let looked_at = if self.escapes.in_text() {
                self.skip_text(window)
            } else {
                self.escape(first);
                1
            };
            self.at += looked_at as u64;
            rest = rest.get(looked_at..).unwrap_or_default();
        }
        None
    }

    /// Bytes up to the next one that means something, and that one unless it is `\n`.
    fn skip_text(&mut self, window: &[u8]) -> usize {
        let Some(skipped) = memchr::memchr3(b'\n', b'\r', 0x1b, window) else {
            return window.len();
        };
        match window.get(skipped) {
            Some(b'\r') => self.carriage_return(self.at + skipped as u64),
            Some(0x1b) => {
                self.escapes.push(0x1b);
            }
            _ => return skipped,
        }
        skipped + 1
    }

    fn escape(&mut self, byte: u8) {
        if byte == b'\r' {
            self.carriage_return(self.at);
        } else if self.escapes.push(byte) == Taken::Csi(b'm') {
            self.style.apply(self.escapes.params());
        }
    }

    fn carriage_return(&mut self, at: u64) {
        self.escapes.reset();
        if at > self.start {
            self.last_return = Some((at, self.style));
        }
    }

    fn end_line(&mut self) -> Cut {
        let line = Cut::Line {
            start: self.start,
            end: self.at,
            style: self.start_style,
        };
        self.at += 1;
        self.begin(self.at, self.style);
        self.escapes.reset();
        line
    }

    /// The byte behind the window is known and no `\n`, so every `\r` in it is a bare one.
    fn break_line(&mut self) -> Cut {
        if let Some((start, style)) = self.last_return {
            self.begin(start, style);
            return Cut::Restart;
        }
        let line = Cut::Line {
            start: self.start,
            end: self.at,
            style: self.start_style,
        };
        self.begin(self.at, self.style);
        self.escapes.reset();
        line
    }

    fn begin(&mut self, start: u64, style: Style) {
        self.start = start;
        self.start_style = style;
        self.last_return = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> (Vec<Cut>, u64) {
        let mut splitter = Splitter::default();
        let mut cuts = Vec::new();
        let mut offset = 0;
        for piece in pieces {
            loop {
                let seen = usize::try_from(splitter.at() - offset).expect("small");
                match splitter.next(&piece[seen..]) {
                    Some(cut) => cuts.push(cut),
                    None => break,
                }
            }
            offset += piece.len() as u64;
            assert_eq!(splitter.at(), offset);
        }
        (cuts, splitter.start())
    }

    fn line(start: u64, end: u64) -> Cut {
        Cut::Line {
            start,
            end,
            style: Style::default(),
        }
    }

    #[test]
    fn lines_end_at_newlines_only() {
        assert_eq!(
            lines(&[b"a\nb\r\n\nrest"]),
            (vec![line(0, 1), line(2, 4), line(5, 5)], 6)
        );
        assert_eq!(lines(&[b""]), (vec![], 0));
    }

    #[test]
    fn a_line_of_exactly_64_kib_is_whole_and_one_byte_more_breaks_it() {
        let soft = usize::try_from(SOFT).expect("small");
        let exact = [vec![b'x'; soft], b"\n".to_vec()].concat();
        assert_eq!(lines(&[&exact]), (vec![line(0, SOFT)], SOFT + 1));
        assert_eq!(lines(&[&vec![b'x'; soft]]), (vec![], 0));
        assert_eq!(lines(&[&vec![b'x'; soft + 1]]), (vec![line(0, SOFT)], SOFT));
    }

    #[test]
    fn a_long_line_starts_again_at_its_last_bare_return() {
        let soft = usize::try_from(SOFT).expect("small");
        let mut bytes = vec![b'x'; soft + 1];
        bytes[10] = b'\r';
        bytes[20] = b'\r';
        assert_eq!(lines(&[&bytes]), (vec![Cut::Restart], 20));
        let crlf = [vec![b'x'; soft - 1], b"\r\ny\n".to_vec()].concat();
        assert_eq!(lines(&[&crlf]).0, [line(0, SOFT), line(SOFT + 1, SOFT + 2)]);
    }

    #[test]
    fn colours_go_on_over_line_ends_and_restarts() {
        let (cuts, _) = lines(&[b"\x1b[31ma\nb\x1b[0m\nc\n"]);
        let red = Style {
            fg: 1 << 24 | 1,
            ..Style::default()
        };
        assert_eq!(
            cuts[1],
            Cut::Line {
                start: 7,
                end: 12,
                style: red
            }
        );
        assert_eq!(cuts[2], line(13, 14));
    }

    #[test]
    fn a_newline_ends_an_escape_sequence_that_was_left_open() {
        assert_eq!(lines(&[b"\x1b]0;title\nplain\n"]).0.len(), 2);
        assert_eq!(lines(&[b"\x1b[3\n1m\n"]).0[1], line(4, 6));
    }

    proptest! {
        #[test]
        fn the_cuts_do_not_depend_on_the_pieces(
            parts in prop::collection::vec(prop_oneof![
                8 => "[ -~]{0,40}".prop_map(String::into_bytes),
                4 => Just(b"\n".to_vec()),
                3 => Just(b"\r".to_vec()),
                2 => Just(b"\x1b[31m".to_vec()),
                1 => Just(b"\x1b]0;".to_vec()),
                1 => Just(vec![b'x'; 70_000]),
                1 => prop::collection::vec(any::<u8>(), 0..20),
            ], 0..40),
            sizes in prop::collection::vec(1_usize..5_000, 1..20),
        ) {
            let whole = parts.concat();
            let mut pieces = Vec::new();
            let mut rest = whole.as_slice();
            for size in sizes.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(lines(&pieces), lines(&[&whole]));
        }
    }
}
