//! A record as its columns are, whatever stands in them: what is hashed, written and compared.

use rusqlite::types::{FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Result, Row};

/// The columns of [`Fields`], in its order.
macro_rules! audit_columns {
    () => {
        "seq, at, actor, user_id, user_name, number, address, act, target, outcome, detail, prev, \
         hash"
    };
}
pub(crate) use audit_columns;

/// A hash of the chain.
pub(crate) type Hash = [u8; 32];

/// One record. Its texts are borrowed from an entry, or from a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fields<'a> {
    pub seq: i64,
    pub at: i64,
    pub actor: &'a str,
    pub user_id: Option<i64>,
    pub user_name: Option<&'a str>,
    pub number: Option<i64>,
    pub address: Option<&'a str>,
    pub act: &'a str,
    pub target: &'a str,
    pub outcome: &'a str,
    /// JSON, as it was written.
    pub detail: &'a str,
    pub prev: Hash,
}

impl<'a> Fields<'a> {
    /// The record and its own hash, from a row of [`audit_columns`].
    pub fn read(row: &'a Row<'_>) -> Result<(Self, Hash)> {
        let text = |at| convert(at, row.get_ref(at)?.as_str());
        let fields = Self {
            seq: row.get(0)?,
            at: row.get(1)?,
            actor: text(2)?,
            user_id: row.get(3)?,
            user_name: convert(4, row.get_ref(4)?.as_str_or_null())?,
            number: row.get(5)?,
            address: convert(6, row.get_ref(6)?.as_str_or_null())?,
            act: text(7)?,
            target: text(8)?,
            outcome: text(9)?,
            detail: text(10)?,
            prev: hash(row, 11)?,
        };
        Ok((fields, hash(row, 12)?))
    }
}

fn hash(row: &Row<'_>, column: usize) -> Result<Hash> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => bytes
            .try_into()
            .map_err(|_| failed(column, FromSqlError::InvalidType)),
        _ => Err(failed(column, FromSqlError::InvalidType)),
    }
}

fn convert<T>(column: usize, value: FromSqlResult<T>) -> Result<T> {
    value.map_err(|error| failed(column, error))
}

fn failed(column: usize, error: FromSqlError) -> rusqlite::Error {
    let kind = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}
