//! What can go wrong, by what the caller does about it.

use std::error::Error;
use std::path::PathBuf;
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
    /// A database, but not one of ours.
    #[error(
        "{} is not a Stagedoor database: choose another state directory", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder could not be made, opened or renamed.
    #[error("could not use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database answered with an error.
    #[error("could not open {}: {source}", path.display())]
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
