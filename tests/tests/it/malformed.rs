//! Requests that a strict server refuses, each beside a twin that differs in that one thing and is
//! answered. As bytes, so that they can be sent to the server, through a proxy before it, or to its
//! parser.
//!
//! What must hold, wherever they are sent: what stands behind a bad request in the same connection
//! is never run. The server itself refuses with `status`. A proxy may refuse with another one, or
//! mend the request and pass it on, when `good_status` is right too.

// Named, because the parser's own tests take this file too, from another place.
#[path = "malformed/bodies.rs"]
mod bodies;
#[path = "malformed/heads.rs"]
mod heads;

/// One of them.
pub struct Case {
    /// What is wrong, in a few words.
    pub name: &'static str,
    /// All of the request, with its body.
    pub bad: Vec<u8>,
    /// Of the server's answer to it.
    pub status: u16,
    /// The same, mended.
    pub good: Vec<u8>,
    /// Of the answer to that.
    pub good_status: u16,
}

/// A name, the status, what is wrong, what is right in the same place.
type Row = (&'static str, u16, &'static str, &'static str);

/// All of them; `token` may start the script `hello`.
pub fn cases(token: &str) -> Vec<Case> {
    let mut cases = heads::cases(token);
    cases.extend(bodies::cases(token));
    cases
}

/// A request without a body, of all that stands before its last empty line.
fn head(text: &str) -> Vec<u8> {
    format!("{text}\r\n").into_bytes()
}

/// What starts `hello`, with these fields and this body.
pub fn start(token: &str, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\n{fields}\r\n{body}"
    )
    .into_bytes()
}
