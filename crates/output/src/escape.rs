//! Where an escape sequence ends (ECMA-48), one byte at a time.
//!
//! Splitting into lines and painting share this machine, so they can never disagree on
//! which bytes are text. The caller resets it at every `\r` and `\n`: a sequence that was
//! never ended hides the rest of one line at most.

const ESC: u8 = 0x1b;
const BEL: u8 = 7;
/// Parameters longer than this belong to no sequence that we know; they are skipped.
const MAX_PARAMS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    /// Behind ESC.
    Start,
    /// Behind ESC [.
    Csi,
    /// Behind ESC and an intermediate byte, as in `ESC ( B`.
    Short,
    /// In a string: OSC (`bell` ends it too), DCS, SOS, PM, APC.
    String { bell: bool },
    /// Behind an ESC in a string.
    StringEscape,
}

/// What became of a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It belongs to a sequence.
    Eaten,
    /// It is the final byte of a `CSI` sequence, see [`Escapes::params`].
    Csi(u8),
    /// It belongs to no sequence: treat it as text.
    No,
}

/// The state between two bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Escapes {
    state: State,
    params: Vec<u8>,
}

impl Escapes {
    /// Whether the next byte is text, so that nothing needs to be pushed unless it is ESC.
    pub fn in_text(&self) -> bool {
        self.state == State::Text
    }

    /// Forgets an open sequence.
    pub fn reset(&mut self) {
        self.state = State::Text;
    }

    /// Between `CSI` and its final byte.
    pub fn params(&self) -> &[u8] {
        if self.params.len() > MAX_PARAMS {
            b"?"
        } else {
            &self.params
        }
    }

    /// Takes the next byte.
    pub fn push(&mut self, byte: u8) -> Taken {
        match self.state {
            State::Text if byte == ESC => self.go(State::Start),
            State::Text => Taken::No,
            State::Csi => self.csi(byte),
            State::Short => match byte {
                0x20..=0x2f => Taken::Eaten,
                0x30..=0x7e => self.go(State::Text),
                _ => self.leave(byte),
            },
            State::String { bell } => match byte {
                BEL if bell => self.go(State::Text),
                0x18 | 0x1a => self.go(State::Text),
                ESC => self.go(State::StringEscape),
                _ => Taken::Eaten,
            },
            State::StringEscape if byte == b'\\' => self.go(State::Text),
            State::Start | State::StringEscape => self.start(byte),
        }
    }

    fn start(&mut self, byte: u8) -> Taken {
        match byte {
            b'[' => {
                self.params.clear();
                self.go(State::Csi)
            }
            b']' => self.go(State::String { bell: true }),
            b'P' | b'X' | b'^' | b'_' => self.go(State::String { bell: false }),
            0x20..=0x2f => self.go(State::Short),
            0x30..=0x7e => self.go(State::Text),
            _ => self.leave(byte),
        }
    }

    fn csi(&mut self, byte: u8) -> Taken {
        match byte {
            0x20..=0x3f => {
                if self.params.len() <= MAX_PARAMS {
                    self.params.push(byte);
                }
                Taken::Eaten
            }
            0x40..=0x7e => {
                self.state = State::Text;
                Taken::Csi(byte)
            }
            _ => self.leave(byte),
        }
    }

    /// A byte that ends a sequence without belonging to it; a new ESC begins the next.
    fn leave(&mut self, byte: u8) -> Taken {
        if byte == ESC {
            return self.go(State::Start);
        }
        self.state = State::Text;
        Taken::No
    }

    fn go(&mut self, state: State) -> Taken {
        self.state = state;
        Taken::Eaten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that are text.
    fn text(bytes: &[u8]) -> String {
        let mut escapes = Escapes::default();
        let kept = bytes
            .iter()
            .filter(|b| escapes.push(**b) == Taken::No)
            .copied()
            .collect();
        String::from_utf8(kept).expect("UTF-8")
    }

    #[test]
    fn sequences_of_every_kind_are_not_text() {
        assert_eq!(text(b"a\x1b[1;31mb"), "ab");
        assert_eq!(text(b"a\x1b(Bb\x1b7c\x1b=d"), "abcd");
        assert_eq!(text(b"a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c"), "abc");
        assert_eq!(
            text(b"a\x1bPq\x07#\x1b\\b\x1b_x\x1b\\c\x1b^x\x1b\\d\x1bXx\x1b\\e"),
            "abcde"
        );
    }

    #[test]
    fn a_sequence_that_breaks_off_loses_only_itself() {
        assert_eq!(text(b"a\x1b[1;\x1b[2mb"), "ab");
        assert_eq!(text(b"a\x1b]0;title\x1b[1mb"), "ab");
        assert_eq!(text("a\u{1b}[1é".as_bytes()), "aé");
        assert_eq!(text(b"a\x1b"), "a");
    }

    #[test]
    fn endless_parameters_are_skipped_and_mean_nothing() {
        let mut escapes = Escapes::default();
        for byte in [b"\x1b[".as_slice(), &b"1;".repeat(10_000)].concat() {
            assert_eq!(escapes.push(byte), Taken::Eaten);
        }
        assert_eq!(escapes.push(b'm'), Taken::Csi(b'm'));
        assert_eq!(escapes.params(), b"?");
        assert!(escapes.params.len() <= MAX_PARAMS + 1);
    }
}
