//! The chunk index: in which order the bytes of the two streams were read. Its format, and reading it;
//! `chunk_log` writes it.
//!
//! A record says that a stream had grown to an offset at a time. Records are 17 bytes:
//! stream (0 stdout, 1 stderr), offset and milliseconds since 1970, little endian. Bytes
//! that no record covers stand behind all others, stdout before stderr; so the file is
//! not written where that is the right order anyway.

use rustix::fd::OwnedFd;
use rustix::io::pread;
use stagedoor_domain::time::Timestamp;
use std::io;
use std::sync::Arc;

use crate::stream::{Pair, Stream};

/// Of a record in the file.
pub(crate) const SIZE: usize = 17;
/// Records in an index at most; what comes later has no order between the streams.
pub(crate) const MAX_RECORDS: u64 = 1_000_000;
/// Records read from the file at once.
const READ_AHEAD: usize = 240;

/// One entry of the chunk index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub stream: Stream,
    pub end: u64,
    pub time: Timestamp,
}

impl Record {
    pub fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[0] = u8::from(self.stream == Stream::Stderr);
        bytes[1..9].copy_from_slice(&self.end.to_le_bytes());
        bytes[9..].copy_from_slice(&self.time.millis().to_le_bytes());
        bytes
    }

    /// None for bytes that nobody wrote as a record.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (stream, rest) = bytes.split_first()?;
        let (end, time) = rest.split_at_checked(8)?;
        Some(Self {
            stream: match stream {
                0 => Stream::Stdout,
                1 => Stream::Stderr,
                _ => return None,
            },
            end: u64::from_le_bytes(end.try_into().ok()?),
            time: Timestamp::from_millis(i64::from_le_bytes(time.try_into().ok()?)),
        })
    }
}

/// The records of an attempt at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    file: Option<Arc<OwnedFd>>,
    filed: u64,
    waiting: Vec<Record>,
    /// The records from `read_at` on, read ahead.
    read: Vec<Record>,
    read_at: u64,
}

impl Records {
    /// Those of a live attempt: so many in the file, and what is not written yet.
    pub fn new(file: Option<Arc<OwnedFd>>, filed: u64, waiting: Vec<Record>) -> Self {
        Self {
            file,
            filed,
            waiting,
            ..Self::default()
        }
    }

    /// Those of an ended attempt.
    pub fn of_file(file: Arc<OwnedFd>) -> io::Result<Self> {
        // No index has more; a file that is longer is not worth the time to read it.
        let filed = (file_size(&file)? / SIZE as u64).min(MAX_RECORDS);
        Ok(Self {
            file: Some(file),
            filed,
            ..Self::default()
        })
    }

    /// Those of a test.
    #[cfg(test)]
    pub fn of(waiting: Vec<Record>) -> Self {
        Self {
            waiting,
            ..Self::default()
        }
    }

    /// The record with this number, if there are so many and it is one.
    pub fn get(&mut self, number: u64) -> io::Result<Option<Record>> {
        if let Some(behind) = number.checked_sub(self.filed) {
            let place = usize::try_from(behind).unwrap_or(usize::MAX);
            return Ok(self.waiting.get(place).copied());
        }
        let ahead = |this: &Self| {
            let place = number.checked_sub(this.read_at)?;
            this.read.get(usize::try_from(place).ok()?).copied()
        };
        if let Some(record) = ahead(self) {
            return Ok(Some(record));
        }
        self.read_from(number)?;
        Ok(ahead(self))
    }

    fn read_from(&mut self, number: u64) -> io::Result<()> {
        self.read.clear();
        self.read_at = number;
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut bytes = [0; READ_AHEAD * SIZE];
        let count = pread(file, &mut bytes, number * SIZE as u64)?;
        let left = usize::try_from(self.filed - number).unwrap_or(usize::MAX);
        let whole = bytes.get(..count).unwrap_or_default().chunks_exact(SIZE);
        self.read
            .extend(whole.take(left).map_while(Record::from_bytes));
        Ok(())
    }

    /// How many records agree with segments of these sizes, how far they reach in each, and how many bytes
    /// the next one knows of that its segment does not have.
    pub fn sound(&mut self, sizes: Pair<u64>) -> io::Result<(u64, Pair<u64>, u64)> {
        let mut covered = Pair::<u64>::default();
        let mut number = 0;
        while let Some(record) = self.get(number)? {
            let reach = covered.of_mut(record.stream);
            let missing = record.end.saturating_sub(*sizes.of(record.stream));
            if record.end < *reach || missing > 0 {
                return Ok((number, covered, missing));
            }
            *reach = record.end;
            number += 1;
        }
        Ok((number, covered, 0))
    }
}

pub(crate) fn file_size(file: &OwnedFd) -> io::Result<u64> {
    Ok(rustix::fs::fstat(file)?.st_size.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_longer_than_any_index_costs_no_more_than_the_longest() {
        let file = tempfile::tempfile().expect("file");
        file.set_len(1 << 40).expect("a sparse file");
        let records = Records::of_file(Arc::new(file.into())).expect("opened");
        assert_eq!(records.filed, MAX_RECORDS);
    }
}
