//! Another key for all stored secrets. Whoever rotates first keeps the new key beside the old one, then
//! has everything sealed again here, and only then forgets the old one: whenever that is cut short, each
//! secret opens with a key that is kept, and the next start goes on.

use std::sync::Arc;

use stagedoor_domain::name::SecretName;
use stagedoor_domain::time::Chance;
use stagedoor_store::{Resealed, SealAgain, Store, StoreError};

use super::keys::SecretKeys;

/// Why the key stays as it was. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// Its value would be lost.
    #[error(
        "the stored secret `{0}` does not open with its key; set it anew or remove it, then rotate: \
         `stagedoor secret set {0}` or `stagedoor secret rm {0}`"
    )]
    DoesNotOpen(SecretName),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Seals everything with the newest of these keys, in one transaction; how many there are. A store
/// that is to record it does.
///
/// # Errors
/// Nothing was changed.
pub async fn reseal(
    store: &Store,
    keys: &Arc<SecretKeys>,
    chance: Arc<dyn Chance>,
) -> Result<usize, RotateError> {
    let (with, newest) = (Arc::clone(keys), keys.newest().id().to_owned());
    let key = newest.clone();
    let again: SealAgain = Arc::new(move |secret| {
        let value = with.open(secret).ok()?;
        let owner = (&secret.name, secret.version);
        with.seal(&key, owner, value.as_bytes(), &*chance).ok()
    });
    match store.reseal_secrets(newest, again).await? {
        Resealed::Done(count) => Ok(count),
        Resealed::DoesNotOpen(name) => Err(RotateError::DoesNotOpen(name)),
    }
}

/// How keys and secrets stand to each other when a server starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The newest key seals, and no earlier one is needed.
    Fits,
    /// An earlier key seals: a rotation was cut short, or the operator has given a new key.
    Behind,
    /// The key that seals is not known: what it has sealed does not open.
    OfNoKey(String),
}

/// Looks whether the newest of these keys is the one that seals. Where nothing is sealed yet, it is from
/// now on.
pub async fn settle(store: &Store, keys: &SecretKeys) -> Result<Settled, StoreError> {
    let newest = keys.newest().id();
    match store.secrets_key().await? {
        Some(key) if key == newest => Ok(Settled::Fits),
        Some(key) if keys.has(&key) => Ok(Settled::Behind),
        _ if store.adopt_secrets_key(newest.to_owned()).await? => Ok(Settled::Fits),
        key => Ok(Settled::OfNoKey(key.unwrap_or_default())),
    }
}
