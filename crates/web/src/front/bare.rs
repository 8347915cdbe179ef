//! Answers that are written below HTTP, where there is no router and no hyper: the connection ends
//! with them.

use http::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// What is said.
pub(super) struct Bare<'a> {
    pub status: StatusCode,
    /// The value of `Content-Type`.
    pub kind: &'a str,
    /// More header lines, each with its end.
    pub lines: &'a str,
    pub body: &'a str,
}

impl<'a> Bare<'a> {
    /// A line of text for people.
    pub fn plain(status: StatusCode, body: &'a str) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            lines: "",
            body,
        }
    }

    /// The head, with the security headers, and an empty line.
    pub fn head(&self, headers: &str) -> String {
        let Self { kind, lines, .. } = self;
        let (code, length) = (self.status.as_u16(), self.body.len());
        let title = self.status.canonical_reason().unwrap_or("Refused");
        let date = date();
        format!(
            "HTTP/1.1 {code} {title}\r\nconnection: close\r\ncontent-type: {kind}\r\n\
             content-length: {length}\r\n{date}{lines}{headers}\r\n"
        )
    }

    /// Head and body.
    pub fn whole(&self, headers: &str) -> String {
        self.head(headers) + self.body
    }
}

/// As hyper writes it on every other answer: by the clock of the machine, for caches, and nothing
/// of ours depends on it. Nothing for a year that the format has no room for.
fn date() -> String {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now());
    text.map_or_else(|_| String::new(), |text| format!("date: {text}\r\n"))
}
