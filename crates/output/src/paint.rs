//! From the raw bytes of one line to what a person sees.
//!
//! `\r`, backspace, tab and a few cursor movements within the line are carried out, other
//! controls dropped. Invalid UTF-8 and everything that could reorder or break the line
//! shows as U+FFFD. The work is linear in the bytes, whatever they are.

use crate::escape::{Escapes, Taken};
use crate::line::Line;
use crate::style::{Style, number};

/// Cells that are shown of a line; the last of a longer one is `…`.
pub(crate) const MAX_CELLS: usize = 4096;

const REPLACEMENT: char = '\u{fffd}';

/// Paints lines one after the other, reusing its memory.
#[derive(Debug, Default)]
pub(crate) struct Painter {
    cells: Vec<(char, Style)>,
    column: usize,
    style: Style,
    max: usize,
    cut: bool,
    /// Cells that may still be filled by jumps and erasing, so that a few bytes that
    /// jump far and erase all, again and again, cost no more than as many letters.
    allowance: usize,
    /// Cells written since the painter was made.
    work: u64,
}

impl Painter {
    /// Paints a line that starts with this style, up to so many cells.
    /// `extra` flags are added to every cell.
    pub fn paint(&mut self, raw: &[u8], style: Style, max: usize, extra: u16) -> Line {
        self.cells.clear();
        self.column = 0;
        self.style = style;
        self.max = max;
        self.cut = false;
        self.allowance = 256 + 8 * raw.len();
        self.feed(raw);
        self.line(extra)
    }

    /// Cells written since the painter was made: what its work is measured in.
    pub fn work(&self) -> u64 {
        self.work
    }

    fn feed(&mut self, raw: &[u8]) {
        let mut escapes = Escapes::default();
        let mut rest = raw;
        while let Some((&byte, after)) = rest.split_first() {
            if byte == b'\r' {
                escapes.reset();
            }
            match escapes.push(byte) {
                Taken::Eaten => rest = after,
                Taken::Csi(last) => {
                    self.control(last, escapes.params());
                    rest = after;
                }
                Taken::No if is_control(byte) => {
                    self.move_by(byte);
                    rest = after;
                }
                Taken::No => {
                    let end = rest
                        .iter()
                        .position(|b| is_control(*b))
                        .unwrap_or(rest.len());
                    let (text, after) = rest.split_at(end);
                    self.text(text);
                    rest = after;
                }
            }
        }
    }

    fn move_by(&mut self, control: u8) {
        match control {
            b'\r' => self.column = 0,
            8 => self.column = self.column.saturating_sub(1),
            b'\t' => self.column = ((self.column / 8 + 1) * 8).min(self.max),
            _ => {}
        }
    }

    fn control(&mut self, last: u8, params: &[u8]) {
        let count = || number(params).max(1) as usize;
        match last {
            b'm' => self.style.apply(params),
            b'C' => self.column = (self.column + count()).min(self.max),
            b'D' => self.column = self.column.saturating_sub(count()),
            b'G' => self.column = (count() - 1).min(self.max),
            b'K' => self.erase(params),
            _ => {}
        }
    }

    fn erase(&mut self, params: &[u8]) {
        match params {
            b"" | b"0" if self.column < self.max => {
                self.cells.truncate(self.column);
                self.cut = false;
            }
            b"1" => {
                let end = (self.column + 1).min(self.cells.len());
                if self.allow(end) {
                    self.work += end as u64;
                    let blank = (' ', Style::default());
                    self.cells
                        .iter_mut()
                        .take(end)
                        .for_each(|cell| *cell = blank);
                }
            }
            b"2" => {
                self.cells.clear();
                self.cut = false;
            }
            _ => {}
        }
    }

    fn allow(&mut self, cells: usize) -> bool {
        let allowed = cells <= self.allowance;
        if allowed {
            self.allowance -= cells;
        }
        allowed
    }

    fn text(&mut self, bytes: &[u8]) {
        let room = self.max.saturating_sub(self.column);
        // Four bytes make a cell at most; what cannot be seen is not decoded.
        let seen = bytes.get(..4 * room + 4).unwrap_or(bytes);
        for chunk in seen.utf8_chunks() {
            chunk
                .valid()
                .chars()
                .filter(|c| !c.is_control())
                .for_each(|c| self.put(shown(c)));
            if !chunk.invalid().is_empty() {
                self.put(REPLACEMENT);
            }
        }
    }

    fn put(&mut self, c: char) {
        if self.column >= self.max {
            self.cut = true;
            return;
        }
        if let Some(cell) = self.cells.get_mut(self.column) {
            *cell = (c, self.style);
        } else {
            let gap = self.column - self.cells.len();
            if self.allow(gap) {
                self.work += gap as u64;
                self.cells.resize(self.column, (' ', Style::default()));
            } else {
                self.column = self.cells.len();
            }
            self.cells.push((c, self.style));
        }
        self.column += 1;
        self.work += 1;
    }

    fn line(&mut self, extra: u16) -> Line {
        if self.cut
            && let Some(last) = self.cells.last_mut()
        {
            last.0 = '…';
        }
        let mut line = Line::default();
        for (c, mut style) in self.cells.iter().copied() {
            style.flags |= extra;
            line.text.push(c);
            let units = if c.len_utf16() == 1 { 1 } else { 2 };
            match line.runs.last_mut() {
                Some((length, last)) if *last == style => *length += units,
                _ => line.runs.push((units, style)),
            }
        }
        line
    }
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// Characters with the property `Bidi_Control`, and Unicode's own line ends, would let
/// output reorder what is read.
fn shown(c: char) -> char {
    match c {
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            REPLACEMENT
        }
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paint(raw: impl AsRef<[u8]>) -> Line {
        Painter::default().paint(raw.as_ref(), Style::default(), MAX_CELLS, 0)
    }

    fn text(raw: impl AsRef<[u8]>) -> String {
        paint(raw).text
    }

    #[test]
    fn a_return_overwrites_and_erasing_erases() {
        assert_eq!(text("Progress 1%\rProgress 100%"), "Progress 100%");
        assert_eq!(text("longer\rab"), "abnger");
        assert_eq!(text("longer\r\u{1b}[Kab"), "ab");
        assert_eq!(text("abc\u{1b}[2K"), "");
        assert_eq!(text("abcdef\u{8}\u{8}\u{8}\u{1b}[1K"), "    ef");
        assert_eq!(text("line\r"), "line");
    }

    #[test]
    fn backspace_tab_and_movements_stay_in_the_line() {
        assert_eq!(text("abc\u{8}\u{8}X"), "aXc");
        assert_eq!(text("\u{8}\u{8}X"), "X");
        assert_eq!(text("a\tb\tc"), "a       b       c");
        assert_eq!(text("ok\u{1b}[10G[done]"), "ok       [done]");
        assert_eq!(text("abc\u{1b}[2DX\u{1b}[2CY"), "aXc Y");
    }

    #[test]
    fn invalid_bytes_and_bidi_controls_show_as_replacements() {
        assert_eq!(
            text(b"a\xffb\xc3(c\xe2\x82"),
            "a\u{fffd}b\u{fffd}(c\u{fffd}"
        );
        assert_eq!(
            text("a\u{202e}b\u{2066}c\u{200f}d\u{2028}e"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e"
        );
        assert_eq!(text("a\u{0}\u{7}\u{7f}\u{85}b\u{9b}31mc"), "ab31mc");
        assert_eq!(text("é ✓ 😀 नि"), "é ✓ 😀 नि");
    }

    #[test]
    fn colours_become_runs_in_utf_16_units() {
        let line = paint("a\u{1b}[1;31m😀b\u{1b}[0mc");
        let red = Style {
            fg: 1 << 24 | 1,
            flags: Style::BOLD,
            ..Style::default()
        };
        assert_eq!(
            line.runs,
            [(1, Style::default()), (3, red), (1, Style::default())]
        );
        assert_eq!(line.text, "a😀bc");
    }

    #[test]
    fn nothing_of_a_title_or_a_link_reaches_the_page() {
        assert_eq!(
            text("\u{1b}]0;evil\u{7}a\u{1b}]8;;http://evil\u{1b}\\b\u{1b}Pevil\u{1b}\\c"),
            "abc"
        );
    }

    #[test]
    fn a_line_of_4096_cells_is_whole_and_a_longer_one_ends_in_dots() {
        assert_eq!(text("x".repeat(MAX_CELLS)), "x".repeat(MAX_CELLS));
        let cut = text("x".repeat(MAX_CELLS + 1));
        assert_eq!(cut, format!("{}…", "x".repeat(MAX_CELLS - 1)));
        assert_eq!(text("😀".repeat(60_000)).chars().count(), MAX_CELLS);
        assert_eq!(text(vec![0xff; 60_000]).chars().count(), MAX_CELLS);
    }

    #[test]
    fn far_jumps_and_erasing_cost_no_more_than_letters() {
        for attack in [
            "\u{1b}[4000GX\u{1b}[2K",
            "\u{1b}[4000GX\u{1b}[1K",
            "\u{1b}[9999CX\u{1b}[2K\r",
        ] {
            let raw = attack.repeat(4_000);
            let mut painter = Painter::default();
            painter.paint(raw.as_bytes(), Style::default(), MAX_CELLS, 0);
            assert!(
                painter.work() <= 256 + 9 * raw.len() as u64,
                "{attack:?}: {}",
                painter.work()
            );
            assert!(painter.cells.len() <= MAX_CELLS);
        }
        let mut painter = Painter::default();
        let line = painter.paint(b"\x1b[4000GX", Style::default(), MAX_CELLS, 0);
        assert_eq!(line.text, "X");
    }
}
