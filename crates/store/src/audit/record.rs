//! A record as the store's callers see it.

use serde_json::{Map, Value};
use stagedoor_domain::time::Timestamp;

use super::fields::{Fields, Hash};
use super::line::{hex, line};

/// A record of the audit log, as it was written. Its words are texts, because a newer Stagedoor may
/// have written them.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its number, from 1.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What kind of actor: `user`, `token`, `command_line`, `server`, `stranger`.
    pub actor: String,
    /// The account whose rights were used: its id.
    pub user_id: Option<i64>,
    /// And its name at that time.
    pub user: Option<String>,
    /// The number of the token, or the user id at the command line.
    pub number: Option<i64>,
    /// The client's address.
    pub address: Option<String>,
    /// What was done.
    pub act: String,
    /// To what.
    pub target: String,
    /// `done`, `refused` or `failed`.
    pub outcome: String,
    /// More of it, by name.
    pub detail: Map<String, Value>,
    /// The hash of the record before, in hex digits.
    pub prev: String,
    /// Its own hash, in hex digits.
    pub hash: String,
    /// Itself as a line of JSON, with its newline.
    pub line: String,
}

impl AuditRecord {
    pub(crate) fn of(record: &Fields<'_>, hash: &Hash) -> Self {
        Self {
            seq: record.seq,
            at: Timestamp::from_millis(record.at),
            actor: record.actor.to_owned(),
            user_id: record.user_id,
            user: record.user_name.map(str::to_owned),
            number: record.number,
            address: record.address.map(str::to_owned),
            act: record.act.to_owned(),
            target: record.target.to_owned(),
            outcome: record.outcome.to_owned(),
            // What is no object was put there by somebody else; the line shows it.
            detail: serde_json::from_str(record.detail).unwrap_or_default(),
            prev: hex(&record.prev),
            hash: hex(hash),
            line: line(record, hash),
        }
    }
}
