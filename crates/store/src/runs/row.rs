//! A run's row as a record.

use rusqlite::Row;
use rusqlite::types::FromSqlError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State, StopCause};
use stagedoor_domain::time::Timestamp;

use super::RunRecord;
use crate::users::unreadable;

/// The columns of a run, in the order of [`read_run`]; the argument is `"secrets"`, or `"NULL"`
/// where nobody needs them.
macro_rules! run_columns {
    ($secrets:literal) => {
        concat!(
            "id, script, user_id, user_name, args, ",
            $secrets,
            ", state, epoch, stop, outcome, reason, exit_code, signal, leftovers, stdout_bytes, \
             stderr_bytes, created_at, started_at, ended_at, request_key, fingerprint, request_digest, \
             enforced"
        )
    };
}
pub(super) use run_columns;

/// Reads what [`run_columns`] selects.
pub(super) fn read_run(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: RunId::from_bytes(row.get(0)?),
        script: ScriptName::parse(text(row, 1)?).map_err(unreadable)?,
        user: UserId(row.get(2)?),
        user_name: UserName::parse(text(row, 3)?).map_err(unreadable)?,
        args: serde_json::from_str(text(row, 4)?).map_err(unreadable)?,
        secrets: row.get(5)?,
        state: word(row, 6, State::parse)?.ok_or_else(|| unreadable(FromSqlError::InvalidType))?,
        epoch: Epoch(row.get(7)?),
        stop: word(row, 8, StopCause::parse)?,
        outcome: word(row, 9, Outcome::parse)?,
        reason: row.get(10)?,
        exit_code: row.get(11)?,
        signal: row.get(12)?,
        leftovers: row.get(13)?,
        stdout_bytes: row.get::<_, i64>(14)?.unsigned_abs(),
        stderr_bytes: row.get::<_, i64>(15)?.unsigned_abs(),
        created_at: Timestamp::from_millis(row.get(16)?),
        started_at: row.get::<_, Option<i64>>(17)?.map(Timestamp::from_millis),
        ended_at: row.get::<_, Option<i64>>(18)?.map(Timestamp::from_millis),
        request_key: row.get(19)?,
        fingerprint: json(row, 20)?,
        request_digest: row.get(21)?,
        enforced: json(row, 22)?,
    })
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    row.get_ref(column)?.as_str().map_err(unreadable)
}

/// A word of the domain; one that the domain does not know is an error, not an absence.
fn word<T>(
    row: &Row<'_>,
    column: usize,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let stored = row.get_ref(column)?.as_str_or_null().map_err(unreadable)?;
    let unknown = || unreadable(FromSqlError::InvalidType);
    stored
        .map(|word| parse(word).ok_or_else(unknown))
        .transpose()
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let stored = row.get_ref(column)?.as_str_or_null().map_err(unreadable)?;
    let read = |text: &str| serde_json::from_str(text).map_err(unreadable);
    stored.map(read).transpose()
}

pub(super) fn millis(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::millis)
}

/// Sizes beyond 8 EiB do not occur.
pub(super) fn to_i64(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A value as [`read_run`] reads it.
pub(super) fn to_json(value: Option<&impl Serialize>) -> rusqlite::Result<Option<String>> {
    let text = value.map(serde_json::to_string).transpose();
    text.map_err(unreadable)
}
