//! Secret arguments at rest: XChaCha20-Poly1305 under a key of this installation.
//!
//! A sealed text is `nonce (24 bytes) ‖ ciphertext`. What it belongs to (the run's id) is
//! authenticated with it, so a sealed text cannot be moved to another run.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use stagedoor_domain::time::Chance;
use zeroize::Zeroizing;

/// Bytes of the key file.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Seals and opens secrets.
pub struct Vault {
    cipher: XChaCha20Poly1305,
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
        }
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
}
