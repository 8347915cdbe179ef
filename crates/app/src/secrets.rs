//! Stored secrets: set and listed by administrators, given by `credentials` to scripts that list them,
//! and shown to nobody.
//!
//! The store keeps them sealed ([`keys`]). A value is opened when an attempt is about to start, so a run
//! that has waited gets the one of then. Pages and command line set and rotate by the same functions here;
//! why it is all as it is: docs/decisions/0015.

mod attempt;
mod keys;
mod rotation;

use std::collections::BTreeMap;
use std::sync::Arc;

use stagedoor_catalog::Snapshot;
use stagedoor_domain::audit::{Act, Actor, Origin};
use stagedoor_domain::name::{ScriptName, SecretName};
use stagedoor_domain::secret::SecretValue;
use stagedoor_domain::time::{Chance, Timestamp};
pub use stagedoor_store::SecretRecord;
use stagedoor_store::{MOST_SECRETS, NewSecret, Put, Seal, Store, StoreError};

use crate::administer::Admin;
use crate::app::App;

pub use attempt::NoCredential;
pub(crate) use attempt::Shelf;
pub use keys::{KeysUnreadable, NotOpened, SecretKeySource, SecretKeys};
pub use rotation::{RotateError, Settled, reseal, settle};

/// How often a secret is sealed again because the keys have changed meanwhile.
const TRIES: usize = 3;

/// Why a secret was not set.
#[derive(Debug, thiserror::Error)]
pub enum SetSecretError {
    /// The keys at hand are not those of the installation.
    #[error(
        "the stored secrets are sealed with the key {0}, which is not at hand here: give it here too; where it is \
         lost, remove all stored secrets and start the server again"
    )]
    OtherKey(String),
    /// No more of them.
    #[error("there are {MOST_SECRETS} stored secrets already; remove one that no script lists")]
    TooMany,
    /// The key could not be read.
    #[error(transparent)]
    Keys(#[from] KeysUnreadable),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A value and its name.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// What definitions call it.
    pub name: SecretName,
    /// What it holds.
    pub value: SecretValue,
}

/// Seals a value and keeps it in the store, whose next write is recorded.
///
/// # Errors
/// It is as it was before.
pub async fn set(
    store: &Store,
    source: &Arc<dyn SecretKeySource>,
    secret: NamedSecret,
    by: &Origin,
    (now, chance): (Timestamp, Arc<dyn Chance>),
) -> Result<(), SetSecretError> {
    let (secret, mut unknown) = (Arc::new(secret), None);
    for _ in 0..TRIES {
        let current = store.secrets_key().await?;
        let keys = keys::read(source).await?;
        let key = match current {
            None => keys.newest().id().to_owned(),
            Some(key) if keys.has(&key) => key,
            // A rotation may have come to its end between the two.
            other => {
                unknown = other;
                continue;
            }
        };
        let new = NewSecret {
            name: secret.name.clone(),
            seal: sealing(keys, key.clone(), Arc::clone(&secret), Arc::clone(&chance)),
            key,
            by: say(by),
        };
        match store.put_secret(new, now).await? {
            Put::Done => return Ok(()),
            Put::TooMany => return Err(SetSecretError::TooMany),
            // Somebody rotates at this moment.
            Put::OtherKey | Put::NotSealed => {}
        }
    }
    Err(unknown.map_or(StoreError::Busy.into(), SetSecretError::OtherKey))
}

fn sealing(
    keys: Arc<SecretKeys>,
    key: String,
    secret: Arc<NamedSecret>,
    chance: Arc<dyn Chance>,
) -> Seal {
    Arc::new(move |version| {
        keys.seal(
            &key,
            (&secret.name, version),
            secret.value.as_bytes(),
            &*chance,
        )
        .ok()
    })
}

/// Who has set a secret, as lists show it.
fn say(by: &Origin) -> String {
    match &by.actor {
        Actor::User { name, .. } | Actor::Token { name, .. } => name.to_string(),
        Actor::CommandLine { uid } => format!("uid {uid}"),
        Actor::Server | Actor::Stranger => by.actor.kind().to_owned(),
    }
}

/// Which scripts list each secret, by its name.
pub fn listed_by(scripts: &Snapshot) -> BTreeMap<SecretName, Vec<ScriptName>> {
    let mut listed: BTreeMap<SecretName, Vec<ScriptName>> = BTreeMap::new();
    for script in scripts.scripts() {
        for credential in &script.credentials {
            let by = listed.entry(credential.secret.clone()).or_default();
            if by.last() != Some(&script.name) {
                by.push(script.name.clone());
            }
        }
    }
    listed
}

/// That a secret is not there, in a sentence.
pub fn missing(name: &SecretName, listed_by: &[ScriptName]) -> String {
    let scripts: Vec<&str> = listed_by.iter().map(ScriptName::as_str).collect();
    let (verb, what) = match scripts.len() {
        1 => ("lists", "it is"),
        _ => ("list", "they are"),
    };
    format!(
        "{} {verb} the stored secret `{name}`, which is not there, so {what} refused: `stagedoor secret set \
         {name}`",
        scripts.join(", ")
    )
}

impl App {
    /// All stored secrets, by name, without their values.
    pub async fn secrets(&self, _by: Admin<'_>) -> Result<Vec<SecretRecord>, StoreError> {
        self.inner.store.list_secrets().await
    }

    /// That some of these do not open here, in a sentence; none where all do.
    pub async fn unopened(&self, stored: &[SecretRecord]) -> Option<String> {
        if stored.is_empty() {
            return None;
        }
        let keys = match keys::read(self.inner.shelf.source()).await {
            Ok(keys) => keys,
            Err(error) => return Some(format!("no stored secret opens: {error}")),
        };
        let without = stored.iter().filter(|record| !keys.has(&record.key));
        let names: Vec<String> = without.map(|record| format!("`{}`", record.name)).collect();
        (!names.is_empty()).then(|| {
            format!(
                "sealed with a key that is not here: {}. Give the server that key again. Where it is lost, \
                 remove all stored secrets, start the server again, and set them anew",
                names.join(", ")
            )
        })
    }

    /// Sets a stored secret, for the first time or anew.
    pub async fn set_secret(
        &self,
        by: Admin<'_>,
        secret: NamedSecret,
    ) -> Result<(), SetSecretError> {
        let entry = self.act(by, Act::SecretSet, secret.name.as_str());
        let origin = entry.by.clone();
        let store = self.recorded(entry);
        let (now, chance) = (self.clock().now(), Arc::clone(&self.inner.chance));
        set(
            &store,
            self.inner.shelf.source(),
            secret,
            &origin,
            (now, chance),
        )
        .await
    }

    /// Removes a stored secret; false when there is none of that name.
    pub async fn remove_secret(&self, by: Admin<'_>, name: SecretName) -> Result<bool, StoreError> {
        let entry = self.act(by, Act::SecretRemoved, name.as_str());
        self.recorded(entry).remove_secret(name).await
    }
}
