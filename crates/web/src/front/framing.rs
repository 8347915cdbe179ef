//! Where one HTTP/1.1 request ends and the next begins, decided strictly and by bytes alone.
//!
//! Two programs that disagree about this let one request be smuggled behind another. So what
//! could be read in two ways is refused here, before hyper sees a byte of it. Nothing in here
//! reads or writes; the verdict depends on the bytes and not on how they were cut into pieces.
//!
//! | file | subject |
//! |---|---|
//! | `head` | from the request line to the empty line |
//! | `request_line` | method, target and version |
//! | `fields` | the header fields that frame a request |
//! | `chunked`, `trailers` | a body that comes in chunks |
//! | `octets` | sets of bytes |

mod chunked;
mod fields;
mod head;
mod octets;
mod request_line;
mod trailers;

use std::fmt;

use http::StatusCode;

use chunked::Chunked;
use head::Head;

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Of the answer.
    pub status: StatusCode,
    /// One sentence for the client and the log, without quotes and control characters.
    pub reason: &'static str,
}

impl Refusal {
    const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }

    /// 400.
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// 408: the rest of the head did not come.
    pub(super) const fn late() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "The head of the request did not arrive in time.",
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.reason)
    }
}

/// What is known of the request that is read, for an answer to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// The answer has no body.
    pub is_head: bool,
    /// The target lies below `/api/`, as far as can be told without the base path.
    pub is_api: bool,
}

/// What may be done with the bytes that were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// So many of them, from the first, are good and belong to the request.
    pub pass: usize,
    /// And then?
    pub then: Then,
}

/// What follows the bytes that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The request goes on.
    More,
    /// The request is whole: the next byte begins another one.
    Whole,
    /// The next byte, or that nothing follows it, may not be.
    Refused(Refusal),
}

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    stage: Stage,
    asked: Asked,
}

#[derive(Debug)]
enum Stage {
    Head(Head),
    Body(Body),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// What a head says about the body behind it.
#[derive(Debug)]
enum Body {
    /// So many bytes are left.
    Length(u64),
    Chunked(Chunked),
}

impl Framing {
    /// Looks at `bytes`, which begin where the last verdict stopped. While a head is not whole it
    /// passes nothing, and is shown the same bytes again with more behind them; it goes on where
    /// it was. Not to be asked again after a refusal.
    pub fn follow(&mut self, bytes: &[u8]) -> Verdict {
        let mut pass = 0;
        if let Stage::Head(head) = &mut self.stage {
            let found = head.advance(bytes);
            self.asked = head.asked();
            match found {
                Ok(Some(body)) => {
                    pass = head.length();
                    self.stage = Stage::Body(body);
                }
                Ok(None) => {
                    let then = Then::More;
                    return Verdict { pass, then };
                }
                Err(refusal) => {
                    let then = Then::Refused(refusal);
                    return Verdict { pass, then };
                }
            }
        }
        let rest = bytes.get(pass..).unwrap_or_default();
        let body = self.follow_body(rest);
        if body.then == Then::Whole {
            self.stage = Stage::default();
        }
        Verdict {
            pass: pass + body.pass,
            then: body.then,
        }
    }

    fn follow_body(&mut self, bytes: &[u8]) -> Verdict {
        match &mut self.stage {
            Stage::Body(Body::Length(left)) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX);
                let pass = here.min(bytes.len());
                *left -= pass as u64;
                let then = if *left == 0 { Then::Whole } else { Then::More };
                Verdict { pass, then }
            }
            Stage::Body(Body::Chunked(chunked)) => chunked.advance(bytes),
            Stage::Head(_) => Verdict {
                pass: 0,
                then: Then::More,
            },
        }
    }

    /// What is known of the request that is read.
    pub fn asked(&self) -> Asked {
        self.asked
    }
}

#[cfg(test)]
pub(super) mod tests;
