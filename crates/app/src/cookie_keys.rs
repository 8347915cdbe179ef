//! The keys that sign cookies (rows B35 to B39): `KEY.VALUE.TAG`, where the tag is the HMAC-SHA-256 of
//! all before it and of what the cookie is for.
//!
//! A cookie that we did not write is refused before anything is looked up for it. The newest key
//! signs; the others are good for as long as a session may last that one of them has signed.
//! Where keys are kept is for others to know.

use std::time::Duration;

use stagedoor_domain::time::Timestamp;
use subtle::ConstantTimeEq as _;

use crate::keys::{Key, Keys};
use crate::sealed::hmac;

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

/// In hex digits: base64 has texts that differ and mean the same.
fn tag_of(key: &Key, what: CookieUse, signed: &str) -> [u8; 64] {
    hex(&hmac(key.secret(), &[what.word(), signed.as_bytes()]))
}

/// The keys of an installation that sign cookies.
#[derive(Debug, Clone)]
pub struct CookieKeys(Keys);

impl CookieKeys {
    /// These, of which the newest signs.
    pub fn of(keys: Keys) -> Self {
        Self(keys)
    }

    /// The one that signs.
    pub fn newest(&self) -> &Key {
        self.0.newest()
    }

    /// A cookie with this value, which has no dot.
    pub fn sign(&self, what: CookieUse, value: &str) -> String {
        let signed = format!("{}.{value}", self.newest().id());
        let tag = tag_of(self.newest(), what, &signed);
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
        let is_ours: bool = tag_of(key, what, signed).ct_eq(tag.as_bytes()).into();
        is_ours.then_some(value).ok_or(NotOurs::Forged)
    }

    /// A key signed nothing after the next one was made.
    fn key(&self, id: &str, now: Timestamp, longest_session: Duration) -> Option<&Key> {
        if self.newest().id() == id {
            return Some(self.newest());
        }
        let followed = self.0.iter().zip(self.0.earlier());
        followed
            .filter(|(next, _)| now.since(next.made()) < longest_session.saturating_add(LATE))
            .map(|(_, key)| key)
            .find(|key| key.id() == id)
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
    use crate::keys::KeyUse;
    use crate::sealed::KEY_BYTES;
    use zeroize::Zeroizing;

    const HOUR: Duration = Duration::from_hours(1);

    fn key(byte: u8, made: i64) -> Key {
        Key::of(
            KeyUse::Cookies,
            Zeroizing::new([byte; KEY_BYTES]),
            Timestamp::from_millis(made),
        )
    }

    fn ring(newest: Key, earlier: Vec<Key>) -> CookieKeys {
        CookieKeys::of(Keys::new(newest, earlier))
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn b36_what_we_signed_opens_and_names_its_key() {
        let keys = ring(key(1, 0), Vec::new());
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
        let keys = ring(key(1, 0), vec![key(2, 0)]);
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
        let keys = ring(key(1, 0), Vec::new());
        let cookie = keys.sign(CookieUse::PreSession, "0:abc");
        assert!(
            keys.open(CookieUse::PreSession, &cookie, at(0), HOUR)
                .is_ok()
        );
        assert!(keys.open(CookieUse::Session, &cookie, at(0), HOUR).is_err());
        let others = ring(key(2, 0), Vec::new());
        assert!(
            others
                .open(CookieUse::PreSession, &cookie, at(0), HOUR)
                .is_err()
        );
    }

    #[test]
    fn b39_an_earlier_key_is_good_until_what_it_signed_is_over() {
        let first = ring(key(1, 0), Vec::new());
        let cookie = first.sign(CookieUse::Session, "7:abc");
        let keys = CookieKeys::of(first.0.rotated(key(2, at(600).millis())));
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
}
