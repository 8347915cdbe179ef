//! The value of a stored secret.

use std::fmt;

use zeroize::Zeroizing;

/// Largest value, in bytes.
pub const LARGEST_SECRET: usize = 64 << 10;

/// Why something is not the value of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Most likely a pipe that brought nothing.
    #[error("the value is empty")]
    Empty,
    /// Larger than [`LARGEST_SECRET`].
    #[error("the value is larger than 64 KiB")]
    TooLarge,
}

/// What a secret holds: any bytes. Wiped when it is dropped, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// All of these bytes.
    ///
    /// # Errors
    /// There are none, or too many.
    pub fn new(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Result<Self, BadSecret> {
        let bytes = bytes.into();
        match bytes.len() {
            0 => Err(BadSecret::Empty),
            1..=LARGEST_SECRET => Ok(Self(bytes)),
            _ => Err(BadSecret::TooLarge),
        }
    }

    /// The same without the line end that an editor, `echo` or a form has put behind it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_text(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Result<Self, BadSecret> {
        let mut bytes = bytes.into();
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Self::new(bytes)
    }

    /// The same of what a browser has sent, which writes each line end as CR LF.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_form(text: String) -> Result<Self, BadSecret> {
        let sent = Zeroizing::new(text.into_bytes());
        let mut bytes = Zeroizing::new(Vec::with_capacity(sent.len()));
        for (at, byte) in sent.iter().enumerate() {
            if (*byte, sent.get(at + 1)) != (b'\r', Some(&b'\n')) {
                bytes.push(*byte);
            }
        }
        Self::of_text(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For a file of the script's.
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_any_bytes_but_none_or_too_many() {
        assert_eq!(SecretValue::new(Vec::new()), Err(BadSecret::Empty));
        let largest = vec![0xff; LARGEST_SECRET];
        assert!(SecretValue::new(largest.clone()).is_ok());
        let larger = [largest, vec![0]].concat();
        assert_eq!(SecretValue::new(larger), Err(BadSecret::TooLarge));
    }

    #[test]
    fn one_line_end_behind_a_text_is_none_of_it() {
        let text = |bytes: &[u8]| SecretValue::of_text(bytes.to_vec());
        let bytes = |value: Result<SecretValue, _>| value.expect("a value").into_bytes();
        assert_eq!(bytes(text(b"a\nb\n")), b"a\nb");
        assert_eq!(bytes(text(b"a\n\n")), b"a\n");
        assert_eq!(bytes(text(b" a ")), b" a ");
        assert_eq!(text(b"\n"), Err(BadSecret::Empty));
        let whole = [vec![b'x'; LARGEST_SECRET], vec![b'\n']].concat();
        assert!(text(&whole).is_ok());
    }

    #[test]
    fn a_form_brings_line_ends_of_its_own_kind() {
        let form = |text: &str| SecretValue::of_form(text.to_owned()).map(SecretValue::into_bytes);
        assert_eq!(form("a\r\nb\r\n").as_deref(), Ok(&b"a\nb"[..]));
        assert_eq!(form("a\rb\r").as_deref(), Ok(&b"a\rb\r"[..]));
        assert_eq!(form("\r\n"), Err(BadSecret::Empty));
    }

    #[test]
    fn a_value_does_not_stand_in_what_is_printed_of_it() {
        let value = SecretValue::new(b"hunter2".to_vec()).expect("a value");
        assert_eq!(format!("{value:?}"), "SecretValue(***)");
    }
}
