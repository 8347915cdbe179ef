//! A request's head, byte by byte: each byte is looked at once, however the head arrives.

use http::StatusCode;

use super::fields::Fields;
use super::octets::{is_target, is_token, is_value, none, refusal_of};
use super::request_line::RequestLine;
use super::{Asked, Body, Refusal};

/// Most bytes of one line, its end counted.
const LONGEST_LINE: usize = 8 * 1024;
/// Most bytes of a head.
pub(super) const LARGEST_HEAD: usize = 16 * 1024;
/// Most header lines.
const MOST_FIELDS: u8 = 100;

/// What the next byte is expected to be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Method,
    /// The LF of an empty line before the request.
    EmptyLf,
    Target,
    Version,
    RequestLf,
    /// The first byte of a line of a field, or the CR of the last line.
    Line,
    Name,
    Value,
    FieldLf,
    EndLf,
}

/// A head that is read.
#[derive(Debug, Default)]
pub(super) struct Head {
    at: At,
    /// So many bytes were looked at.
    seen: usize,
    /// Where this line begins.
    line: usize,
    /// Where this word of the request line begins, or the value of this field.
    word: usize,
    lines: u8,
    request: RequestLine,
    fields: Fields,
}

impl Head {
    /// What stands in `bytes`, which are all of the head so far; the body's frame once the head is
    /// whole, nothing while it is not.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<Body>, Refusal> {
        loop {
            let next = match self.at {
                At::Method => self.method(bytes)?,
                At::Target => self.target(bytes)?,
                At::Version => self.version(bytes)?,
                At::Line => self.line(bytes)?,
                At::Name => self.name(bytes)?,
                At::Value => self.value(bytes)?,
                At::EmptyLf | At::RequestLf | At::FieldLf => self.end_of_line(bytes)?,
                At::EndLf => match self.lf(bytes)? {
                    Some(()) => return self.fields.conclude(self.request.is_old).map(Some),
                    None => None,
                },
            };
            match next {
                Some(at) => self.at = at,
                None => return Ok(None),
            }
        }
    }

    /// Of a whole head.
    pub fn length(&self) -> usize {
        self.seen
    }

    /// What is known so far.
    pub fn asked(&self) -> Asked {
        self.request.asked()
    }

    fn method(&mut self, bytes: &[u8]) -> Result<Option<At>, Refusal> {
        let Some(byte) = self.run(bytes, is_token)? else {
            return Ok(None);
        };
        let method = self.since(bytes, self.line, 1);
        match byte {
            b' ' if !method.is_empty() => {
                self.request.take_method(method);
                self.word = self.seen;
                Ok(Some(At::Target))
            }
            // RFC 9112, 2.2: old clients send an empty line behind a body.
            b'\r' if self.seen == 1 => Ok(Some(At::EmptyLf)),
            b'\r' if method.is_empty() => {
                Err(Refusal::bad("Empty lines stand before the request."))
            }
            b'\r' => Err(Refusal::bad("The request line has one word only.")),
            _ => Err(refusal_of(byte, "The method is no token.")),
        }
    }

    fn target(&mut self, bytes: &[u8]) -> Result<Option<At>, Refusal> {
        let Some(byte) = self.run(bytes, is_target)? else {
            return Ok(None);
        };
        let target = self.since(bytes, self.word, 1);
        match byte {
            b' ' if !target.is_empty() => {
                self.request.take_target(target);
                self.word = self.seen;
                Ok(Some(At::Version))
            }
            b'\r' => Err(Refusal::bad("The request line ends in no HTTP version.")),
            _ => Err(refusal_of(byte, "The target holds what must be encoded.")),
        }
    }

    fn version(&mut self, bytes: &[u8]) -> Result<Option<At>, Refusal> {
        match self.run(bytes, |byte| byte.is_ascii_graphic())? {
            Some(b'\r') => Ok(Some(At::RequestLf)),
            Some(byte) => Err(refusal_of(
                byte,
                "The request line has more than three words.",
            )),
            None => Ok(None),
        }
    }

    fn line(&mut self, bytes: &[u8]) -> Result<Option<At>, Refusal> {
        let Some(byte) = self.run(bytes, none)? else {
            return Ok(None);
        };
        if byte == b'\r' {
            return Ok(Some(At::EndLf));
        }
        if self.lines == MOST_FIELDS {
            return Err(too_large("The head has more than 100 fields."));
        }
        self.lines += 1;
        match byte {
            b' ' | b'\t' => Err(Refusal::bad("A line of the head begins with white space.")),
            b':' => Err(Refusal::bad("A field has no name.")),
            byte if is_token(byte) => Ok(Some(At::Name)),
            byte => Err(refusal_of(byte, "The name of a field is no token.")),
        }
    }

    fn name(&mut self, bytes: &[u8]) -> Result<Option<At>, Refusal> {
        match self.run(bytes, is_token)? {
            Some(b':') => {
                self.word = self.seen;
                Ok(Some(At::Value))
            }
            Some(b' ' | b'\t') => Err(Refusal::bad("White space stands before a colon.")),
            Some(b'\r') => Err(Refusal::bad("A field has no colon.")),
            Some(byte) => Err(refusal_of(byte, "The name of a field is no token.")),
            None => Ok(None),
        }
    }

    fn value(&mut self, bytes: &[u8]) -> Result<Option<At>, Refusal> {
        match self.run(bytes, is_value)? {
            Some(b'\r') => Ok(Some(At::FieldLf)),
            Some(byte) => Err(refusal_of(byte, "The value of a field holds a bad byte.")),
            None => Ok(None),
        }
    }

    /// A line is whole, so what it says can be judged.
    fn end_of_line(&mut self, bytes: &[u8]) -> Result<Option<At>, Refusal> {
        if self.lf(bytes)?.is_none() {
            return Ok(None);
        }
        let last = self.since(bytes, self.word, 2);
        let next = match self.at {
            At::EmptyLf => At::Method,
            At::RequestLf => {
                self.request.take_version(last)?;
                At::Line
            }
            _ => {
                let name = bytes.get(self.line..self.word - 1).unwrap_or_default();
                self.fields.take(name, last)?;
                At::Line
            }
        };
        self.line = self.seen;
        self.word = self.seen;
        Ok(Some(next))
    }

    fn lf(&mut self, bytes: &[u8]) -> Result<Option<()>, Refusal> {
        match self.run(bytes, none)? {
            Some(b'\n') => Ok(Some(())),
            Some(_) => Err(refusal_of(b'\r', "")),
            None => Ok(None),
        }
    }

    /// Goes over bytes of this set; the first one that is not of it, which is then seen too.
    fn run(&mut self, bytes: &[u8], set: impl Fn(u8) -> bool) -> Result<Option<u8>, Refusal> {
        let end = LARGEST_HEAD.min(self.line + LONGEST_LINE);
        let rest = bytes
            .get(self.seen..bytes.len().min(end))
            .unwrap_or_default();
        for (at, byte) in rest.iter().enumerate() {
            if !set(*byte) {
                self.seen += at + 1;
                return Ok(Some(*byte));
            }
        }
        self.seen += rest.len();
        if self.seen < end {
            return Ok(None);
        }
        Err(match self.at {
            At::Method | At::EmptyLf | At::Target | At::Version | At::RequestLf => Refusal::new(
                StatusCode::URI_TOO_LONG,
                "The request line is longer than 8 KiB.",
            ),
            _ if self.seen < LARGEST_HEAD => too_large("A field is longer than 8 KiB."),
            _ => too_large("The head is larger than 16 KiB."),
        })
    }

    /// What was seen from there, but for the last `but` bytes.
    fn since<'a>(&self, bytes: &'a [u8], from: usize, but: usize) -> &'a [u8] {
        bytes.get(from..self.seen - but).unwrap_or_default()
    }
}

const fn too_large(reason: &'static str) -> Refusal {
    Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
}
