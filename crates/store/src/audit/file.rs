//! The file of lines: `logs/audit.jsonl` in the state directory, for its owner alone.
//!
//! It is written from the rows, so what a crash left out is caught up, and several processes may
//! do so: each holds a lock meanwhile and goes on behind the last whole line. A large one is put
//! aside under the number of its first record; few of those are kept, because the rows are. What was
//! removed from the rows by age goes from here with its whole file.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::OFlags;
use serde_json::Value;

use super::chain::Chain;
use super::fields::{Fields, audit_columns};
use super::line::line;
use super::trim::Start;

/// The folder in the state directory, and the file in it.
const FOLDER: &str = "logs";
const NAME: &str = "audit.jsonl";
/// A file that has grown to this size is put aside.
const LARGEST: u64 = 64 << 20;
/// So many are kept that were put aside.
const KEPT: usize = 4;
/// Longest line that one of ours can be, and how much of an end is looked at for one.
pub(crate) const LONGEST_LINE: u64 = 1 << 20;
/// Rows that are read at once.
const AT_ONCE: i64 = 512;

/// The files, in the order of their records.
pub(crate) fn all(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = put_aside(&dir.join(FOLDER))?;
    let last = current(dir);
    if last.exists() {
        files.push(last);
    }
    Ok(files)
}

/// The file that is written to.
pub(crate) fn current(dir: &Path) -> PathBuf {
    dir.join(FOLDER).join(NAME)
}

/// The number of the first record in a file that was put aside, by its name.
pub(crate) fn first_by_name(path: &Path) -> Option<i64> {
    let name = path.file_name()?.to_str()?;
    let number = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    number.parse().ok()
}

/// The files that were put aside, oldest first.
fn put_aside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        files.extend(first_by_name(&path).map(|first| (first, path)));
    }
    files.sort_unstable();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// The record of the last line; 0 where there is none.
pub(crate) fn last(dir: &Path) -> io::Result<i64> {
    let Some(path) = all(dir)?.pop() else {
        return Ok(0);
    };
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    match end_of(&mut file, size)?.last {
        None if size == 0 => last_put_aside(&dir.join(FOLDER)),
        last => Ok(last.unwrap_or(0)),
    }
}

/// Keeps the file as it is while this lives; none when there is no file.
pub(crate) fn hold(dir: &Path) -> io::Result<Option<File>> {
    match File::open(current(dir)) {
        Ok(file) => file.lock_shared().map(|()| Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The file that is written to, and what is known of its end.
pub(crate) struct Lines {
    folder: PathBuf,
    chain: Chain,
    largest: u64,
    /// The first record of the log, as it was last seen.
    first: i64,
    open: Option<Open>,
}

struct Open {
    file: File,
    /// The size behind the last line that was written here, and its record.
    size: u64,
    last: i64,
}

impl Lines {
    /// In this state directory; nothing is opened yet.
    pub fn of(dir: &Path, chain: Chain) -> Self {
        Self {
            folder: dir.join(FOLDER),
            chain,
            largest: LARGEST,
            first: 0,
            open: None,
        }
    }

    /// Appends a line for each record that has none yet. Whether all is well: false when the file
    /// tells of records that the database does not have.
    pub fn catch_up(&mut self, db: &Connection) -> io::Result<bool> {
        let mut open = self.locked()?;
        let result = open.append(db);
        let is_large = open.size >= self.largest;
        // Where the file disagrees with the database, it stays as it is.
        let is_well = matches!(result, Ok(true));
        let is_old = is_well && self.drop_old(db, &open)?;
        if result.is_ok() && (is_large || is_old) {
            self.put_away(&open)?;
            return result;
        }
        open.file.unlock()?;
        // After an error nothing is known of the end.
        self.open = result.is_ok().then_some(open);
        result
    }

    /// The file with its lock, and its end as it is.
    fn locked(&mut self) -> io::Result<Open> {
        let path = self.folder.join(NAME);
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => Open::new(&self.folder, &path)?,
            };
            open.file.lock()?;
            let metadata = open.file.metadata()?;
            // Another process may have put it aside, or somebody removed it.
            let is_current = fs::symlink_metadata(&path)
                .is_ok_and(|found| (found.ino(), found.dev()) == (metadata.ino(), metadata.dev()));
            if !is_current {
                continue;
            }
            if metadata.len() != open.size {
                open.look_at_end(&self.folder)?;
            }
            return Ok(open);
        }
    }

    /// Removes files of which every record was removed by age. Whether the present one begins with
    /// such a record: it is to be put aside, and goes when the next one has come as far.
    fn drop_old(&mut self, db: &Connection, open: &Open) -> io::Result<bool> {
        let start = Start::of(db, &self.chain).map_err(io::Error::other)?;
        if start.first <= self.first {
            return Ok(false);
        }
        self.first = start.first;
        let (files, begins) = (put_aside(&self.folder)?, open.first()?);
        let next = files.iter().skip(1).map(|path| first_by_name(path));
        for (file, next) in files.iter().zip(next.chain([begins])) {
            if next.is_some_and(|next| next <= start.first) {
                fs::remove_file(file)?;
            }
        }
        Ok(begins.is_some_and(|begins| begins < start.first))
    }

    /// Under the number of its first record; the lock goes with it.
    fn put_away(&self, open: &Open) -> io::Result<()> {
        let first = open.first()?.unwrap_or(0);
        let aside = self.folder.join(format!("audit-{first:016}.jsonl"));
        fs::rename(self.folder.join(NAME), aside)?;
        let files = put_aside(&self.folder)?;
        let old = files.len().saturating_sub(KEPT);
        files.iter().take(old).try_for_each(fs::remove_file)
    }
}

impl Open {
    fn new(folder: &Path, path: &Path) -> io::Result<Self> {
        // Never the folder above: where the state is gone, nothing is begun in its place.
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        if file.metadata()?.permissions().mode() & 0o177 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(Self {
            file,
            // No file has this size, so one looks.
            size: u64::MAX,
            last: 0,
        })
    }

    /// The record of its first line; none when there is no such line.
    fn first(&self) -> io::Result<Option<i64>> {
        let mut line = Vec::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        BufReader::new(file)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        Ok(seq_of(&line))
    }

    /// Finds the last record, and cuts off what follows its line: a line that was not finished.
    fn look_at_end(&mut self, folder: &Path) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let end = end_of(&mut self.file, size)?;
        let whole = size - end.torn;
        if end.torn > 0 {
            self.file.set_len(whole)?;
        }
        self.size = whole;
        self.last = match end.last {
            Some(seq) => seq,
            None if whole > 0 => {
                let text = "the last line of logs/audit.jsonl is none of the audit log";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            None => last_put_aside(folder)?,
        };
        Ok(())
    }

    fn append(&mut self, db: &Connection) -> io::Result<bool> {
        const ENDS_AT: &str = "SELECT seq FROM audit_head";
        let ends_at: i64 = db
            .prepare_cached(ENDS_AT)
            .and_then(|mut head| head.query_row([], |row| row.get(0)))
            .map_err(io::Error::other)?;
        loop {
            let (text, last) = lines_behind(db, self.last).map_err(io::Error::other)?;
            if last == self.last {
                return Ok(self.last <= ends_at);
            }
            self.file.write_all(text.as_bytes())?;
            self.size += text.len() as u64;
            self.last = last;
        }
    }
}

/// The lines of the next records, and the last one's number. One that cannot be read was touched: it
/// has no line, but those behind it have theirs.
fn lines_behind(db: &Connection, last: i64) -> rusqlite::Result<(String, i64)> {
    const SQL: &str = concat!(
        "SELECT ",
        audit_columns!(),
        " FROM audit_log WHERE seq > ?1 ORDER BY seq LIMIT ?2"
    );
    let mut text = String::new();
    let mut last = last;
    let mut statement = db.prepare_cached(SQL)?;
    let mut rows = statement.query((last, AT_ONCE))?;
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let Ok((record, hash)) = Fields::read(row) else {
            tracing::error!(
                "record {last} of the audit log is not as it was written; run: stagedoor audit-log \
                 verify"
            );
            continue;
        };
        text.push_str(&line(&record, &hash));
    }
    Ok((text, last))
}

struct End {
    /// Bytes behind the last newline.
    torn: u64,
    /// The record of the last whole line; none when there is no such line, or it is none of ours.
    last: Option<i64>,
}

fn end_of(file: &mut File, size: u64) -> io::Result<End> {
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(2 * LONGEST_LINE)))?;
    file.take(2 * LONGEST_LINE).read_to_end(&mut tail)?;
    let whole = memchr_last(&tail).map_or(0, |at| at + 1);
    let (lines, torn) = tail.split_at(whole);
    let line = lines.split_inclusive(|byte| *byte == b'\n').next_back();
    Ok(End {
        torn: torn.len() as u64,
        last: line.and_then(seq_of),
    })
}

fn memchr_last(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|byte| *byte == b'\n')
}

/// The last record in what was put aside; 0 when there is none.
fn last_put_aside(folder: &Path) -> io::Result<i64> {
    let Some(path) = put_aside(folder)?.pop() else {
        return Ok(0);
    };
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok(end_of(&mut file, size)?.last.unwrap_or(0))
}

/// The number of a line's record, if it is one.
pub(crate) fn seq_of(line: &[u8]) -> Option<i64> {
    let value: Value = serde_json::from_slice(line).ok()?;
    value.get("seq")?.as_i64()
}

#[cfg(test)]
mod tests;
