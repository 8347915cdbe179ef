//! A body that comes in chunks (RFC 9112, 7.1).

use super::octets::{is_value, refusal_of};
use super::trailers::Trailers;
use super::{Refusal, Then, Verdict};

/// Most digits of a chunk's size: 4 GiB, far more than any body may have.
const MOST_DIGITS: u8 = 8;
/// Most bytes of one chunk's extensions. Nobody uses any.
const LARGEST_EXTENSION: u16 = 128;
/// Most bytes of the extensions of one body.
const ALL_EXTENSIONS: u16 = 1024;

#[derive(Debug, Default, Clone, Copy)]
enum At {
    #[default]
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
}

/// Such a body that is read.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    at: At,
    /// Of the size of this chunk.
    digits: u8,
    /// Bytes of this chunk that are still to come.
    left: u64,
    /// Bytes of this chunk's extensions.
    extension: u16,
    /// Of those of all chunks.
    extensions: u16,
    trailers: Trailers,
}

impl Chunked {
    /// Goes on with what came next.
    pub fn advance(&mut self, bytes: &[u8]) -> Verdict {
        let mut pass = 0;
        while let Some(byte) = bytes.get(pass) {
            if matches!(self.at, At::Data) {
                pass += self.skip(bytes.len() - pass);
                continue;
            }
            match self.take(*byte) {
                Ok(is_whole) => {
                    pass += 1;
                    if is_whole {
                        let then = Then::Whole;
                        return Verdict { pass, then };
                    }
                }
                Err(refusal) => {
                    let then = Then::Refused(refusal);
                    return Verdict { pass, then };
                }
            }
        }
        let then = Then::More;
        Verdict { pass, then }
    }

    /// What of so many bytes is data.
    fn skip(&mut self, here: usize) -> usize {
        let data = usize::try_from(self.left).map_or(here, |left| left.min(here));
        self.left -= data as u64;
        if self.left == 0 {
            self.at = At::DataCr;
        }
        data
    }

    /// A byte that is not data; true for the last one of the body.
    fn take(&mut self, byte: u8) -> Result<bool, Refusal> {
        self.at = match self.at {
            At::Size => self.size(byte)?,
            At::Extension => self.extension(byte)?,
            At::SizeLf => {
                expect(b'\n', byte)?;
                self.begin()
            }
            At::DataCr => {
                expect(b'\r', byte)?;
                At::DataLf
            }
            At::DataLf => {
                expect(b'\n', byte)?;
                (self.digits, self.extension) = (0, 0);
                At::Size
            }
            At::Data | At::Trailers => return self.trailers.take(byte),
        };
        Ok(false)
    }

    fn size(&mut self, byte: u8) -> Result<At, Refusal> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if self.digits > 0 => return Ok(At::SizeLf),
            b';' if self.digits > 0 => return Ok(At::Extension),
            _ => return Err(refusal_of(byte, "The size of a chunk is no plain number.")),
        };
        if self.digits == MOST_DIGITS {
            return Err(Refusal::bad("The size of a chunk has too many digits."));
        }
        self.digits += 1;
        self.left = self.left * 16 + u64::from(digit);
        Ok(At::Size)
    }

    fn extension(&mut self, byte: u8) -> Result<At, Refusal> {
        if byte == b'\r' {
            return Ok(At::SizeLf);
        }
        if !is_value(byte) {
            return Err(refusal_of(
                byte,
                "The extension of a chunk holds a bad byte.",
            ));
        }
        self.extension += 1;
        self.extensions += 1;
        if self.extension > LARGEST_EXTENSION || self.extensions > ALL_EXTENSIONS {
            return Err(Refusal::bad("The extensions of the chunks are too long."));
        }
        Ok(At::Extension)
    }

    /// The size is known: a chunk of none is the last one.
    fn begin(&self) -> At {
        if self.left == 0 {
            At::Trailers
        } else {
            At::Data
        }
    }
}

fn expect(wanted: u8, byte: u8) -> Result<(), Refusal> {
    if byte == wanted {
        Ok(())
    } else {
        Err(Refusal::bad("A chunk does not end where it said."))
    }
}
