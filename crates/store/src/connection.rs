//! How a connection to the database is made: its files, their modes, its settings.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;

/// Versions before this one can corrupt the write-ahead log (the "WAL reset" bug).
pub(crate) const OLDEST_SQLITE: &str = "3.51.3";
const OLDEST_SQLITE_NUMBER: i32 = 3_051_003;

/// How long a statement waits for another process, `stagedoor user add` say.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than there are statements in this crate.
const CACHED_STATEMENTS: usize = 128;
const ONLY_OWNER: u32 = 0o600;

/// Refuses a `SQLite` that is known to lose data.
pub(crate) fn check_version() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE_NUMBER {
        return Err(OpenError::OldSqlite {
            found: rusqlite::version(),
        });
    }
    Ok(())
}

/// The database's file in this folder; both are made, for their owner alone, if they are missing.
pub(crate) fn prepare_file(dir: &Path) -> Result<PathBuf, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::File { path, source }
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed(dir))?;
    let path = dir.join("stagedoor.db");
    // SQLite gives its log and its shared memory the mode of this file.
    let file = private_file(&path).map_err(failed(&path))?;
    let mode = file.metadata().map_err(failed(&path))?.permissions().mode();
    if mode & 0o177 != 0 {
        file.set_permissions(Permissions::from_mode(ONLY_OWNER))
            .map_err(failed(&path))?;
    }
    Ok(path)
}

/// Opens a file for writing; a new one belongs to its owner alone.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(ONLY_OWNER)
        .open(path)
}

/// A connection that may write; nothing in the file is changed yet.
pub(crate) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Settings of the connection that writes, once it is known that the database is ours.
pub(crate) fn configure_writer(db: &Connection) -> rusqlite::Result<()> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            mode,
            "the state directory's file system cannot keep a write-ahead log"
        );
    }
    // An answered write is on the disk.
    db.pragma_update(None, "synchronous", "full")?;
    // What is deleted, is overwritten.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    // The writer thread does it between batches, so that no answer waits for it.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", 32 << 20)?;
    db.pragma_update(None, "cache_size", -8192)
}

/// A connection that cannot write. It has opened the log too: later, when no descriptor may be free,
/// it needs none.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(db)
}

fn open(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A plan depends on the text alone; else a statement is compiled again whenever its values change.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // "name" is a column or an error, never a text.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    db.pragma_update(None, "temp_store", "memory")?;
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_compiled_as_the_settings_of_this_repository_say() {
        let db = Connection::open_in_memory().expect("opens");
        let is_set = |option: &str| {
            db.query_row("SELECT sqlite_compileoption_used(?1)", [option], |row| {
                row.get::<_, bool>(0)
            })
            .expect("answered")
        };
        assert!(is_set("OMIT_SHARED_CACHE") && is_set("OMIT_LOAD_EXTENSION"));
        assert!(is_set("DEFAULT_MEMSTATUS=0"));
        assert!(!is_set("ENABLE_FTS5") && !is_set("ENABLE_RTREE"));
        assert!(is_set("THREADSAFE=1"), "what rusqlite relies on stays");
    }
}
