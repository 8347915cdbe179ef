//! Checks the log: the chain of rows from the first to the marked end, then the file of lines
//! beside the rows.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::chain::{Chain, NONE};
use super::fault::{Fault, LineFault, LineWrong};
use super::fields::{Fields, Hash, audit_columns};
use super::file::{self, LONGEST_LINE, first_by_name, seq_of};
use super::line::{hex, line};
use super::trim::Start;

/// Where the chain ends, as far as the mark of its end can be believed. Before the version that marks
/// empty logs, an empty one had no mark.
pub(crate) fn end(
    db: &Connection,
    chain: &Chain,
    is_begun: bool,
) -> rusqlite::Result<Option<(i64, Hash)>> {
    const HEAD: &str = "SELECT seq, hash, mark FROM audit_head";
    // What cannot be read was not written by us.
    let read = |row: &Row<'_>| -> rusqlite::Result<(i64, Hash, Vec<u8>)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    };
    let head = db
        .query_row(HEAD, [], |row| Ok(read(row).ok()))
        .optional()?;
    Ok(head.flatten().and_then(|(seq, hash, mark)| {
        let is_of_before = !is_begun && seq == 0 && hash == NONE && mark.is_empty();
        let is_marked = is_of_before || mark == chain.mark(seq, &hash);
        is_marked.then_some((seq, hash))
    }))
}

/// The whole chain; the first fault ends it.
pub(crate) struct Rows {
    pub records: u64,
    pub fault: Option<Fault>,
}

/// Reads the chain from its first record to its end.
pub(crate) fn rows(
    db: &Connection,
    chain: &Chain,
    start: Start,
    end: Option<(i64, Hash)>,
) -> rusqlite::Result<Rows> {
    const SQL: &str = concat!("SELECT ", audit_columns!(), " FROM audit_log ORDER BY seq");
    let mut statement = db.prepare(SQL)?;
    let mut rows = statement.query([])?;
    let (mut follower, mut records, mut fault) = (Follower::from(start), 0, None);
    while let Some(row) = rows.next()? {
        records += 1;
        if fault.is_none() {
            fault = follower.step(db, chain, row)?;
        }
    }
    let Follower { last, before, .. } = follower;
    let fault = match (fault, end) {
        (Some(fault), _) => Some(fault),
        (None, None) => Some(Fault::NoEnd),
        (None, Some((end, _))) if end > last => Some(Fault::CutOff(last + 1, end)),
        (None, Some((end, _))) if end < last => Some(Fault::BehindEnd(end + 1)),
        (None, Some((_, hash))) => (hash != before).then_some(Fault::NoEnd),
    };
    Ok(Rows { records, fault })
}

/// Goes along the chain.
pub(crate) struct Follower {
    /// The number and the hash of the last record that was as it was written.
    last: i64,
    before: Hash,
    /// Until the first record was seen: one that may have said that it comes later.
    touched: Option<i64>,
}

impl From<Start> for Follower {
    fn from(start: Start) -> Self {
        Self {
            last: start.first - 1,
            before: start.before(),
            touched: start.touched(),
        }
    }
}

impl Follower {
    /// What is wrong with the next record, if anything.
    pub fn step(
        &mut self,
        db: &Connection,
        chain: &Chain,
        row: &Row<'_>,
    ) -> rusqlite::Result<Option<Fault>> {
        let seq: i64 = row.get(0)?;
        let touched = self.touched.take();
        if seq <= self.last {
            // Before the first one that there is.
            return Ok(Some(Fault::Changed(seq)));
        }
        if seq > self.last + 1 {
            let (first, last) = (self.last + 1, seq - 1);
            return Ok(Some(match touched {
                Some(by) => Fault::NotTold { first, last, by },
                None => Fault::Removed(first, last),
            }));
        }
        match Fields::read(row) {
            Ok((record, hash)) if chain.hash(&record) == hash => {
                let follows = record.prev == self.before;
                (self.last, self.before) = (seq, hash);
                Ok((!follows).then_some(Fault::DoesNotFollow(seq)))
            }
            Ok((record, hash)) => moved(db, chain, &record, &hash).map(Some),
            Err(_) => Ok(Some(Fault::Changed(seq))),
        }
    }
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
/// have its line; those of later ones may be on their way. Lines of records that were removed by age
/// may still be there, in their order, or not.
pub(crate) fn lines(
    db: &Connection,
    dir: &Path,
    first: i64,
    due: i64,
) -> io::Result<(u64, Option<LineFault>)> {
    let mut walk = Walk {
        db,
        first,
        last: None,
        lines: 0,
    };
    let files = file::all(dir)?;
    for path in &files {
        if let Some(fault) = walk.file(path)? {
            return Ok((walk.lines, Some(fault)));
        }
    }
    let written = walk.last.map_or(0, |(seq, _)| seq).max(first - 1);
    let missing = (written < due).then(|| LineFault {
        file: files.last().cloned().unwrap_or_else(|| file::current(dir)),
        line: walk.last.map_or(0, |(_, line)| line) + 1,
        what: LineWrong::Missing(written + 1, due),
    });
    Ok((walk.lines, missing))
}

struct Walk<'a> {
    db: &'a Connection,
    /// The first record that the database has.
    first: i64,
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
        // Before the first record nothing must be there.
        let due = if seq < self.first {
            seq.max(expected)
        } else {
            expected.max(self.first)
        };
        if seq > due {
            return Ok(Some(LineWrong::Missing(due, seq - 1)));
        }
        if seq < expected {
            return Ok(Some(LineWrong::OutOfPlace(seq)));
        }
        self.last = Some((seq, number));
        if seq < self.first {
            return Ok(None);
        }
        let row = row_line(self.db, seq).map_err(io::Error::other)?;
        Ok(match row {
            None => Some(LineWrong::NotInDatabase(seq)),
            Some(row) => (row.as_bytes() != text).then_some(LineWrong::Differs(seq)),
        })
    }
}

/// The line that a row gives, an empty one where it cannot be read; none when there is no such row.
fn row_line(db: &Connection, seq: i64) -> rusqlite::Result<Option<String>> {
    const SQL: &str = concat!(
        "SELECT ",
        audit_columns!(),
        " FROM audit_log WHERE seq = ?1"
    );
    db.prepare_cached(SQL)?
        .query_row([seq], |row| {
            let read = Fields::read(row).ok();
            Ok(read.map_or_else(String::new, |(record, hash)| line(&record, &hash)))
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
