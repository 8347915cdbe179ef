//! Sets of bytes, and what to say about one that is in none.

use super::Refusal;

/// RFC 9110, 5.6.2: methods and names of fields.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// What browsers leave as it is in the path or query of an address. `"`, `#`, `<`, `>`, the
/// backtick and everything that is not visible ASCII must be percent-encoded.
pub(super) fn is_target(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'_' | b'a'..=b'~')
}

/// RFC 9110, 5.5: visible, blank, tab, or beyond ASCII.
pub(super) fn is_value(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// No byte at all: the next one is looked at by itself.
pub(super) fn none(_: u8) -> bool {
    false
}

/// `host`, `host:80` or `[::1]:80`, as Host and a target may name it.
pub(super) fn is_authority(text: &[u8]) -> bool {
    let address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~');
    let port = match text.strip_prefix(b"[") {
        Some(inner) => behind(inner, address).and_then(|rest| rest.strip_prefix(b"]")),
        None => behind(text, name),
    };
    port.is_some_and(|port| match port.strip_prefix(b":") {
        Some(digits) => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        None => port.is_empty(),
    })
}

/// What stands behind one byte of the set or more.
fn behind(text: &[u8], set: impl Fn(u8) -> bool) -> Option<&[u8]> {
    let end = text
        .iter()
        .position(|byte| !set(*byte))
        .unwrap_or(text.len());
    text.split_at_checked(end.max(1))
        .map(|(_, rest)| rest)
        .filter(|_| end > 0)
}

/// A byte that may stand nowhere in a head, or else `otherwise`.
pub(super) fn refusal_of(byte: u8, otherwise: &'static str) -> Refusal {
    Refusal::bad(match byte {
        b'\n' => "A line ends in LF without CR.",
        b'\r' => "A CR stands without LF.",
        0 => "The request holds a NUL.",
        0x01..=0x08 | 0x0b..=0x1f | 0x7f => "The request holds a control character.",
        _ => otherwise,
    })
}
