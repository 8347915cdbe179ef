//! The keys that seal stored secrets, and what is sealed with them: XChaCha20-Poly1305, bound to the
//! secret's name and version, so that it opens as nothing else.

use std::sync::Arc;

use stagedoor_domain::name::SecretName;
use stagedoor_domain::secret::SecretValue;
use stagedoor_domain::time::Chance;
use stagedoor_store::SealedSecret;

use crate::keys::{Key, Keys};
use crate::sealed::{DoesNotOpen, Vault};

/// Where the keys are kept. Reading may block.
pub trait SecretKeySource: Send + Sync {
    /// The keys as they are now.
    ///
    /// # Errors
    /// They cannot be read; the error says what to do.
    fn read(&self) -> Result<SecretKeys, KeysUnreadable>;
}

/// Why the keys could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeysUnreadable(pub String);

/// Reads them where nobody waits for the thread.
pub(super) async fn read(
    source: &Arc<dyn SecretKeySource>,
) -> Result<Arc<SecretKeys>, KeysUnreadable> {
    let source = Arc::clone(source);
    let read = tokio::task::spawn_blocking(move || source.read()).await;
    let keys = read.map_err(|_| KeysUnreadable("the keys could not be read".to_owned()))??;
    Ok(Arc::new(keys))
}

/// Why a secret gives no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// Its key is not among these.
    #[error("it is sealed with the key {0}, which is not here")]
    OfNoKey(String),
    /// It was damaged, or is another secret's, or one of before.
    #[error("it does not open with its key")]
    Damaged,
}

/// The keys that seal stored secrets, the newest first.
#[derive(Debug, Clone)]
pub struct SecretKeys(Keys);

impl SecretKeys {
    /// These.
    pub fn of(keys: Keys) -> Self {
        Self(keys)
    }

    /// The one that is to seal what is new.
    pub fn newest(&self) -> &Key {
        self.0.newest()
    }

    /// Is the key of this name among them?
    pub fn has(&self, id: &str) -> bool {
        self.vault(id).is_some()
    }

    fn vault(&self, id: &str) -> Option<Vault> {
        let key = self.0.iter().find(|key| key.id() == id);
        key.map(|key| Vault::new(key.secret()))
    }

    /// Seals a value with the key of this name.
    pub(super) fn seal(
        &self,
        key: &str,
        (name, version): (&SecretName, i64),
        value: &[u8],
        chance: &dyn Chance,
    ) -> Result<Vec<u8>, DoesNotOpen> {
        let vault = self.vault(key).ok_or(DoesNotOpen)?;
        vault.seal(&owner(name, version), value, chance)
    }

    /// Opens a secret.
    ///
    /// # Errors
    /// Its key is not known, or it is not what was sealed with it.
    pub fn open(&self, secret: &SealedSecret) -> Result<SecretValue, NotOpened> {
        let vault = self.vault(&secret.key);
        let vault = vault.ok_or_else(|| NotOpened::OfNoKey(secret.key.clone()))?;
        let owner = owner(&secret.name, secret.version);
        let opened = vault.open(&owner, &secret.sealed);
        opened
            .ok()
            .and_then(|bytes| SecretValue::new(bytes).ok())
            .ok_or(NotOpened::Damaged)
    }
}

/// Keys that stay what they are: an operator has given them, once.
impl SecretKeySource for SecretKeys {
    fn read(&self) -> Result<SecretKeys, KeysUnreadable> {
        Ok(self.clone())
    }
}

/// Whose it is. The end of the name is its first zero byte, which no name has.
fn owner(name: &SecretName, version: i64) -> Vec<u8> {
    let parts: [&[u8]; 4] = [
        b"stored secret\0",
        name.as_str().as_bytes(),
        b"\0",
        &version.to_be_bytes(),
    ];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyUse;
    use stagedoor_domain::time::Timestamp;

    struct Seven;
    impl Chance for Seven {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn keys(bytes: &[u8]) -> SecretKeys {
        let key = |byte: &u8| Key::of(KeyUse::Secrets, [*byte; 32].into(), Timestamp::default());
        let mut all = bytes.iter().map(key);
        let newest = all.next().expect("a key");
        SecretKeys::of(Keys::new(newest, all.collect()))
    }

    fn sealed(by: &SecretKeys) -> SealedSecret {
        let (name, key) = (
            SecretName::parse("ops/db").expect("a name"),
            by.newest().id(),
        );
        let sealed = by
            .seal(key, (&name, 3), b"hunter2", &Seven)
            .expect("sealed");
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        SealedSecret {
            name,
            version: 3,
            key: key.to_owned(),
            sealed,
        }
    }

    #[test]
    fn a_secret_opens_with_its_key_whichever_that_is() {
        let secret = sealed(&keys(&[1]));
        for known in [&[1][..], &[2, 1]] {
            let opened = keys(known).open(&secret).expect("opened");
            assert_eq!(opened.as_bytes(), b"hunter2");
        }
        let other = keys(&[2]).open(&secret);
        assert_eq!(other, Err(NotOpened::OfNoKey(secret.key.clone())));
    }

    #[test]
    fn a_secret_does_not_open_under_another_name_or_version_or_when_a_bit_is_wrong() {
        let keys = keys(&[1]);
        let secret = sealed(&keys);
        let mut damaged = secret.clone();
        *damaged.sealed.last_mut().expect("a byte") ^= 1;
        let moved = SealedSecret {
            name: SecretName::parse("ops/d").expect("a name"),
            ..secret.clone()
        };
        let earlier = SealedSecret {
            version: 2,
            ..secret.clone()
        };
        let empty = SealedSecret {
            sealed: Vec::new(),
            ..secret
        };
        for other in [damaged, moved, earlier, empty] {
            assert_eq!(keys.open(&other), Err(NotOpened::Damaged), "{other:?}");
        }
    }
}
