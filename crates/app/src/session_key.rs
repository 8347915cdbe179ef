//! Tokens that people and programs hold, and the hashes that we keep of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Chance;

/// Which session: the hash of the token in its cookie. Knowing it does not let anyone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    hash: [u8; 32],
    is_anonymous: bool,
}

/// Names a request that may arrive twice: a form's token, or an `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestKey(pub [u8; 32]);

/// Bytes of chance in a session's token (row W72).
const SESSION_BYTES: usize = 64;
/// Bytes of chance in an API token or setup link.
const TOKEN_BYTES: usize = 32;
/// What every API token begins with, so that scanners for leaked secrets can find it.
pub const TOKEN_PREFIX: &str = "sd_";

/// The SHA-256 of some parts, each with its length so that parts cannot run together.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl SessionKey {
    /// The key of what a cookie holds; `None` when it is not `<user>:<128 hex digits>`.
    pub fn of(value: &str) -> Option<Self> {
        let (user, token) = value.split_once(':')?;
        let user: i64 = user.parse().ok()?;
        let is_token = token.len() == 2 * SESSION_BYTES
            && token
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_token.then(|| Self {
            hash: digest(&[b"session", &user.to_le_bytes(), token.as_bytes()]),
            is_anonymous: user == 0,
        })
    }

    /// What the store keeps.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Is this the session of somebody who is not signed in?
    pub fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }
}

impl RequestKey {
    /// The key of an `Idempotency-Key` header, which belongs to one user.
    pub fn of_header(user: UserId, header: &str) -> Self {
        Self(digest(&[
            b"idempotency",
            &user.0.to_le_bytes(),
            header.as_bytes(),
        ]))
    }
}

/// What a new cookie of this user holds; user 0 is somebody who is not signed in yet.
pub fn new_session_value(user: UserId, chance: &dyn Chance) -> String {
    use std::fmt::Write as _;
    let mut bytes = [0; SESSION_BYTES];
    chance.fill(&mut bytes);
    bytes.iter().fold(format!("{}:", user.0), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A new API token, `sd_` and 43 characters.
pub fn new_api_token(chance: &dyn Chance) -> String {
    format!("{TOKEN_PREFIX}{}", random_text::<TOKEN_BYTES>(chance))
}

/// A new key for a setup link.
pub fn new_setup_key(chance: &dyn Chance) -> String {
    random_text::<TOKEN_BYTES>(chance)
}

/// The hash of an API token that the store keeps.
pub fn token_hash(token: &str) -> [u8; 32] {
    digest(&[b"token", token.as_bytes()])
}

/// The hash of a setup link's key that the store keeps.
pub fn setup_hash(key: &str) -> [u8; 32] {
    digest(&[b"setup", key.as_bytes()])
}

pub(crate) fn random_text<const N: usize>(chance: &dyn Chance) -> String {
    let mut bytes = [0; N];
    chance.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Chance for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for byte in buffer {
                *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn w72_a_session_token_has_64_bytes_of_chance_in_hex() {
        let value = new_session_value(UserId(7), &Counting(0.into()));
        let (user, token) = value.split_once(':').expect("two parts");
        assert_eq!((user, token.len()), ("7", 128));
        assert!(SessionKey::of(&value).is_some());
    }

    #[test]
    fn a_cookie_of_another_form_has_no_key() {
        let good = new_session_value(UserId(7), &Counting(0.into()));
        for bad in [
            "",
            ":",
            "7:",
            "x:00",
            &good[2..],
            &format!("{good}0"),
            &good.to_uppercase()[..20],
        ] {
            assert_eq!(SessionKey::of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_user_in_a_cookie_cannot_be_exchanged() {
        let value = new_session_value(UserId(7), &Counting(0.into()));
        let forged = value.replacen("7:", "8:", 1);
        assert_ne!(SessionKey::of(&value), SessionKey::of(&forged));
    }
}
