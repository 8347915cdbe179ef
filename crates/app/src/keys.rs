//! Keys of this installation that are replaced from time to time: those that sign cookies, and those
//! that seal stored secrets. Where they are kept is for others to know.

use stagedoor_domain::time::{Chance, Timestamp};
use zeroize::Zeroizing;

use crate::sealed::KEY_BYTES;
use crate::session_key::digest;

/// Fewest bytes of a key that somebody else made.
pub const SHORTEST: usize = KEY_BYTES;
/// Keys that are kept; beyond it the oldest goes, and what was made with it.
pub const MOST: usize = 16;
/// Bytes of a key's digest that name it, as hex digits.
const ID_BYTES: usize = 4;

/// What keys are for: one of the one kind is none of the other, even where the bytes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// They sign cookies.
    Cookies,
    /// They seal stored secrets.
    Secrets,
}

impl KeyUse {
    /// What the digest that names a key is made with.
    fn name(self) -> &'static [u8] {
        match self {
            Self::Cookies => b"name of a cookie key",
            Self::Secrets => b"name of a secrets key",
        }
    }

    /// What an operator's text becomes a key with.
    fn of_operator(self) -> &'static [u8] {
        match self {
            Self::Cookies => b"cookie key of an operator",
            Self::Secrets => b"secrets key of an operator",
        }
    }
}

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// Fewer than [`SHORTEST`] bytes.
    #[error("it has {0} bytes, and 32 are the least")]
    Short(usize),
    /// One that stands in a manual, or was never made by chance.
    #[error("it is an example, or the same few characters again and again")]
    Known,
}

/// One key.
#[derive(Clone)]
pub struct Key {
    id: String,
    secret: Zeroizing<[u8; KEY_BYTES]>,
    made: Timestamp,
}

/// Says which, not what.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A new key.
    pub fn generate(what: KeyUse, chance: &dyn Chance, made: Timestamp) -> Self {
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        chance.fill(secret.as_mut());
        Self::of(what, secret, made)
    }

    /// A key that was kept.
    pub fn of(what: KeyUse, secret: Zeroizing<[u8; KEY_BYTES]>, made: Timestamp) -> Self {
        let named = digest(&[what.name(), secret.as_ref()]);
        let id = named
            .iter()
            .take(ID_BYTES)
            .map(|byte| format!("{byte:02x}"));
        Self {
            id: id.collect(),
            secret,
            made,
        }
    }

    /// A key that an operator made: any text or bytes, if there are enough of them.
    ///
    /// # Errors
    /// It is too short, or well known.
    pub fn of_operator(what: KeyUse, bytes: &[u8], made: Timestamp) -> Result<Self, WeakKey> {
        if bytes.len() < SHORTEST {
            return Err(WeakKey::Short(bytes.len()));
        }
        if is_known(bytes) {
            return Err(WeakKey::Known);
        }
        let secret = Zeroizing::new(digest(&[what.of_operator(), bytes]));
        Ok(Self::of(what, secret, made))
    }

    /// What it is called; says nothing about the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was made.
    pub fn made(&self) -> Timestamp {
        self.made
    }

    /// To be kept where nobody else reads it.
    pub fn secret(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }
}

/// Too few different bytes for chance, or words of manuals.
fn is_known(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let different = seen.iter().filter(|seen| **seen).count();
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let words = [
        "changeme",
        "change-me",
        "change_me",
        "example",
        "secret",
        "password",
        "0123456789",
        "abcdefgh",
    ];
    different < 8 || words.iter().any(|word| text.contains(word))
}

/// All keys of one use, the newest first. There is at least one.
#[derive(Debug, Clone)]
pub struct Keys {
    newest: Key,
    earlier: Vec<Key>,
}

impl Keys {
    /// This key, and the ones before it, the newest first.
    pub fn new(newest: Key, mut earlier: Vec<Key>) -> Self {
        earlier.truncate(MOST - 1);
        Self { newest, earlier }
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.newest).chain(&self.earlier)
    }

    /// The one that is used for what is new.
    pub fn newest(&self) -> &Key {
        &self.newest
    }

    /// All others.
    pub fn earlier(&self) -> &[Key] {
        &self.earlier
    }

    /// With another key that is the newest from now on.
    #[must_use]
    pub fn rotated(&self, key: Key) -> Self {
        Self::new(key, self.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8, made: i64) -> Key {
        let secret = Zeroizing::new([byte; KEY_BYTES]);
        Key::of(KeyUse::Cookies, secret, at(made))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_key_of_one_use_is_none_of_the_other() {
        let of = |what| Key::of(what, Zeroizing::new([7; KEY_BYTES]), at(0));
        assert_ne!(of(KeyUse::Cookies).id(), of(KeyUse::Secrets).id());
        let given = |what| {
            let key = Key::of_operator(what, b"q8Zr1vTt5yXnC3mWb7kLh2pJd9fGs4aE", at(0));
            *key.expect("taken").secret()
        };
        assert_ne!(given(KeyUse::Cookies), given(KeyUse::Secrets));
    }

    #[test]
    fn b39_no_more_keys_are_kept_than_are_needed() {
        let keys = (1..100).fold(Keys::new(key(0, 0), Vec::new()), |keys, n| {
            keys.rotated(key(n, i64::from(n)))
        });
        let made: Vec<i64> = keys.iter().map(|key| key.made().millis()).collect();
        assert_eq!((made.len(), made[0], made[15]), (MOST, 99, 84));
    }

    #[test]
    fn b38_a_short_or_well_known_key_is_refused_and_one_of_chance_is_taken() {
        let taken = |bytes: &[u8]| Key::of_operator(KeyUse::Cookies, bytes, at(0)).map(|_| ());
        assert_eq!(taken(b"short"), Err(WeakKey::Short(5)));
        assert_eq!(taken(&[7; 31]), Err(WeakKey::Short(31)));
        for known in [
            "0000000000000000000000000000000000",
            "abababababababababababababababababab",
            "changeme-changeme-changeme-changeme",
            "this is an EXAMPLE of a key, do not use it",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(taken(known.as_bytes()), Err(WeakKey::Known), "{known}");
        }
        assert_eq!(taken(b"q8Zr1vTt5yXnC3mWb7kLh2pJd9fGs4aE"), Ok(()));
    }

    #[test]
    fn b38_a_key_does_not_stand_in_what_is_printed_of_it() {
        let printed = format!("{:?}", key(0xab, 0));
        assert!(
            !printed.contains("171") && !printed.contains("ab, "),
            "{printed}"
        );
    }
}
