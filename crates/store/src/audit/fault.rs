//! What `verify` finds, and how it says so.

use std::fmt;
use std::path::PathBuf;

use super::trim::Start;

/// What a look at the whole log has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Where it begins: old records may have been removed.
    pub start: Start,
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
    /// These are gone from the front; `by` may have told that they were removed by age, but cannot
    /// be believed.
    NotTold {
        /// The first that is gone.
        first: i64,
        /// The last.
        last: i64,
        /// The record of a removal that was changed, or put there.
        by: i64,
    },
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
            Self::NotTold { first, last, by } => write!(
                f,
                "records {first} to {last} were removed, and record {by}, which would tell of a \
                 removal by age, was changed, or put there"
            ),
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
