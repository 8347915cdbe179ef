//! What the command line prints. It may tell of texts that somebody else chose (the name of a token,
//! a file, a message), and is read on a terminal, often root's: none of them may steer it.
//!
//! Nor may a reader who goes away end a command before it is done: what nobody reads is not said, and the
//! command goes on.
//!
//! The macros have the names of the standard ones, so that nobody prints past them by habit.

use std::fmt::{self, Display, Write as _};
use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

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
        $crate::terminal::say(format_args!($($said)*))
    };
}

macro_rules! eprintln {
    ($($said:tt)*) => {
        $crate::terminal::say_aside(format_args!($($said)*))
    };
}

/// Something was not written although somebody may read it: the disk is full, say.
static IS_CUT: AtomicBool = AtomicBool::new(false);

/// One line on standard output.
pub fn say(said: fmt::Arguments<'_>) {
    note(writeln!(io::stdout().lock(), "{}", Harmless(said)));
}

/// One line on standard error.
pub fn say_aside(said: fmt::Arguments<'_>) {
    // There is no other place where that could be told.
    let _ = writeln!(io::stderr().lock(), "{}", Harmless(said));
}

fn note(written: io::Result<()>) {
    if written.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe) {
        IS_CUT.store(true, Ordering::Relaxed);
    }
}

/// Whether all that was said on standard output could be written, as far as somebody reads it.
pub fn all_is_said() -> bool {
    note(io::stdout().lock().flush());
    !IS_CUT.load(Ordering::Relaxed)
}

/// Whether this is only that nobody reads any more.
pub fn is_unread(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| {
        let error = cause.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    })
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
