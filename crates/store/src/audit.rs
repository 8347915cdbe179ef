//! The audit log: records in a chain, each written in the transaction of the act that it tells of.
//!
//! Each record holds the hash of the one before and its own, HMAC-SHA-256 under a key that is a
//! file beside the database ([`key`]). Whoever has the database but not that file cannot change,
//! move, add or leave out a record without [`verify`] naming it; the end of the chain is held by a
//! mark under the same key. Whoever has both can write the log anew: against them helps a copy
//! elsewhere, of the file of lines ([`file`]) or of the hash at the end.

mod append;
mod chain;
mod fault;
mod fields;
mod file;
mod key;
mod line;
mod log;
mod page;
mod record;
mod scribe;
mod trim;
mod verify;

pub(crate) use append::{Happened, Refusal, append};
pub(crate) use chain::Chain;
pub use fault::{Fault, LineFault, LineWrong, Verified};
pub(crate) use file::Lines;
pub(crate) use key::{begin as begin_chain, open as open_key};
pub use log::AuditLog;
pub use page::{AuditCursor, AuditFilter, AuditPage};
pub use record::AuditRecord;
pub(crate) use scribe::{Bell, start as start_scribe};
pub use trim::{Old, Start, Trimmed};
