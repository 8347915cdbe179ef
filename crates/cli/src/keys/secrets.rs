//! The keys that seal stored secrets. A rotation keeps the new key beside the old one, has the store seal
//! everything again in one transaction, and then forgets the old one. Wherever that is cut short, each
//! secret opens with a key that is kept; the next start, or the command once more, goes on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use stagedoor_app::keys::{Key, Keys};
use stagedoor_app::secrets::{
    KeysUnreadable, SecretKeySource, SecretKeys, Settled, reseal, settle,
};
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::time::Timestamp;
use stagedoor_store::Store;

use super::ring::{self, Lock};
use super::{Given, SECRETS, existing};
use crate::database::{Database, block_on};
use crate::system::KernelChance;

/// The ring of this state directory.
struct Ring(PathBuf);

impl SecretKeySource for Ring {
    fn read(&self) -> Result<SecretKeys, KeysUnreadable> {
        match ring::read(&self.0, &SECRETS) {
            Ok(Some(keys)) => Ok(SecretKeys::of(keys)),
            Ok(None) => Err(KeysUnreadable(format!(
                "{} is not there: restore it from a backup, or name the file with the key with {}",
                ring::path(&self.0, &SECRETS).display(),
                SECRETS.file_variable
            ))),
            Err(error) => Err(KeysUnreadable(format!("{error:#}"))),
        }
    }
}

/// The operator's keys as a source, or the ring, which is made where nothing is sealed yet.
pub async fn at_hand(
    given: Option<Given>,
    dir: &Path,
    store: &Store,
    now: Timestamp,
) -> anyhow::Result<Arc<dyn SecretKeySource>> {
    if let Some(given) = given {
        return Ok(Arc::new(SecretKeys::of(given.keys)));
    }
    if store.secrets_key().await?.is_none() {
        ring::open(dir, &SECRETS, &KernelChance, now)?;
    }
    Ok(Arc::new(Ring(dir.to_owned())))
}

/// The same for a server, which first brings to an end what a rotation, or an operator who has given
/// another key, has begun.
pub async fn settled(
    given: Option<Given>,
    dir: &Path,
    store: &Store,
    now: Timestamp,
) -> anyhow::Result<Arc<dyn SecretKeySource>> {
    let is_given = given.is_some();
    // First: what is read beside a rotation may be forgotten by the time that it is used.
    let lock = Lock::of(dir)?;
    let keys = match given {
        Some(given) => before_ring(&given.keys, dir)?,
        None => ring::open_locked(dir, &SECRETS, (&KernelChance, now), &lock)?,
    };
    let keys = Arc::new(SecretKeys::of(keys));
    let is_settled = match settle(store, &keys).await? {
        Settled::Fits => true,
        Settled::Behind => catch_up(&keys, store, now).await,
        Settled::OfNoKey(key) => {
            tell_of_no_key(&key, dir);
            false
        }
    };
    match (is_given, is_settled) {
        (true, true) => forget_ring(dir)?,
        (false, true) => forget_earlier(dir, keys.newest(), &lock)?,
        (_, false) => {}
    }
    if is_given {
        return Ok(keys);
    }
    Ok(Arc::new(Ring(dir.to_owned())))
}

/// An operator's keys, and behind them those of the ring that they take the place of.
fn before_ring(given: &Keys, dir: &Path) -> anyhow::Result<Keys> {
    let ring = ring::read(dir, &SECRETS)?;
    let earlier = given.earlier().iter();
    let earlier = earlier.chain(ring.iter().flat_map(Keys::iter)).cloned();
    Ok(Keys::new(given.newest().clone(), earlier.collect()))
}

/// Nothing is sealed with its keys any more: another one is given.
fn forget_ring(dir: &Path) -> anyhow::Result<()> {
    let path = ring::path(dir, &SECRETS);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Seals everything with the newest key; a server that cannot goes on with the earlier one.
async fn catch_up(keys: &Arc<SecretKeys>, store: &Store, now: Timestamp) -> bool {
    let entry = Entry::new(Act::KeysRotated, Origin::server(), now).on("secrets");
    let sealed = reseal(&store.recorded(entry), keys, Arc::new(KernelChance)).await;
    match &sealed {
        Ok(_) => tracing::info!(
            key = keys.newest().id(),
            "another key seals the stored secrets from now on"
        ),
        Err(error) => tracing::error!(%error, "the key of the stored secrets stays as it was"),
    }
    sealed.is_ok()
}

fn tell_of_no_key(key: &str, dir: &Path) {
    tracing::error!(
        key,
        "the stored secrets are sealed with a key that is not here: scripts that list them are refused. \
         Restore {} or the operator's file; if the key is lost, remove all stored secrets, start again \
         and set them anew",
        ring::path(dir, &SECRETS).display()
    );
}

/// Keeps the newest key alone, if it is this one: nothing is sealed with the others.
fn forget_earlier(dir: &Path, newest: &Key, lock: &Lock) -> anyhow::Result<()> {
    match ring::read(dir, &SECRETS)? {
        Some(keys) if keys.newest().id() == newest.id() && !keys.earlier().is_empty() => {
            let alone = Keys::new(newest.clone(), Vec::new());
            ring::write(dir, &SECRETS, &alone, lock)
        }
        _ => Ok(()),
    }
}

/// `stagedoor keys rotate --secrets`.
pub fn rotate(db: &Database, now: Timestamp) -> anyhow::Result<()> {
    let lock = Lock::of(&db.dir)?;
    let keys = existing(&db.dir, &SECRETS)?;
    let sealed_by = block_on(async { Ok(db.store.secrets_key().await?) })?;
    if let Some(key) = &sealed_by
        && !keys.iter().any(|known| known.id() == key)
    {
        bail!(
            "the stored secrets are sealed with the key {key}, which is not in {}: where `stagedoor serve` is \
             given it with {}, put a new key on the first line of that file, leave the old one below, \
             and start the server again",
            ring::path(&db.dir, &SECRETS).display(),
            SECRETS.file_variable
        );
    }
    // One that was made before and seals nothing yet is used now.
    let is_unused = sealed_by.is_some_and(|key| key != keys.newest().id());
    let keys = if is_unused {
        keys
    } else {
        let keys = keys.rotated(Key::generate(SECRETS.what, &KernelChance, now));
        ring::write(&db.dir, &SECRETS, &keys, &lock)?;
        keys
    };
    let newest = keys.newest().clone();
    let keys = Arc::new(SecretKeys::of(keys));
    let store = db.recorded(Act::KeysRotated, "secrets");
    let count = block_on(async { Ok(reseal(&store, &keys, Arc::new(KernelChance)).await?) })?;
    forget_earlier(&db.dir, &newest, &lock)?;
    println!(
        "Key {} seals the stored secrets from now on; {} sealed again, and the key of before is forgotten.",
        newest.id(),
        match count {
            1 => "1 is".to_owned(),
            count => format!("{count} are"),
        }
    );
    println!(
        "If somebody has seen the key of before, set the secrets anew too: they may know the values."
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stagedoor_app::secrets::{NamedSecret, set};
    use stagedoor_domain::name::SecretName;
    use stagedoor_domain::secret::SecretValue;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::of(SECRETS.what, [byte; 32].into(), Timestamp::default())
    }

    fn given(byte: u8) -> Given {
        Given {
            keys: Keys::new(key(byte), Vec::new()),
            file: None,
        }
    }

    fn settle_here(dir: &Path, given: Option<Given>) -> Arc<dyn SecretKeySource> {
        let store = Store::open(dir).expect("a database");
        block_on(settled(given, dir, &store, Timestamp::default())).expect("settled")
    }

    fn sealed_by(dir: &Path) -> Option<String> {
        let store = Store::open(dir).expect("a database");
        block_on(async { Ok(store.secrets_key().await?) }).expect("read")
    }

    /// Without any secret every key fits.
    async fn set_one(dir: &Path, source: Arc<dyn SecretKeySource>) -> anyhow::Result<()> {
        let secret = NamedSecret {
            name: SecretName::parse("ops/db")?,
            value: SecretValue::new(b"hunter2".to_vec())?,
        };
        let now = (Timestamp::default(), Arc::new(KernelChance) as _);
        set(&Store::open(dir)?, &source, secret, &Origin::server(), now).await?;
        Ok(())
    }

    /// A server that is given a key starts, while `meanwhile` is done by who holds the lock.
    fn started_while(meanwhile: impl FnOnce(&Path, &Lock)) {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let source = settle_here(dir, None);
        block_on(set_one(dir, source)).expect("set");
        let lock = Lock::of(dir).expect("locked");
        std::thread::scope(|scope| {
            let start = scope.spawn(|| settle_here(dir, Some(given(9))));
            // It may read what it wants to read before it has the lock.
            std::thread::sleep(Duration::from_millis(300));
            meanwhile(dir, &lock);
            drop(lock);
            let source = start.join().expect("started");
            assert_eq!(source.read().expect("read").newest().id(), key(9).id());
        });
        assert_eq!(sealed_by(dir).as_deref(), Some(key(9).id()));
        assert!(!ring::path(dir, &SECRETS).exists());
    }

    #[test]
    fn b39_a_start_beside_a_rotation_knows_the_keys_that_it_leaves() {
        started_while(|_, _| ());
        started_while(|dir, lock| {
            let before = existing(dir, &SECRETS).expect("a ring");
            let keys = Arc::new(SecretKeys::of(before.rotated(key(7))));
            let store = Store::open(dir).expect("a database");
            block_on(async { Ok(reseal(&store, &keys, Arc::new(KernelChance)).await?) })
                .expect("sealed again");
            let alone = Keys::new(key(7), Vec::new());
            ring::write(dir, &SECRETS, &alone, lock).expect("written");
        });
    }
}
