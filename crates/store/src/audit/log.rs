//! The log as somebody at a terminal reads it, beside a server that may be at work. It writes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::chain::Chain;
use super::fault::Verified;
use super::fields::{Fields, Hash, audit_columns};
use super::line::hex;
use super::page::{self, AuditFilter, AuditPage};
use super::record::AuditRecord;
use super::trim::Start;
use super::{file, key, verify};
use crate::connection::{check_version, open_reader};
use crate::error::{OpenError, StoreError};
use crate::schema::refuse_older;

/// Records that one page may look at in vain: nobody else waits for this reader.
const PATIENCE: usize = 1_000_000;

/// How long lines are waited for: two seconds.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The audit log of a state directory.
pub struct AuditLog {
    dir: PathBuf,
    db: Connection,
    chain: Chain,
    /// An empty log is marked.
    is_begun: bool,
}

impl AuditLog {
    /// Opens what is there; nothing is made.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        check_version()?;
        let path = dir.join("stagedoor.db");
        let failed = |error| OpenError::of(&path, error);
        let db = open_reader(&path).map_err(failed)?;
        refuse_older(&db, &path)?;
        let key = key::of_old(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            db,
            chain: key.chain(),
            is_begun: key.is_begun,
        })
    }

    /// Looks through all of it.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let due = verify::last(&self.db)?;
        self.wait_for_lines(due);
        // Nobody appends to the file meanwhile, and what is in it by now has its row.
        let held = file::hold(&self.dir).map_err(StoreError::broken)?;
        let tx = self.db.unchecked_transaction()?;
        let start = Start::of(&tx, &self.chain)?;
        let end = verify::end(&tx, &self.chain, self.is_begun)?;
        let rows = verify::rows(&tx, &self.chain, start, end)?;
        let (lines, line) =
            verify::lines(&tx, &self.dir, start.first, due).map_err(StoreError::broken)?;
        drop(held);
        Ok(Verified {
            start,
            end: verify::told(end.unwrap_or_default()),
            records: rows.records,
            lines,
            record: rows.fault,
            line,
        })
    }

    /// The hash of a record, in hex digits; none when there is no such record, or it has no hash.
    pub fn hash_of(&self, seq: i64) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT hash FROM audit_log WHERE seq = ?1";
        let hash = |row: &Row<'_>| Ok(row.get::<_, Hash>(0).ok());
        let hash = self.db.query_row(SQL, [seq], hash).optional()?;
        Ok(hash.flatten().map(|hash| hex(&hash)))
    }

    /// A server at work writes a line a moment after its record.
    fn wait_for_lines(&self, due: i64) {
        for _ in 0..LOOKS {
            if file::last(&self.dir).is_ok_and(|last| last >= due) {
                return;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// A page, newest first.
    pub fn page(&self, filter: &AuditFilter) -> Result<AuditPage, StoreError> {
        Ok(page::page(&self.db, filter, PATIENCE)?)
    }

    /// Every record, oldest first, as long as `each` goes on.
    pub fn each<E>(
        &self,
        mut each: impl FnMut(AuditRecord) -> Result<(), E>,
    ) -> Result<Result<(), E>, StoreError> {
        const SQL: &str = concat!("SELECT ", audit_columns!(), " FROM audit_log ORDER BY seq");
        let mut statement = self.db.prepare(SQL)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (record, hash) = Fields::read(row)?;
            if let Err(error) = each(AuditRecord::of(&record, &hash)) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditLog")
    }
}
