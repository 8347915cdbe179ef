//! Stored secrets. What stands here is sealed; the caller has the keys.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use stagedoor_domain::name::SecretName;
use stagedoor_domain::time::Timestamp;

use crate::audit::Happened;
use crate::error::StoreError;
use crate::store::Store;
use crate::users::unreadable;

/// Secrets that there may be.
pub const MOST_SECRETS: i64 = 1000;

/// A stored secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// Its name.
    pub name: SecretName,
    /// When it was set last.
    pub set_at: Timestamp,
    /// By whom: a user's name, or `uid 0` for somebody at a terminal of this machine.
    pub set_by: String,
    /// The key that it opens with.
    pub key: String,
}

/// A stored secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Its name.
    pub name: SecretName,
    /// Another one whenever it is set; no two secrets of any time have the same.
    pub version: i64,
    /// The key that it opens with.
    pub key: String,
    /// What opens to the value.
    pub sealed: Vec<u8>,
}

/// Seals a value for a version, which is known only when it is written. None where it cannot.
pub type Seal = Arc<dyn Fn(i64) -> Option<Vec<u8>> + Send + Sync>;

/// Seals again what was sealed before. None where it does not open.
pub type SealAgain = Arc<dyn Fn(&SealedSecret) -> Option<Vec<u8>> + Send + Sync>;

/// A secret to be set.
#[derive(Clone)]
pub struct NewSecret {
    /// Its name.
    pub name: SecretName,
    /// The key that seals it.
    pub key: String,
    /// Seals its value.
    pub seal: Seal,
    /// By whom, as in [`SecretRecord::set_by`].
    pub by: String,
}

/// What became of a secret that was to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is set.
    Done,
    /// Another key seals by now: read the keys again.
    OtherKey,
    /// There are [`MOST_SECRETS`] already.
    TooMany,
    /// The value could not be sealed.
    NotSealed,
}

impl Happened for Put {
    fn happened(&self) -> bool {
        *self == Self::Done
    }
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resealed {
    /// So many are sealed with the new key.
    Done(usize),
    /// This one does not open, so nothing was changed.
    DoesNotOpen(SecretName),
}

impl Happened for Resealed {
    fn happened(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

impl Store {
    /// All secrets, by name.
    pub async fn list_secrets(&self) -> Result<Vec<SecretRecord>, StoreError> {
        const SQL: &str = "SELECT name, set_at, set_by, key_id FROM secrets ORDER BY name";
        self.read(|db| {
            db.prepare_cached(SQL)?
                .query_map([], read_record)?
                .collect()
        })
        .await
    }

    /// These secrets as they are now, as of one moment; those that are not there are left out.
    pub async fn sealed_secrets(
        &self,
        names: Vec<SecretName>,
    ) -> Result<Vec<SealedSecret>, StoreError> {
        const SQL: &str = "SELECT name, version, key_id, sealed FROM secrets WHERE name = ?1";
        self.look_up(move |db| {
            let tx = db.unchecked_transaction()?;
            let mut found = Vec::with_capacity(names.len());
            for name in &names {
                let mut select = tx.prepare_cached(SQL)?;
                found.extend(select.query_row([name.as_str()], read_sealed).optional()?);
            }
            tx.commit()?;
            Ok(found)
        })
        .await
    }

    /// Sets a secret, for the first time or anew.
    pub async fn put_secret(&self, new: NewSecret, now: Timestamp) -> Result<Put, StoreError> {
        self.write(move |db| put(db, &new, now)).await
    }

    /// Removes a secret; false when there is none of that name.
    pub async fn remove_secret(&self, name: SecretName) -> Result<bool, StoreError> {
        self.write(move |db| {
            let mut delete = db.prepare_cached("DELETE FROM secrets WHERE name = ?1")?;
            Ok(delete.execute([name.as_str()])? > 0)
        })
        .await
    }

    /// The key that seals; none until there is a first one.
    pub async fn secrets_key(&self) -> Result<Option<String>, StoreError> {
        self.read(secrets_key).await
    }

    /// Has this key seal from now on, where there was none, or the one of before has sealed nothing
    /// that is still there; false otherwise.
    pub async fn adopt_secrets_key(&self, key: String) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE secrets_state SET key_id = ?1 \
             WHERE NOT EXISTS (SELECT 1 FROM secrets)";
        self.write(move |db| Ok(db.prepare_cached(SQL)?.execute([&key])? > 0))
            .await
    }

    /// Seals every secret again, all or none, with a key that seals from then on.
    pub async fn reseal_secrets(
        &self,
        key: String,
        seal: SealAgain,
    ) -> Result<Resealed, StoreError> {
        self.write(move |db| reseal(db, &key, &seal)).await
    }
}

fn secrets_key(db: &Connection) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT key_id FROM secrets_state")?
        .query_row([], |row| row.get(0))
}

fn put(db: &Connection, new: &NewSecret, now: Timestamp) -> rusqlite::Result<Put> {
    const STATE: &str = "UPDATE secrets_state SET version = version + 1, key_id = ?1 \
         WHERE key_id IS NULL OR key_id = ?1 RETURNING version";
    const OTHERS: &str = "SELECT count(*) FROM secrets WHERE name <> ?1";
    const SQL: &str = "INSERT OR REPLACE INTO secrets (name, version, key_id, sealed, set_at, set_by) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let others: i64 = db
        .prepare_cached(OTHERS)?
        .query_row([new.name.as_str()], |row| row.get(0))?;
    if others >= MOST_SECRETS {
        return Ok(Put::TooMany);
    }
    let version: Option<i64> = db
        .prepare_cached(STATE)?
        .query_row([&new.key], |row| row.get(0))
        .optional()?;
    let Some(version) = version else {
        return Ok(Put::OtherKey);
    };
    let Some(sealed) = (new.seal)(version) else {
        return Ok(Put::NotSealed);
    };
    db.prepare_cached(SQL)?.execute((
        new.name.as_str(),
        version,
        &new.key,
        sealed,
        now.millis(),
        &new.by,
    ))?;
    Ok(Put::Done)
}

/// Everything is sealed before anything is written.
fn reseal(db: &Connection, key: &str, seal: &SealAgain) -> rusqlite::Result<Resealed> {
    const ALL: &str = "SELECT name, version, key_id, sealed FROM secrets";
    const SQL: &str = "UPDATE secrets SET key_id = ?1, sealed = ?2 WHERE name = ?3";
    let mut again = Vec::new();
    for secret in db.prepare_cached(ALL)?.query_map([], read_sealed)? {
        let secret = secret?;
        match seal(&secret) {
            Some(sealed) => again.push((secret.name, sealed)),
            None => return Ok(Resealed::DoesNotOpen(secret.name)),
        }
    }
    for (name, sealed) in &again {
        db.prepare_cached(SQL)?
            .execute((key, sealed, name.as_str()))?;
    }
    db.prepare_cached("UPDATE secrets_state SET key_id = ?1")?
        .execute([key])?;
    Ok(Resealed::Done(again.len()))
}

fn read_name(row: &Row<'_>) -> rusqlite::Result<SecretName> {
    SecretName::parse(&row.get::<_, String>("name")?).map_err(unreadable)
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<SecretRecord> {
    Ok(SecretRecord {
        name: read_name(row)?,
        set_at: Timestamp::from_millis(row.get("set_at")?),
        set_by: row.get("set_by")?,
        key: row.get("key_id")?,
    })
}

fn read_sealed(row: &Row<'_>) -> rusqlite::Result<SealedSecret> {
    Ok(SealedSecret {
        name: read_name(row)?,
        version: row.get("version")?,
        key: row.get("key_id")?,
        sealed: row.get("sealed")?,
    })
}
