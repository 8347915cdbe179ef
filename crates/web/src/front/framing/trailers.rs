//! The fields behind a chunked body. Nothing here reads them; those that would change the meaning
//! of the request if they were taken for its head are refused (RFC 9110, 6.5.1).

use super::Refusal;
use super::octets::{is_token, is_value, refusal_of};

/// Most bytes of all of them.
const LARGEST: u16 = 1024;
/// Most of them.
const MOST: u8 = 16;
/// No name that is refused is longer.
const LONGEST_NAME: usize = 32;

/// Refused by name: framing, routing, who asks, and how it is to be done.
const NEVER: [&[u8]; 24] = [
    b"age",
    b"authorization",
    b"cache-control",
    b"connection",
    b"cookie",
    b"date",
    b"expect",
    b"forwarded",
    b"host",
    b"idempotency-key",
    b"keep-alive",
    b"max-forwards",
    b"origin",
    b"pragma",
    b"range",
    b"referer",
    b"set-cookie",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"user-agent",
    b"via",
    b"x-real-ip",
];
/// Refused by how the name begins.
const NEVER_BEGINS: [&[u8]; 9] = [
    b"accept",
    b"access-control-",
    b"content-",
    b"if-",
    b"proxy-",
    b"sec-",
    b"www-",
    b"x-forwarded-",
    b"x-http-method",
];

#[derive(Debug, Default, Clone, Copy)]
enum At {
    #[default]
    Line,
    Name,
    Value,
    Lf,
    EndLf,
}

/// Those of one body.
#[derive(Debug, Default)]
pub(super) struct Trailers {
    at: At,
    bytes: u16,
    lines: u8,
    /// In lower case, cut.
    name: [u8; LONGEST_NAME],
    length: usize,
}

impl Trailers {
    /// One more byte; true for the last one.
    pub fn take(&mut self, byte: u8) -> Result<bool, Refusal> {
        self.bytes += 1;
        if self.bytes > LARGEST {
            return Err(Refusal::bad("The trailers are too large."));
        }
        self.at = match self.at {
            At::Line => self.line(byte)?,
            At::Name => self.name(byte)?,
            At::Value => match byte {
                b'\r' => At::Lf,
                byte if is_value(byte) => At::Value,
                byte => return Err(refusal_of(byte, "A trailer holds a bad byte.")),
            },
            At::Lf | At::EndLf if byte != b'\n' => return Err(refusal_of(b'\r', "")),
            At::Lf => At::Line,
            At::EndLf => return Ok(true),
        };
        Ok(false)
    }

    fn line(&mut self, byte: u8) -> Result<At, Refusal> {
        if byte == b'\r' {
            return Ok(At::EndLf);
        }
        self.lines += 1;
        if self.lines > MOST {
            return Err(Refusal::bad("There are too many trailers."));
        }
        self.length = 0;
        if byte == b':' {
            return Err(Refusal::bad("A trailer has no name."));
        }
        self.name(byte)
    }

    fn name(&mut self, byte: u8) -> Result<At, Refusal> {
        if byte == b':' {
            return if self.is_forbidden() {
                Err(Refusal::bad(
                    "A trailer has a name that only a head may have.",
                ))
            } else {
                Ok(At::Value)
            };
        }
        if !is_token(byte) {
            return Err(refusal_of(byte, "The name of a trailer is no token."));
        }
        if let Some(place) = self.name.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
        }
        self.length += 1;
        Ok(At::Name)
    }

    fn is_forbidden(&self) -> bool {
        let name = self.name.get(..self.length).unwrap_or(&self.name);
        NEVER.contains(&name) || NEVER_BEGINS.iter().any(|begin| name.starts_with(begin))
    }
}
