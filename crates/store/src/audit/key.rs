//! The key of the chain: a file beside the database, for its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rusqlite::Connection;
use rustix::fs::{CWD, RenameFlags};
use zeroize::Zeroizing;

use super::chain::{Chain, KEY_BYTES};
use crate::error::OpenError;

/// Its name in the state directory.
const NAME: &str = "audit.key";
const ENDS_AT: &str = "SELECT seq FROM audit_head";

/// The chain of this database. The key is made with the first record; one that was lost is not
/// replaced, because then nothing that was recorded before could be checked.
pub(crate) fn open(dir: &Path, db: &Connection) -> Result<Chain, OpenError> {
    let path = dir.join(NAME);
    let failed = |source| OpenError::File {
        path: path.clone(),
        source,
    };
    if let Some(key) = read(&path)? {
        return Ok(Chain::new(&key));
    }
    let recorded: i64 = db
        .query_row(ENDS_AT, [], |row| row.get(0))
        .map_err(|error| OpenError::of(&path, error))?;
    if recorded > 0 {
        return Err(OpenError::AuditKeyLost { path });
    }
    make(&path).map_err(failed)?;
    // Another process may have been faster; its key counts.
    let key = read(&path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    Ok(Chain::new(&key))
}

/// The chain of a log that is there.
pub(crate) fn of_old(dir: &Path) -> Result<Chain, OpenError> {
    let path = dir.join(NAME);
    match read(&path)? {
        Some(key) => Ok(Chain::new(&key)),
        None => Err(OpenError::AuditKeyLost { path }),
    }
}

/// None when there is no file.
fn read(path: &Path) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, OpenError> {
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
        Ok(()) => Ok(Some(key)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(OpenError::AuditKeyLost {
                path: path.to_owned(),
            })
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whole or not at all, and never in the place of another.
fn make(path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut()).map_err(io::Error::other)?;
    // Two processes that do this at once have a name each.
    let half = path.with_extension(format!("half-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&half)?;
        file.write_all(key.as_ref())?;
        file.sync_all()?;
        match rustix::fs::renameat_with(CWD, &half, CWD, path, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::EXIST) => fs::remove_file(&half),
            result => result.map_err(io::Error::from),
        }
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&half);
    })
}
