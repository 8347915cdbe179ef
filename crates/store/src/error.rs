//! What can go wrong, by what the caller does about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// Why a read or write was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written and nothing is damaged; it works again when there is room.
    #[error("the disk that holds the state is full or read-only")]
    Full,
    /// Too much waits, or another process holds the database; try again later.
    #[error("the database is busy")]
    Busy,
    /// The disk reports an error, or the machine has no memory or no descriptor left. Nothing was
    /// written; it works again when the cause is gone.
    #[error("the disk or the memory of this machine fails")]
    Failing(#[source] Arc<dyn Error + Send + Sync>),
    /// Anything else: the state directory needs a look by its operator.
    #[error("the database does not answer as it should")]
    Broken(#[source] Arc<dyn Error + Send + Sync>),
}

/// Why the store could not be opened. Each message says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The compiled-in database has a bug that corrupts data.
    #[error(
        "SQLite {found} can corrupt its log; build with {} or later",
        crate::connection::OLDEST_SQLITE
    )]
    OldSqlite {
        /// What is compiled in.
        found: &'static str,
    },
    /// A newer Stagedoor has upgraded the database.
    #[error(
        "{} has schema version {found}, this Stagedoor knows up to {known}: \
         start the newer Stagedoor, or restore the backup that lies beside it", path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// Only a server upgrades a database that is there.
    #[error(
        "{} has schema version {found}, this Stagedoor writes {known}: start this version's \
         `stagedoor serve` once, which upgrades it and leaves a backup beside it. Nothing was \
         changed", path.display()
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The one that is written here.
        known: u32,
    },
    /// A database, but not one of ours.
    #[error(
        "{} is not a Stagedoor database, or its first bytes are damaged: \
         choose another state directory, or restore a backup. The file was left as it is", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Ours, but not whole.
    #[error(
        "{} is damaged ({what}) and was left as it is. Keep a copy of it and of the files beside it \
         whose names begin alike; then restore a backup, or save what can be read with: \
         sqlite3 {} .recover", path.display(), path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// The first thing that is wrong.
        what: String,
    },
    /// The key of the audit log is gone, or not whole, though there are records under it.
    #[error(
        "{} is missing or too short, though the audit log has records that only this key can check: \
         restore it from a backup. To go on without being able to check what was recorded so far, run: \
         head -c 32 /dev/urandom > {0}; chmod 400 {0}", path.display()
    )]
    AuditKeyLost {
        /// The key.
        path: PathBuf,
    },
    /// Others could rewrite the audit log.
    #[error("{} can be read by others (mode {mode:o}); run: chmod 400 {0}", path.display())]
    AuditKeyOpen {
        /// The key.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file or folder could not be made, opened or renamed.
    #[error("could not use {}: {source}{}", path.display(), mend(source))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database answered with an error.
    #[error("could not open {}: {source}{}", path.display(), causes(source))]
    Database {
        /// The database.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
}

/// The threads behind the store have ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the store has stopped")]
pub(crate) struct Stopped;

/// A transaction was rolled back by the database itself.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the transaction was lost")]
pub(crate) struct LostTransaction;

impl OpenError {
    /// What an error of `SQLite` says of this file while it is opened.
    pub(crate) fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                path,
                what: error.to_string(),
            },
            _ => Self::Database {
                path,
                source: error.into(),
            },
        }
    }
}

/// What to do about a file that cannot be used.
fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; it must belong to the account that the server runs as, with mode 600 (folders 700)"
        }
        io::ErrorKind::ReadOnlyFilesystem => "; its file system must be mounted writable",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room on its disk, then start again"
        }
        io::ErrorKind::IsADirectory => "; a folder is in its place, move it away",
        _ => "",
    }
}

/// What stands behind an error, for somebody at a terminal.
fn causes(error: &StoreError) -> String {
    match error {
        StoreError::Full => "; make room, or mount it writable, then start again".to_owned(),
        StoreError::Busy => "; another program holds it, end that first".to_owned(),
        StoreError::Failing(cause) | StoreError::Broken(cause) => format!(": {cause}"),
    }
}

impl StoreError {
    pub(crate) fn broken(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Broken(Arc::new(source))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(cause) = error.sqlite_error() else {
            return Self::broken(error);
        };
        match cause.code {
            ErrorCode::DiskFull | ErrorCode::ReadOnly => Self::Full,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            // The shared-memory file could not grow: this too is a full disk.
            _ if cause.extended_code == SQLITE_IOERR_SHMSIZE => Self::Full,
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied => Self::Failing(Arc::new(error)),
            _ => Self::broken(error),
        }
    }
}

/// Was it a UNIQUE or PRIMARY KEY constraint that refused this row?
pub(crate) fn is_duplicate(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    error.sqlite_error().is_some_and(|cause| {
        [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY].contains(&cause.extended_code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn of(code: i32) -> StoreError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn what_ends_by_itself_is_told_from_what_needs_a_look() {
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_IOERR_SHMSIZE,
        ] {
            assert!(matches!(of(code), StoreError::Full), "{code}");
        }
        assert!(matches!(of(ffi::SQLITE_BUSY), StoreError::Busy));
        let failing = [
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_NOMEM,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_CANTOPEN,
        ];
        for code in failing {
            assert!(matches!(of(code), StoreError::Failing(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_CONSTRAINT_CHECK] {
            assert!(matches!(of(code), StoreError::Broken(_)), "{code}");
        }
    }
}
