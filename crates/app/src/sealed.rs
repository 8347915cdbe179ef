//! Secret arguments at rest: XChaCha20-Poly1305 under a key of this installation.
//!
//! A sealed text is `nonce (24 bytes) ‖ ciphertext`. What it belongs to (the run's id) is
//! authenticated with it, so a sealed text cannot be moved to another run.
//!
//! Texts that are only to be compared later are kept as digests under the same key.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use stagedoor_domain::time::Chance;
use zeroize::Zeroizing;

/// Bytes of the key file.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Bytes of what [names](Vault::key_name) a key.
pub(crate) const KEY_NAME_BYTES: usize = 8;

/// The block of SHA-256, in bytes.
const HASH_BLOCK: usize = 64;

/// Seals and opens secrets.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    /// Of digests; not the cipher's own.
    digest_key: Zeroizing<[u8; KEY_BYTES]>,
}

/// A sealed text was changed, moved, or sealed under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored secret does not open with this installation's key")]
pub struct DoesNotOpen;

impl Vault {
    /// A vault of this key.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            digest_key: Zeroizing::new(hmac(key, &[b"stagedoor digests"])),
        }
    }

    /// The same for the same purpose and text, and for no other; says nothing about the text to
    /// who does not have the key.
    pub fn digest(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        hmac(&self.digest_key, &[purpose.as_bytes(), b"\0", text])
    }

    /// Names the key; says nothing else about it.
    pub fn key_name(&self) -> [u8; KEY_NAME_BYTES] {
        let digest = self.digest("the key's name", b"");
        digest.first_chunk().copied().unwrap_or_default()
    }

    /// Seals a text for its owner.
    pub fn seal(
        &self,
        owner: &[u8],
        text: &[u8],
        chance: &dyn Chance,
    ) -> Result<Vec<u8>, DoesNotOpen> {
        let mut nonce = [0; NONCE_BYTES];
        chance.fill(&mut nonce);
        let sealed = self
            .cipher
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: text,
                    aad: owner,
                },
            )
            .map_err(|_| DoesNotOpen)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for this owner.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, body) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(DoesNotOpen)?;
        self.cipher
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: body,
                    aad: owner,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| DoesNotOpen)
    }
}

/// HMAC-SHA256 (RFC 2104), for keys that are no longer than a block.
pub(crate) fn hmac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; 32] {
    let keyed = |pad: u8| {
        let mut block = Zeroizing::new([pad; HASH_BLOCK]);
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        Sha256::new().chain_update(*block)
    };
    let inner = parts.iter().fold(keyed(0x36), Sha256::chain_update);
    keyed(0x5c).chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Chance for Zero {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    #[test]
    fn a_secret_opens_for_its_owner_and_key_only() {
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal(b"run 1", b"hunter2", &Zero).expect("seals");
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        assert_eq!(
            vault.open(b"run 1", &sealed).expect("opens").as_slice(),
            b"hunter2"
        );
        assert!(vault.open(b"run 2", &sealed).is_err());
        assert!(Vault::new(&[8; 32]).open(b"run 1", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().expect("not empty") ^= 1;
        assert!(vault.open(b"run 1", &changed).is_err());
        assert!(vault.open(b"run 1", &[]).is_err());
    }

    #[test]
    fn a_digest_is_that_of_rfc_4231() {
        // Case 4, whose key of 25 bytes is one of 32 with zeros behind.
        let mut key = [0; KEY_BYTES];
        key.iter_mut().zip(1..=25).for_each(|(byte, n)| *byte = n);
        assert_eq!(
            hmac(&key, &[&[0xcd; 20], &[0xcd; 30]]),
            [
                0x82, 0x55, 0x8a, 0x38, 0x9a, 0x44, 0x3c, 0x0e, 0xa4, 0xcc, 0x81, 0x98, 0x99, 0xf2,
                0x08, 0x3a, 0x85, 0xf0, 0xfa, 0xa3, 0xe5, 0x78, 0xf8, 0x07, 0x7a, 0x2e, 0x3f, 0xf4,
                0x67, 0x29, 0x66, 0x5b,
            ]
        );
    }

    #[test]
    fn a_digest_depends_on_key_purpose_and_text() {
        let vault = Vault::new(&[7; 32]);
        let digest = vault.digest("request", b"hunter2");
        assert_eq!(digest, Vault::new(&[7; 32]).digest("request", b"hunter2"));
        assert_ne!(digest, vault.digest("request", b"hunter3"));
        assert_ne!(digest, vault.digest("another", b"hunter2"));
        assert_ne!(digest, Vault::new(&[8; 32]).digest("request", b"hunter2"));
    }
}
