//! Checks the log: the chain of rows from the first to the marked end, then the file of lines
//! beside the rows.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};

use super::chain::Chain;
use super::fields::{Fields, Hash, audit_columns};
use super::file::{self, LONGEST_LINE, first_by_name, seq_of};
use super::line::{hex, line};

/// What a look at the whole log has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The number of the last record, and its hash: what to note elsewhere.
    pub end: (i64, String),
    /// How many records the database has.
    pub records: u64,
    /// How many lines agree with them.
    pub lines: u64,
    /// The first record that is not as it was written.
    pub record: Option<Fault>,
    /// The first line that is not as it was written.
    pub line: Option<LineFault>,
}

impl Verified {
    /// Is everything as it was written?
    pub fn is_whole(&self) -> bool {
        self.record.is_none() && self.line.is_none()
    }
}

/// What is wrong with a record. None of these can be brought about by the program itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It has another content than it was written with, or was never written by us.
    Changed(i64),
    /// It was written as another number.
    Moved {
        /// Where it stands.
        at: i64,
        /// What it was written as.
        from: i64,
    },
    /// These are gone, from the first to the last.
    Removed(i64, i64),
    /// These are gone from the end, from the first to the last.
    CutOff(i64, i64),
    /// It was written behind another record than the one before it.
    DoesNotFollow(i64),
    /// It stands behind the end.
    BehindEnd(i64),
    /// The mark of the end is gone, or was not made by us.
    NoEnd,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(seq) => write!(f, "record {seq} was changed, or put there"),
            Self::Moved { at, from } => write!(f, "record {from} was moved to the place of {at}"),
            Self::Removed(first, last) if first == last => write!(f, "record {first} was removed"),
            Self::Removed(first, last) => write!(f, "records {first} to {last} were removed"),
            Self::CutOff(first, last) if first == last => {
                write!(f, "record {first} was removed from the end")
            }
            Self::CutOff(first, last) => {
                write!(f, "records {first} to {last} were removed from the end")
            }
            Self::DoesNotFollow(seq) => write!(
                f,
                "record {seq} was not written behind the one before it: there are two histories"
            ),
            Self::BehindEnd(seq) => write!(f, "record {seq} stands behind the end"),
            Self::NoEnd => write!(f, "the mark of the log's end was changed or removed"),
        }
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// In which file.
    pub file: PathBuf,
    /// Which line, from 1.
    pub line: u64,
    /// What.
    pub what: LineWrong,
}

/// How a line differs from the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineWrong {
    /// It is none of the log.
    NoRecord,
    /// It differs from the record in the database.
    Differs(i64),
    /// The database does not have this record.
    NotInDatabase(i64),
    /// These have no line, from the first to the last.
    Missing(i64, i64),
    /// This record has its line elsewhere already.
    OutOfPlace(i64),
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: ", self.file.display(), self.line)?;
        match self.what {
            LineWrong::NoRecord => write!(f, "this is no record of the log"),
            LineWrong::Differs(seq) => {
                write!(f, "record {seq} reads otherwise in the database")
            }
            LineWrong::NotInDatabase(seq) => {
                write!(f, "record {seq} is not in the database")
            }
            LineWrong::Missing(first, last) => {
                write!(f, "the lines of records {first} to {last} are missing")
            }
            LineWrong::OutOfPlace(seq) => write!(f, "record {seq} does not belong here"),
        }
    }
}

/// Where the chain ends, as far as the mark of its end can be believed.
pub(crate) fn end(db: &Connection, chain: &Chain) -> rusqlite::Result<Option<(i64, Hash)>> {
    const HEAD: &str = "SELECT seq, hash, mark FROM audit_head";
    let head: Option<(i64, Hash, Vec<u8>)> = db
        .query_row(HEAD, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(head.and_then(|(seq, hash, mark)| {
        // Before the first record there is none.
        let is_marked = match seq {
            0 => mark.is_empty() && hash == [0; 32],
            _ => mark == chain.mark(seq, &hash),
        };
        is_marked.then_some((seq, hash))
    }))
}

/// The whole chain; the first fault ends it.
pub(crate) struct Rows {
    pub records: u64,
    pub fault: Option<Fault>,
}

/// Reads the chain from its first record.
pub(crate) fn rows(db: &Connection, chain: &Chain) -> rusqlite::Result<Rows> {
    const SQL: &str = concat!("SELECT ", audit_columns!(), " FROM audit_log ORDER BY seq");
    let mut statement = db.prepare(SQL)?;
    let mut rows = statement.query([])?;
    let (mut last, mut before, mut records) = (0, [0; 32], 0);
    let mut fault = None;
    while let Some(row) = rows.next()? {
        records += 1;
        let seq: i64 = row.get(0)?;
        if fault.is_some() {
            continue;
        }
        fault = if seq <= last {
            // Records begin with 1.
            Some(Fault::Changed(seq))
        } else if seq > last + 1 {
            Some(Fault::Removed(last + 1, seq - 1))
        } else {
            match Fields::read(row) {
                Ok((record, hash)) if chain.hash(&record) == hash => {
                    let follows = record.prev == before;
                    (last, before) = (seq, hash);
                    (!follows).then_some(Fault::DoesNotFollow(seq))
                }
                Ok((record, hash)) => Some(moved(db, chain, &record, &hash)?),
                Err(_) => Some(Fault::Changed(seq)),
            }
        };
    }
    let fault = match (fault, end(db, chain)?) {
        (Some(fault), _) => Some(fault),
        (None, None) => Some(Fault::NoEnd),
        (None, Some((end, _))) if end > last => Some(Fault::CutOff(last + 1, end)),
        (None, Some((end, _))) if end < last => Some(Fault::BehindEnd(end + 1)),
        (None, Some((_, hash))) => (hash != before).then_some(Fault::NoEnd),
    };
    Ok(Rows { records, fault })
}

/// A record that is not what its number says: written as another one, or changed?
fn moved(
    db: &Connection,
    chain: &Chain,
    record: &Fields<'_>,
    hash: &Hash,
) -> rusqlite::Result<Fault> {
    const WITH_HASH: &str = "SELECT seq FROM audit_log WHERE hash = ?1";
    let before: Option<i64> = db
        .query_row(WITH_HASH, [record.prev], |row| row.get(0))
        .optional()?;
    // Where the one before it has moved too, its place says nothing; the neighbours may.
    let mut may_be = vec![record.seq.saturating_add(1), record.seq.saturating_sub(1)];
    may_be.extend(before.map(|seq| seq.saturating_add(1)));
    let from = may_be.into_iter().find(|seq| {
        chain.hash(&Fields {
            seq: *seq,
            ..*record
        }) == *hash
    });
    Ok(match from {
        Some(from) => Fault::Moved {
            at: record.seq,
            from,
        },
        None => Fault::Changed(record.seq),
    })
}

/// How many lines agree with the rows, and the first that does not. Up to `due` every record must
/// have its line; those of later ones may be on their way.
pub(crate) fn lines(db: &Connection, dir: &Path, due: i64) -> io::Result<(u64, Option<LineFault>)> {
    let mut walk = Walk {
        db,
        last: None,
        lines: 0,
    };
    let files = file::all(dir)?;
    for path in &files {
        if let Some(fault) = walk.file(path)? {
            return Ok((walk.lines, Some(fault)));
        }
    }
    let written = walk.last.map_or(0, |(seq, _)| seq);
    let missing = (written < due).then(|| LineFault {
        file: files.last().cloned().unwrap_or_else(|| file::current(dir)),
        line: walk.last.map_or(0, |(_, line)| line) + 1,
        what: LineWrong::Missing(written + 1, due),
    });
    Ok((walk.lines, missing))
}

struct Walk<'a> {
    db: &'a Connection,
    /// The last record that had its line, and the number of that line in its file.
    last: Option<(i64, u64)>,
    lines: u64,
}

impl Walk<'_> {
    fn file(&mut self, path: &Path) -> io::Result<Option<LineFault>> {
        let mut reader = BufReader::new(File::open(path)?);
        let (mut text, mut number) = (Vec::new(), 0);
        loop {
            text.clear();
            let mut limited = reader.by_ref().take(LONGEST_LINE);
            if limited.read_until(b'\n', &mut text)? == 0 {
                return Ok(None);
            }
            number += 1;
            if let Some(what) = self.line(path, &text, number)? {
                return Ok(Some(LineFault {
                    file: path.to_owned(),
                    line: number,
                    what,
                }));
            }
            self.lines += 1;
        }
    }

    fn line(&mut self, path: &Path, text: &[u8], number: u64) -> io::Result<Option<LineWrong>> {
        let Some(seq) = seq_of(text) else {
            return Ok(Some(LineWrong::NoRecord));
        };
        let expected = match self.last {
            Some((last, _)) => last + 1,
            // What came before it was put aside and is gone.
            None => first_by_name(path).unwrap_or(1),
        };
        if seq > expected {
            return Ok(Some(LineWrong::Missing(expected, seq - 1)));
        }
        if seq < expected {
            return Ok(Some(LineWrong::OutOfPlace(seq)));
        }
        self.last = Some((seq, number));
        let row = row_line(self.db, seq).map_err(io::Error::other)?;
        Ok(match row {
            None => Some(LineWrong::NotInDatabase(seq)),
            Some(row) => (row.as_bytes() != text).then_some(LineWrong::Differs(seq)),
        })
    }
}

/// The line that a row gives; none when there is no such row.
fn row_line(db: &Connection, seq: i64) -> rusqlite::Result<Option<String>> {
    const SQL: &str = concat!(
        "SELECT ",
        audit_columns!(),
        " FROM audit_log WHERE seq = ?1"
    );
    db.prepare_cached(SQL)?
        .query_row([seq], |row| {
            let (record, hash) = Fields::read(row)?;
            Ok(line(&record, &hash))
        })
        .optional()
}

/// The last record that there is, whatever the mark of the end says.
pub(crate) fn last(db: &Connection) -> rusqlite::Result<i64> {
    const LAST: &str = "SELECT coalesce(max(seq), 0) FROM audit_log";
    db.query_row(LAST, [], |row| row.get(0))
}

/// The end of the chain for people: its number and hash.
pub(crate) fn told((seq, hash): (i64, Hash)) -> (i64, String) {
    (seq, hex(&hash))
}
