//! How a cell looks, and the `CSI … m` sequences (ECMA-48 SGR) that change it.

/// Colours and flags of a piece of text.
///
/// A colour is 0 for the default, `1 << 24 | index` for one of the 256 of the palette,
/// `2 << 24 | rgb` for a true colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Style {
    /// Colour of the text.
    pub fg: u32,
    /// Colour behind the text.
    pub bg: u32,
    /// Sum of the constants of this type.
    pub flags: u16,
}

impl Style {
    /// Bold.
    pub const BOLD: u16 = 1;
    /// Dim.
    pub const DIM: u16 = 2;
    /// Italic.
    pub const ITALIC: u16 = 4;
    /// Underlined.
    pub const UNDERLINE: u16 = 8;
    /// Text and background exchanged.
    pub const INVERSE: u16 = 16;
    /// Struck through.
    pub const STRIKE: u16 = 32;
    /// Blinking.
    pub const BLINK: u16 = 64;
    /// Hidden.
    pub const HIDE: u16 = 128;
    /// The line is from standard error; set only where both streams are shown.
    pub const STDERR: u16 = 256;

    /// Applies the parameters of one `CSI … m`. Private forms (`CSI > 4 m`) change nothing.
    pub(crate) fn apply(&mut self, params: &[u8]) {
        if !params
            .iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b';' | b':'))
        {
            return;
        }
        let mut codes = params.split(|b| *b == b';');
        while let Some(code) = codes.next() {
            let mut parts = code.split(|b| *b == b':').map(number);
            match parts.next().unwrap_or(0) {
                kind @ (38 | 48 | 58) => {
                    let colour = if code.contains(&b':') {
                        colour_of_parts(&parts.take(8).collect::<Vec<_>>())
                    } else {
                        colour_of_codes(&mut codes.by_ref().map(number))
                    };
                    self.paint(kind, colour);
                }
                4 if parts.next() == Some(0) => self.flags &= !Self::UNDERLINE,
                code => self.apply_code(code),
            }
        }
    }

    fn paint(&mut self, kind: u32, colour: Option<u32>) {
        match (kind, colour) {
            (38, Some(colour)) => self.fg = colour,
            (48, Some(colour)) => self.bg = colour,
            // 58 colours the underline, which we do not show.
            _ => {}
        }
    }

    fn apply_code(&mut self, code: u32) {
        match code {
            0 => *self = Self::default(),
            1 => self.flags |= Self::BOLD,
            2 => self.flags |= Self::DIM,
            3 => self.flags |= Self::ITALIC,
            4 | 21 => self.flags |= Self::UNDERLINE,
            5 | 6 => self.flags |= Self::BLINK,
            7 => self.flags |= Self::INVERSE,
            8 => self.flags |= Self::HIDE,
            9 => self.flags |= Self::STRIKE,
            22 => self.flags &= !(Self::BOLD | Self::DIM),
            23 => self.flags &= !Self::ITALIC,
            24 => self.flags &= !Self::UNDERLINE,
            25 => self.flags &= !Self::BLINK,
            27 => self.flags &= !Self::INVERSE,
            28 => self.flags &= !Self::HIDE,
            29 => self.flags &= !Self::STRIKE,
            30..=37 => self.fg = palette(code - 30),
            39 => self.fg = 0,
            40..=47 => self.bg = palette(code - 40),
            49 => self.bg = 0,
            90..=97 => self.fg = palette(code - 90 + 8),
            100..=107 => self.bg = palette(code - 100 + 8),
            _ => {}
        }
    }
}

/// A decimal number; nothing is 0, and large ones stop growing.
pub(crate) fn number(digits: &[u8]) -> u32 {
    digits
        .iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0, |value: u32, digit| {
            (value * 10 + u32::from(digit - b'0')).min(99_999)
        })
}

fn palette(index: u32) -> u32 {
    1 << 24 | index.min(255)
}

fn rgb(red: u32, green: u32, blue: u32) -> u32 {
    2 << 24 | red.min(255) << 16 | green.min(255) << 8 | blue.min(255)
}

/// `38:5:n`, `38:2:r:g:b`, and with a colour space `38:2::r:g:b` (ITU-T T.416).
fn colour_of_parts(parts: &[u32]) -> Option<u32> {
    match parts {
        [5, index, ..] => Some(palette(*index)),
        [2, red, green, blue] | [2, _, red, green, blue, ..] => Some(rgb(*red, *green, *blue)),
        _ => None,
    }
}

/// `38;5;n` and `38;2;r;g;b`, as most programs write them.
fn colour_of_codes(codes: &mut dyn Iterator<Item = u32>) -> Option<u32> {
    match codes.next()? {
        5 => codes.next().map(palette),
        2 => {
            let mut part = || codes.next().unwrap_or(0);
            Some(rgb(part(), part(), part()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(params: &str) -> Style {
        let mut style = Style::default();
        style.apply(params.as_bytes());
        style
    }

    #[test]
    fn colours_of_all_three_kinds_are_understood() {
        assert_eq!(after("31").fg, 1 << 24 | 1);
        assert_eq!(after("97").fg, 1 << 24 | 15);
        assert_eq!(after("48;5;200").bg, 1 << 24 | 0xc8);
        assert_eq!(after("38;2;1;2;3").fg, 2 << 24 | 0x01_02_03);
        assert_eq!(after("38:2:1:2:3"), after("38:2::1:2:3"));
        assert_eq!(after("38:5:9").fg, 1 << 24 | 9);
    }

    #[test]
    fn a_reset_takes_all_back_and_an_empty_one_too() {
        assert_eq!(after("1;31;44;0"), Style::default());
        assert_eq!(after("1;31;"), Style::default());
        assert_eq!(after(""), Style::default());
        assert_eq!(after("1;22;4;24;7;27"), Style::default());
    }

    #[test]
    fn codes_after_a_colour_still_count() {
        let style = after("38;5;9;1");
        assert_eq!((style.fg, style.flags), (1 << 24 | 9, Style::BOLD));
        assert_eq!(
            after("58;5;9;1"),
            Style {
                flags: Style::BOLD,
                ..Style::default()
            }
        );
    }

    #[test]
    fn private_and_broken_sequences_change_nothing() {
        for params in [
            ">4;1",
            "?1",
            "1 ",
            "38",
            "38;5",
            "38;9",
            "38:2",
            "9999999999999999",
        ] {
            assert_eq!(after(params), Style::default(), "{params:?}");
        }
    }

    #[test]
    fn an_underline_may_have_a_form_and_form_0_is_none() {
        assert_eq!(after("4:3").flags, Style::UNDERLINE);
        assert_eq!(after("4;4:0").flags, 0);
    }
}
