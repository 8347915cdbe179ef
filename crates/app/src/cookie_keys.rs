//! The keys that sign cookies (rows B35 to B39): `KEY.VALUE.TAG`, where the tag is the HMAC-SHA-256 of
//! all before it and of what the cookie is for.
//!
//! A cookie that we did not write is refused before anything is looked up for it. The newest key
//! signs; the others are good for as long as a session may last that one of them has signed.
//! Where keys are kept is for others to know.

use std::time::Duration;

use stagedoor_domain::time::{Chance, Timestamp};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::sealed::{KEY_BYTES, hmac};
use crate::session_key::digest;

/// Fewest bytes of a key that somebody else made.
pub const SHORTEST: usize = KEY_BYTES;
/// Keys that are kept; beyond it the oldest goes, and what it signed with it.
pub const MOST: usize = 16;
/// Bytes of a key's digest that name it, as hex digits before the cookie's value.
const ID_BYTES: usize = 4;

/// What a cookie is for: one of the one kind is none of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieUse {
    /// A signed-in user.
    Session,
    /// The forms of somebody who is not signed in.
    PreSession,
}

impl CookieUse {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Session => b"session\0",
            Self::PreSession => b"pre-session\0",
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

/// Why a cookie is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOurs {
    /// It has no tag.
    Unsigned,
    /// Its key is not known, or not good any more.
    OfNoKey,
    /// It names a key of ours, which did not sign it.
    Forged,
}

/// One key.
#[derive(Clone)]
pub struct CookieKey {
    id: String,
    secret: Zeroizing<[u8; KEY_BYTES]>,
    made: Timestamp,
}

/// Says which, not what.
impl std::fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CookieKey")
            .field("id", &self.id)
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

impl CookieKey {
    /// A new key.
    pub fn generate(chance: &dyn Chance, made: Timestamp) -> Self {
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        chance.fill(secret.as_mut());
        Self::of(secret, made)
    }

    /// A key that was kept.
    pub fn of(secret: Zeroizing<[u8; KEY_BYTES]>, made: Timestamp) -> Self {
        let named = digest(&[b"name of a cookie key", secret.as_ref()]);
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
    pub fn of_operator(bytes: &[u8], made: Timestamp) -> Result<Self, WeakKey> {
        if bytes.len() < SHORTEST {
            return Err(WeakKey::Short(bytes.len()));
        }
        if is_known(bytes) {
            return Err(WeakKey::Known);
        }
        let secret = Zeroizing::new(digest(&[b"cookie key of an operator", bytes]));
        Ok(Self::of(secret, made))
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

    /// In hex digits: base64 has texts that differ and mean the same.
    fn tag(&self, what: CookieUse, signed: &str) -> [u8; 64] {
        hex(&hmac(&self.secret, &[what.word(), signed.as_bytes()]))
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

/// All keys, the newest first. There is at least one.
#[derive(Debug, Clone)]
pub struct CookieKeys {
    newest: CookieKey,
    earlier: Vec<CookieKey>,
}

impl CookieKeys {
    /// This key, and the ones before it, the newest first.
    pub fn new(newest: CookieKey, mut earlier: Vec<CookieKey>) -> Self {
        earlier.truncate(MOST - 1);
        Self { newest, earlier }
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &CookieKey> {
        std::iter::once(&self.newest).chain(&self.earlier)
    }

    /// The one that signs.
    pub fn newest(&self) -> &CookieKey {
        &self.newest
    }

    /// With another key that signs from now on.
    #[must_use]
    pub fn rotated(&self, key: CookieKey) -> Self {
        Self::new(key, self.iter().cloned().collect())
    }

    /// A cookie with this value, which has no dot.
    pub fn sign(&self, what: CookieUse, value: &str) -> String {
        let signed = format!("{}.{value}", self.newest.id);
        let tag = self.newest.tag(what, &signed);
        tag.into_iter()
            .map(char::from)
            .fold(signed + ".", |mut cookie, digit| {
                cookie.push(digit);
                cookie
            })
    }

    /// The value of a cookie that we wrote, not so long ago that no session of then can be left.
    ///
    /// # Errors
    /// It is none of ours.
    pub fn open<'a>(
        &self,
        what: CookieUse,
        cookie: &'a str,
        now: Timestamp,
        longest_session: Duration,
    ) -> Result<&'a str, NotOurs> {
        let (signed, tag) = cookie.rsplit_once('.').ok_or(NotOurs::Unsigned)?;
        let (id, value) = signed.split_once('.').ok_or(NotOurs::Unsigned)?;
        let key = self.key(id, now, longest_session).ok_or(NotOurs::OfNoKey)?;
        let is_ours: bool = key.tag(what, signed).ct_eq(tag.as_bytes()).into();
        is_ours.then_some(value).ok_or(NotOurs::Forged)
    }

    /// A key signed nothing after the next one was made.
    fn key(&self, id: &str, now: Timestamp, longest_session: Duration) -> Option<&CookieKey> {
        if self.newest.id == id {
            return Some(&self.newest);
        }
        let followed = self.iter().zip(&self.earlier);
        followed
            .filter(|(next, _)| now.since(next.made) < longest_session.saturating_add(LATE))
            .map(|(_, key)| key)
            .find(|key| key.id == id)
    }
}

/// How much later than it was made a key may begin to sign: another process has made it.
const LATE: Duration = Duration::from_mins(1);

fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn key(byte: u8, made: i64) -> CookieKey {
        CookieKey::of(
            Zeroizing::new([byte; KEY_BYTES]),
            Timestamp::from_millis(made),
        )
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn b36_what_we_signed_opens_and_names_its_key() {
        let keys = CookieKeys::new(key(1, 0), Vec::new());
        let cookie = keys.sign(CookieUse::Session, "7:abc");
        assert!(cookie.starts_with(&format!("{}.7:abc.", keys.newest().id())));
        assert_eq!(
            keys.open(CookieUse::Session, &cookie, at(0), HOUR),
            Ok("7:abc")
        );
        assert_eq!(cookie.rsplit('.').next().map(str::len), Some(64));
    }

    #[test]
    fn b35_a_cookie_with_any_byte_changed_added_or_left_out_does_not_open() {
        let keys = CookieKeys::new(key(1, 0), vec![key(2, 0)]);
        let cookie = keys.sign(CookieUse::Session, "7:abc");
        let opens = |text: &str| keys.open(CookieUse::Session, text, at(0), HOUR).is_ok();
        assert!(opens(&cookie));
        for at in 0..cookie.len() {
            for bit in 0..7 {
                let mut bytes = cookie.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let forged = String::from_utf8(bytes).expect("ASCII");
                assert!(!opens(&forged), "{forged}");
            }
            assert!(!opens(&cookie[..at]) && !opens(&cookie[at + 1..]));
        }
        assert!(!opens(&format!("{cookie}0")) && !opens(&format!(" {cookie}")));
        assert!(!opens("7:abc") && !opens("") && !opens(".") && !opens(".."));
    }

    #[test]
    fn b35_a_cookie_is_good_for_one_thing_and_by_one_key() {
        let keys = CookieKeys::new(key(1, 0), Vec::new());
        let cookie = keys.sign(CookieUse::PreSession, "0:abc");
        assert!(
            keys.open(CookieUse::PreSession, &cookie, at(0), HOUR)
                .is_ok()
        );
        assert!(keys.open(CookieUse::Session, &cookie, at(0), HOUR).is_err());
        let others = CookieKeys::new(key(2, 0), Vec::new());
        assert!(
            others
                .open(CookieUse::PreSession, &cookie, at(0), HOUR)
                .is_err()
        );
    }

    #[test]
    fn b39_an_earlier_key_is_good_until_what_it_signed_is_over() {
        let first = CookieKeys::new(key(1, 0), Vec::new());
        let cookie = first.sign(CookieUse::Session, "7:abc");
        let keys = first.rotated(key(2, at(600).millis()));
        let opens = |cookie: &str, minutes| {
            keys.open(CookieUse::Session, cookie, at(minutes), HOUR)
                .is_ok()
        };
        assert!(opens(&cookie, 600) && opens(&cookie, 659));
        assert!(!opens(&cookie, 661), "no session of then is left");
        let new = keys.sign(CookieUse::Session, "7:abc");
        assert_ne!(new, cookie);
        assert!(opens(&new, 600) && opens(&new, 100_000));
    }

    #[test]
    fn b39_no_more_keys_are_kept_than_are_needed() {
        let keys = (1..100).fold(CookieKeys::new(key(0, 0), Vec::new()), |keys, n| {
            keys.rotated(key(n, i64::from(n)))
        });
        let made: Vec<i64> = keys.iter().map(|key| key.made().millis()).collect();
        assert_eq!((made.len(), made[0], made[15]), (MOST, 99, 84));
    }

    #[test]
    fn b38_a_short_or_well_known_key_is_refused_and_one_of_chance_is_taken() {
        let taken = |bytes: &[u8]| CookieKey::of_operator(bytes, at(0)).map(|_| ());
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
