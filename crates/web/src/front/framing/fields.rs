//! The fields that say where a request ends and whom it is for. Each may stand once, in one
//! spelling; what all the others say is not looked at here.

use http::StatusCode;

use super::chunked::Chunked;
use super::octets::{is_authority, is_token};
use super::{Body, Refusal};

/// Most digits of a Content-Length: any such number fits.
const MOST_DIGITS: usize = 19;

/// What a head has said so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
    expects: bool,
}

impl Fields {
    /// One field: its name, and everything behind the colon.
    pub fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"host") => self.host(value),
            6 if is(b"expect") => self.expect(value),
            14 if is(b"content-length") => self.length(value),
            17 if is(b"transfer-encoding") => self.coding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(Refusal::bad("The request must have one Host."));
        }
        if is_authority(trimmed(value)) {
            Ok(())
        } else {
            Err(Refusal::bad("The request's Host is no name of a server."))
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let is_second = std::mem::replace(&mut self.expects, true);
        if !is_second && trimmed(value).eq_ignore_ascii_case(b"100-continue") {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::EXPECTATION_FAILED,
            "This server knows no expectation but 100-continue.",
        ))
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let digits = strictly(value);
        let is_plain = digits.iter().all(u8::is_ascii_digit)
            && (1..=MOST_DIGITS).contains(&digits.len())
            && (digits.len() == 1 || !digits.starts_with(b"0"));
        if !is_plain {
            return Err(Refusal::bad(
                "The request's Content-Length is no plain number.",
            ));
        }
        let add = |sum: u64, digit: &u8| sum * 10 + u64::from(digit - b'0');
        match self.length.replace(digits.iter().fold(0, add)) {
            Some(_) => Err(Refusal::bad("The request has two Content-Length.")),
            None => Ok(()),
        }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if std::mem::replace(&mut self.is_chunked, true) {
            return Err(Refusal::bad("The request has two Transfer-Encoding."));
        }
        let codings = strictly(value);
        if codings.eq_ignore_ascii_case(b"chunked") {
            return Ok(());
        }
        // Whether the last of them is `chunked` or not, no other one is known here.
        let mut rest = codings.split(|byte| *byte == b',').map(trimmed).peekable();
        while let Some(coding) = rest.next() {
            let is = |known: &[u8]| coding.eq_ignore_ascii_case(known);
            let is_good = !coding.is_empty() && coding.iter().all(|byte| is_token(*byte));
            if !is_good || is(b"identity") || (is(b"chunked") && rest.peek().is_some()) {
                return Err(Refusal::bad(
                    "The request's Transfer-Encoding is a bad one.",
                ));
            }
        }
        if codings.starts_with(b" ") || codings.ends_with(b" ") || codings.contains(&b'\t') {
            return Err(Refusal::bad(
                "The request's Transfer-Encoding is a bad one.",
            ));
        }
        Err(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "This server knows no Transfer-Encoding but chunked.",
        ))
    }

    /// The head is whole.
    pub fn conclude(&self, is_old: bool) -> Result<Body, Refusal> {
        if !self.has_host {
            return Err(Refusal::bad("The request must have one Host."));
        }
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(Refusal::bad(
                "The request has both Content-Length and Transfer-Encoding.",
            )),
            (true, None) if is_old => Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding.")),
            (true, None) => Ok(Body::Chunked(Chunked::default())),
            (false, length) => Ok(Body::Length(length.unwrap_or(0))),
        }
    }
}

/// Without white space around it.
fn trimmed(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    value.trim_ascii_end()
}

/// What frames a body has one spelling: one blank before it or none, and none behind it. White
/// space elsewhere is what parsers disagree about, and nobody needs it.
fn strictly(value: &[u8]) -> &[u8] {
    value.strip_prefix(b" ").unwrap_or(value)
}
