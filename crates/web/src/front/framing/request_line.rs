//! The first line: method, target and version, each kept as far as framing needs it.

use http::StatusCode;

use super::octets::is_authority;
use super::{Asked, Refusal};

/// What the first line says.
#[derive(Debug, Default)]
pub(super) struct RequestLine {
    method: Method,
    target: Target,
    /// HTTP/1.0: it knows no Transfer-Encoding.
    pub is_old: bool,
    asked: Asked,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Method {
    Head,
    Options,
    /// CONNECT and TRACE, which no address of ours takes.
    Never,
    #[default]
    Other,
}

/// RFC 9112, 3.2.
#[derive(Debug, Default, PartialEq, Eq)]
enum Target {
    /// A path, with or without scheme and host.
    Path,
    Asterisk,
    #[default]
    Bad,
}

impl RequestLine {
    /// A token.
    pub fn take_method(&mut self, method: &[u8]) {
        self.method = match method {
            b"HEAD" => Method::Head,
            b"OPTIONS" => Method::Options,
            b"CONNECT" | b"TRACE" => Method::Never,
            _ => Method::Other,
        };
        self.asked.is_head = self.method == Method::Head;
    }

    /// Visible ASCII without blanks.
    pub fn take_target(&mut self, target: &[u8]) {
        let path = match target {
            b"*" => {
                self.target = Target::Asterisk;
                return;
            }
            [b'/', ..] => Some(target),
            _ => path_of(target),
        };
        self.target = path.map_or(Target::Bad, |_| Target::Path);
        self.asked.is_api = path.is_some_and(is_api);
    }

    /// The last word of the line; the verdict on all of it.
    pub fn take_version(&mut self, version: &[u8]) -> Result<(), Refusal> {
        match version {
            b"HTTP/1.1" => {}
            b"HTTP/1.0" => self.is_old = true,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Refusal::new(
                    StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                    "This server speaks HTTP/1.1 and HTTP/1.0 here.",
                ));
            }
            _ => return Err(Refusal::bad("The request line ends in no HTTP version.")),
        }
        if self.method == Method::Never {
            return Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "This server takes neither TRACE nor CONNECT.",
            ));
        }
        let fits = match self.target {
            Target::Path => true,
            Target::Asterisk => self.method == Method::Options,
            Target::Bad => false,
        };
        if fits {
            Ok(())
        } else {
            Err(Refusal::bad("The request's target is no path of a server."))
        }
    }

    /// What is known so far.
    pub fn asked(&self) -> Asked {
        self.asked
    }
}

/// Whether programs ask for such addresses; a base path may stand before it.
fn is_api(path: &[u8]) -> bool {
    let end = path.iter().position(|byte| *byte == b'?');
    let path = path.get(..end.unwrap_or(path.len())).unwrap_or_default();
    path.starts_with(b"/api/") || path.windows(8).any(|part| part == b"/api/v1/")
}

/// Of `http://host/path`: what stands behind the host, which may be nothing.
fn path_of(target: &[u8]) -> Option<&[u8]> {
    let after = |scheme: &[u8]| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = after(b"http://").or_else(|| after(b"https://"))?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
    is_authority(authority).then_some(path)
}
