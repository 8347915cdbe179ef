//! The key of the chain: a file beside the database, for its owner alone.
//!
//! Behind its bytes the file says that the log of this key was begun: that its end was marked when it
//! was still empty. So a log that is empty and not marked is one that somebody emptied. A file of the
//! version before does not say so; it is given the word, and an empty log its mark, when a store is opened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::chain::{Chain, KEY_BYTES, NONE};
use crate::error::OpenError;

/// Its name in the state directory.
const NAME: &str = "audit.key";
/// What the file says behind the key.
const BEGUN: &[u8] = b"begun\n";

/// What the file holds.
pub(crate) struct Key {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    /// An empty log of this key is marked.
    pub is_begun: bool,
}

impl Key {
    /// Hashes under this key.
    pub fn chain(&self) -> Chain {
        Chain::new(&self.bytes)
    }
}

/// The chain of this database. The key is made with the database; one that was lost is not
/// replaced, because then nothing that was recorded before could be checked.
pub(crate) fn open(dir: &Path, db: &Connection) -> Result<Chain, OpenError> {
    let path = dir.join(NAME);
    let failed = |source| OpenError::File {
        path: path.clone(),
        source,
    };
    if let Some(key) = read(&path)?.filter(|key| key.is_begun) {
        return Ok(key.chain());
    }
    // Two processes may come to this at once.
    let folder = File::open(dir).and_then(|folder| folder.lock().map(|()| folder));
    let folder = folder.map_err(failed)?;
    let known = read(&path)?;
    let recorded = records(db).map_err(|error| OpenError::of(&path, error))?;
    let key = match known {
        Some(key) if key.is_begun => return Ok(key.chain()),
        Some(key) => key,
        None if recorded > 0 => return Err(OpenError::AuditKeyLost { path }),
        None => generate().map_err(failed)?,
    };
    // The mark first: what a crash leaves without its key is marked anew.
    if recorded == 0 {
        begin(db, &key.chain()).map_err(|error| OpenError::of(&path, error))?;
    }
    write(&path, &key).map_err(failed)?;
    folder.sync_all().map_err(failed)?;
    Ok(key.chain())
}

/// How far the log has come, by its records or by its end.
fn records(db: &Connection) -> rusqlite::Result<i64> {
    const LAST: &str = "SELECT max(coalesce((SELECT max(seq) FROM audit_log), 0), \
                        coalesce((SELECT seq FROM audit_head), 0))";
    db.query_row(LAST, [], |row| row.get(0))
}

/// Marks the end of an empty log.
pub(crate) fn begin(db: &Connection, chain: &Chain) -> rusqlite::Result<()> {
    const MARK: &str = "UPDATE audit_head SET hash = ?1, mark = ?2 WHERE seq = 0";
    db.execute(MARK, (NONE, chain.mark(0, &NONE))).map(|_| ())
}

/// The key of a log that is there.
pub(crate) fn of_old(dir: &Path) -> Result<Key, OpenError> {
    let path = dir.join(NAME);
    read(&path)?.ok_or(OpenError::AuditKeyLost { path })
}

/// None when there is no file.
fn read(path: &Path) -> Result<Option<Key>, OpenError> {
    let failed = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(OpenError::AuditKeyOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    match file.read_exact(key.as_mut()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(OpenError::AuditKeyLost {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(failed(error)),
    }
    let mut rest = Vec::new();
    let longest = BEGUN.len() as u64 + 1;
    file.take(longest).read_to_end(&mut rest).map_err(failed)?;
    Ok(Some(Key {
        bytes: key,
        is_begun: rest == BEGUN,
    }))
}

fn generate() -> io::Result<Key> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(bytes.as_mut()).map_err(io::Error::other)?;
    Ok(Key {
        bytes,
        is_begun: false,
    })
}

/// With the word behind it; whole or not at all.
fn write(path: &Path, key: &Key) -> io::Result<()> {
    let half = path.with_extension("half");
    // What an attempt that was cut short has left.
    match fs::remove_file(&half) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&half)?;
        file.write_all(key.bytes.as_ref())?;
        file.write_all(BEGUN)?;
        file.sync_all()?;
        fs::rename(&half, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&half);
    })
}
