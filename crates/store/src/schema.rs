//! The schema and its versions. Each migration is one transaction; a backup is made before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, TransactionBehavior};

use crate::connection::private_file;
use crate::error::OpenError;

/// Migration `n` of this list leads to version `n + 1`. Never change one that was released.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001.sql"),
    include_str!("../migrations/0002.sql"),
    include_str!("../migrations/0003.sql"),
    include_str!("../migrations/0004.sql"),
    include_str!("../migrations/0005.sql"),
    include_str!("../migrations/0006.sql"),
    include_str!("../migrations/0007.sql"),
    include_str!("../migrations/0008.sql"),
    include_str!("../migrations/0009.sql"),
    include_str!("../migrations/0010.sql"),
    include_str!("../migrations/0011.sql"),
];

/// "SDor": says in the file's header whose database this is.
const APPLICATION_ID: i32 = 0x5344_6f72;
const BACKUP_STEP_PAGES: i32 = 4096;
/// A database of this size or less is looked through at each start, in a few milliseconds. A larger one
/// would cost too much time: that it was cut shows all the same, other damage when it is read.
const LARGEST_CHECKED: i64 = 1 << 20;

/// Brings the database to the newest version of `migrations`.
pub(crate) fn migrate(
    db: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let failed = |error| OpenError::of(path, error);
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let found = check_owner(db, path)?;
    if found > known {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    if found > 0 {
        check_whole(db, path)?;
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        back_up(db, path, found)?;
        tracing::info!(from = found, to = known, "upgrading the database");
    }
    for version in found..known {
        apply(db, version, migrations).map_err(failed)?;
    }
    Ok(())
}

/// Refuses what [`migrate`] would upgrade. An empty file is no older database.
pub(crate) fn refuse_older(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    match check_owner(db, path)? {
        found if found > 0 && found < known => Err(OpenError::Older {
            path: path.to_owned(),
            found,
            known,
        }),
        _ => Ok(()),
    }
}

/// The schema's version, 0 for an empty file; a database of another program is refused.
fn check_owner(db: &Connection, path: &Path) -> Result<u32, OpenError> {
    let read = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let facts = || -> rusqlite::Result<(i32, i32, i32)> {
        Ok((
            read("application_id")?,
            read("user_version")?,
            read("schema_version")?,
        ))
    };
    let (owner, version, changes) = facts().map_err(|error| OpenError::of(path, error))?;
    let is_empty = owner == 0 && version == 0 && changes == 0;
    match u32::try_from(version) {
        Ok(version) if is_empty || owner == APPLICATION_ID => Ok(version),
        _ => Err(OpenError::Foreign {
            path: path.to_owned(),
        }),
    }
}

/// Refuses a database that is damaged: to go on would damage more.
fn check_whole(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let look = || -> rusqlite::Result<Option<String>> {
        if number("page_count")?.saturating_mul(number("page_size")?) > LARGEST_CHECKED {
            return Ok(None);
        }
        let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok(Some(found).filter(|found| found != "ok"))
    };
    match look().map_err(|error| OpenError::of(path, error))? {
        None => Ok(()),
        Some(what) => Err(OpenError::Damaged {
            path: path.to_owned(),
            // The first line names the table, the next ones the pages.
            what: what.lines().collect::<Vec<_>>().join(" "),
        }),
    }
}

/// From `version` to the next, unless another process was faster.
fn apply(db: &mut Connection, version: u32, migrations: &[&str]) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let sql = usize::try_from(version)
        .ok()
        .and_then(|at| migrations.get(at));
    if let (true, Some(sql)) = (now == version, sql) {
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", version + 1)?;
    }
    tx.commit()
}

/// Where the copy of a database of this version is put.
pub(crate) fn backup_path(path: &Path, version: u32) -> PathBuf {
    path.with_extension(format!("db.backup-v{version}"))
}

/// Copies the database beside itself, whole or not at all.
fn back_up(db: &Connection, path: &Path, version: u32) -> Result<(), OpenError> {
    let to = backup_path(path, version);
    let half = to.with_extension("half");
    let failed = |source| OpenError::File {
        path: to.clone(),
        source,
    };
    let copy = || -> rusqlite::Result<()> {
        let mut target = Connection::open(&half)?;
        Backup::new(db, &mut target)?.run_to_completion(BACKUP_STEP_PAGES, Duration::ZERO, None)
    };
    // What an attempt that was cut short has left.
    match std::fs::remove_file(&half) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let file = private_file(&half).map_err(failed)?;
    copy().map_err(|error| OpenError::Database {
        path: half.clone(),
        source: error.into(),
    })?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&half, &to).map_err(failed)
}

#[cfg(test)]
mod tests;
