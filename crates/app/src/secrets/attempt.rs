//! What an attempt gets of the stored secrets, at the moment when it is started.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use stagedoor_domain::arguments::CheckedArgs;
use stagedoor_domain::invocation::{Invocation, PrivateFile, invocation};
use stagedoor_domain::name::SecretName;
use stagedoor_domain::script::{Credential, Script};
use stagedoor_domain::secret::SecretValue;
use stagedoor_store::{SealedSecret, StoreError};

use super::keys::{self, KeysUnreadable, NotOpened, SecretKeySource, SecretKeys};
use crate::app::App;

/// The keys as they were read last, and where they are.
pub(crate) struct Shelf {
    source: Arc<dyn SecretKeySource>,
    known: ArcSwapOption<SecretKeys>,
}

impl Shelf {
    /// Reads them when they are needed first.
    pub fn new(source: Arc<dyn SecretKeySource>) -> Self {
        Self {
            source,
            known: ArcSwapOption::empty(),
        }
    }

    pub fn source(&self) -> &Arc<dyn SecretKeySource> {
        &self.source
    }

    /// Keys among which is the one of each of these secrets, if it is anywhere: another process may
    /// have rotated them since they were read.
    async fn keys_of(&self, secrets: &[SealedSecret]) -> Result<Arc<SecretKeys>, KeysUnreadable> {
        let known = self.known.load_full();
        if let Some(known) = known.filter(|keys| has_all(keys, secrets)) {
            return Ok(known);
        }
        let read = keys::read(&self.source).await?;
        self.known.store(Some(Arc::clone(&read)));
        Ok(read)
    }
}

/// Why an attempt does not get what its definition lists. Each is the reason of a run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoCredential {
    /// It was never set, or is removed.
    #[error(
        "Its definition lists the stored secret `{0}`, which is not there: `stagedoor secret set {0}`."
    )]
    Absent(SecretName),
    /// Only its key opens it.
    #[error(
        "Its definition lists the stored secret `{name}`, and {why}: give the server that key again. \
         Where it is lost, remove all stored secrets, start the server again, and set them anew."
    )]
    OfNoKey {
        /// Which.
        name: SecretName,
        /// The key's name.
        why: NotOpened,
    },
    /// It is not what was set.
    #[error(
        "Its definition lists the stored secret `{0}`, which is damaged, or was brought here from \
         another place: `stagedoor secret set {0}`."
    )]
    Damaged(SecretName),
    /// No key could be read.
    #[error(
        "Its definition lists stored secrets, whose key could not be read. An administrator finds why in the log of the server."
    )]
    Keys(#[from] KeysUnreadable),
    /// The store did not answer.
    #[error("Its definition lists stored secrets, which could not be read: {0}.")]
    Store(#[from] StoreError),
}

impl NoCredential {
    /// For the log: what the reason of a run does not tell.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Keys(error) => error.to_string(),
            other => other.to_string(),
        }
    }
}

impl App {
    /// What an attempt is started with: its arguments, and the credentials with their values of now. What of
    /// it must not be shown, `seal_given` finds in it.
    pub(crate) async fn invocation_of(
        &self,
        script: &Script,
        args: &CheckedArgs,
    ) -> Result<Invocation, NoCredential> {
        let mut made = invocation(script, args);
        // A script without any costs nothing.
        if !script.credentials.is_empty() {
            made.files.extend(self.credentials_of(script).await?);
        }
        Ok(made)
    }

    async fn credentials_of(&self, script: &Script) -> Result<Vec<PrivateFile>, NoCredential> {
        let names = script.credentials.iter().map(|one| one.secret.clone());
        let names: Vec<SecretName> = names.collect();
        let (secrets, keys) = match self.sealed_with_keys(names.clone()).await? {
            (secrets, keys) if has_all(&keys, &secrets) => (secrets, keys),
            // A rotation may have come to its end between the two.
            _ => self.sealed_with_keys(names).await?,
        };
        let file = |credential: &Credential| {
            Ok(PrivateFile {
                name: credential.name.to_string(),
                content: open(&secrets, &credential.secret, &keys)?.into_bytes(),
                secret: true,
            })
        };
        script.credentials.iter().map(file).collect()
    }

    async fn sealed_with_keys(
        &self,
        names: Vec<SecretName>,
    ) -> Result<(Vec<SealedSecret>, Arc<SecretKeys>), NoCredential> {
        let secrets = self.inner.store.sealed_secrets(names).await?;
        let keys = self.inner.shelf.keys_of(&secrets).await?;
        Ok((secrets, keys))
    }
}

fn has_all(keys: &SecretKeys, secrets: &[SealedSecret]) -> bool {
    secrets.iter().all(|secret| keys.has(&secret.key))
}

fn open(
    secrets: &[SealedSecret],
    name: &SecretName,
    keys: &SecretKeys,
) -> Result<SecretValue, NoCredential> {
    let secret = secrets.iter().find(|secret| secret.name == *name);
    let secret = secret.ok_or_else(|| NoCredential::Absent(name.clone()))?;
    keys.open(secret).map_err(|why| match why {
        NotOpened::Damaged => NoCredential::Damaged(name.clone()),
        why @ NotOpened::OfNoKey(_) => NoCredential::OfNoKey {
            name: name.clone(),
            why,
        },
    })
}
