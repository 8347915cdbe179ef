//! What the command line prints. It may tell of texts that somebody else chose (the name of a token,
//! a file, a message), and is read on a terminal, often root's: none of them may steer it.
//!
//! The macros have the names of the standard ones, so that nobody prints past them by habit.

use std::fmt::{self, Display, Write as _};

use stagedoor_domain::plain::PlainLines;

/// Shows nothing but text, tabs and line ends.
pub struct Harmless<'a>(pub fmt::Arguments<'a>);

impl Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PlainLines(f).write_fmt(self.0)
    }
}

macro_rules! println {
    ($($said:tt)*) => {
        std::println!("{}", $crate::terminal::Harmless(format_args!($($said)*)))
    };
}

macro_rules! eprintln {
    ($($said:tt)*) => {
        std::eprintln!("{}", $crate::terminal::Harmless(format_args!($($said)*)))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_keeps_its_lines_and_steers_no_terminal() {
        let name = "x\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\r";
        let shown = Harmless(format_args!("Token {name}:\n\tüber alles")).to_string();
        assert_eq!(
            shown,
            "Token x\\u{1b}]0;owned\\u{7}\\u{9b}31m\\u{202e}\\r:\n\tüber alles"
        );
    }
}
