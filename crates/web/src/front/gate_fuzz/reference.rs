//! What the bytes of one request mean, read simply, for they have been found to be good.

/// As a handler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub method: String,
    pub target: String,
    /// None if it broke off.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// All bytes of it.
    pub fn whole(bytes: &[u8]) -> Self {
        let (mut request, head, body) = Self::split(bytes);
        let is_chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding:");
        request.body = Some(if is_chunked {
            dechunked(body)
        } else {
            body.to_vec()
        });
        request
    }

    /// Its head and a part of its body.
    pub fn broken(bytes: &[u8]) -> Self {
        Self::split(bytes).0
    }

    fn split(bytes: &[u8]) -> (Self, String, &[u8]) {
        let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.expect("a head") + 4);
        let head = String::from_utf8_lossy(head).into_owned();
        let mut words = head.split([' ', '\r']);
        let mut word = || words.next().unwrap_or_default().to_owned();
        let request = Self {
            method: word(),
            target: shown(&word()),
            body: None,
        };
        (request, head, body)
    }
}

/// As hyper shows it: the scheme in small letters, and a path in any case.
fn shown(target: &str) -> String {
    let Some((scheme, rest)) = target.split_once("://") else {
        return target.to_owned();
    };
    if target.starts_with('/') {
        return target.to_owned();
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{}://{host}{slash}{path}", scheme.to_ascii_lowercase())
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\r')
            .expect("a line");
        let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let digits = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).expect("a size");
        if size == 0 {
            return data;
        }
        data.extend_from_slice(&bytes[end + 2..][..size]);
        bytes = &bytes[end + 2 + size + 2..];
    }
}
