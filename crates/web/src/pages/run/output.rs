//! The last lines of a run's output, for a page that is made on the server.

use std::io;

use stagedoor_output::{Line, Selection, Style, View};

/// Lines on the page; page scripts load the others.
const LAST: usize = 200;

/// The end of the output.
#[derive(Debug, Default)]
pub(in crate::pages) struct Shown {
    /// Its last lines.
    pub rows: Vec<Row>,
    /// Lines before them.
    pub above: u64,
}

/// A line on the page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::pages) struct Row {
    /// From 1.
    pub number: u64,
    /// From standard error.
    pub is_error: bool,
    /// Its pieces.
    pub spans: Vec<Piece>,
}

/// A piece of a line; plain ones have no class.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pages) struct Piece {
    /// Classes of the style sheet.
    pub class: String,
    /// To escape.
    pub text: String,
}

/// Reads them; may block on the disk.
pub(super) fn last_lines(view: &View) -> io::Result<Shown> {
    let lines = view.tail(Selection::Both, LAST)?;
    let rows: Vec<Row> = (lines.from..)
        .zip(&lines.lines)
        .map(|(at, line)| row(at + 1, line))
        .collect();
    Ok(Shown {
        rows,
        above: lines.from,
    })
}

fn row(number: u64, line: &Line) -> Row {
    let mut row = Row {
        number,
        ..Row::default()
    };
    for span in line.spans().filter(|span| !span.text.is_empty()) {
        row.is_error |= span.style.flags & Style::STDERR != 0;
        row.spans.push(Piece {
            class: class(span.style),
            text: span.text.to_owned(),
        });
    }
    row
}

/// The same classes as page scripts use.
fn class(style: Style) -> String {
    const FLAGS: [(u16, &str); 8] = [
        (Style::BOLD, "b"),
        (Style::DIM, "d"),
        (Style::ITALIC, "i"),
        (Style::UNDERLINE, "u"),
        (Style::INVERSE, "v"),
        (Style::STRIKE, "s"),
        (Style::BLINK, "k"),
        (Style::HIDE, "h"),
    ];
    let colours = [colour('f', style.fg), colour('g', style.bg)]
        .into_iter()
        .flatten();
    let flags = FLAGS
        .iter()
        .filter(|(bit, _)| style.flags & bit != 0)
        .map(|(_, name)| (*name).to_owned());
    colours.chain(flags).collect::<Vec<_>>().join(" ")
}

fn colour(letter: char, colour: u32) -> Option<String> {
    match colour >> 24 {
        1 => Some(format!("{letter}{}", colour & 0xff)),
        2 => Some(format!("{letter}{}", nearest(colour))),
        _ => None,
    }
}

/// The nearest of the 256 colours to a true one, which a page without scripts cannot show: styles
/// of single elements are forbidden.
fn nearest(rgb: u32) -> u32 {
    const STEPS: [u32; 6] = [0, 95, 135, 175, 215, 255];
    let parts = [rgb >> 16 & 0xff, rgb >> 8 & 0xff, rgb & 0xff];
    let step = |part: u32| {
        let near = STEPS
            .iter()
            .zip(0_u32..)
            .min_by_key(|(step, _)| step.abs_diff(part));
        near.map_or((0, 0), |(step, at)| (at, *step))
    };
    let [(r, red), (g, green), (b, blue)] = parts.map(step);
    let grey = (parts.iter().sum::<u32>() / 3).saturating_sub(3) / 10;
    let grey = grey.min(23);
    let level = 8 + 10 * grey;
    let distance = |other: [u32; 3]| -> u32 {
        parts
            .iter()
            .zip(other)
            .map(|(part, other)| part.abs_diff(other).pow(2))
            .sum()
    };
    if distance([level; 3]) < distance([red, green, blue]) {
        232 + grey
    } else {
        16 + 36 * r + 6 * g + b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_colour_becomes_the_nearest_of_256() {
        assert_eq!(nearest(0x00_0000), 16);
        assert_eq!(nearest(0xff_ffff), 231);
        assert_eq!(nearest(0xff_0000), 196);
        assert_eq!(nearest(0x80_8080), 244);
        assert_eq!(nearest(0x5f_87af), 67);
    }

    #[test]
    fn a_style_becomes_classes() {
        let style = Style {
            fg: 1 << 24 | 9,
            bg: 2 << 24,
            flags: Style::BOLD | Style::STDERR,
        };
        assert_eq!(class(style), "f9 g16 b");
        assert_eq!(class(Style::default()), "");
    }
}
