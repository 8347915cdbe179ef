//! What Stagedoor remembers: users, the setup link, sessions, tokens and runs.
//!
//! The public types say nothing of the database behind them. It is `SQLite`: one writer thread that
//! puts every job that waits into one transaction, and reader threads with connections of their
//! own. A write that was answered is on the disk: it survives `kill -9` and loss of power.
//!
//! Nothing here decides: who may do what, what has expired and what a run's next state is, is
//! settled by the caller. The one rule kept here is fencing: a record of an older epoch, or
//! one after the first that ended the run, changes nothing.
#![forbid(unsafe_code)]

mod audit;
mod connection;
mod error;
mod external_users;
mod failures;
mod grants;
mod groups;
mod health;
#[doc(hidden)]
pub mod in_line;
mod known_addresses;
mod password_links;
mod readers;
mod runs;
mod schema;
mod secrets;
mod sessions;
mod setup;
mod store;
mod tokens;
mod users;
mod writer;

pub use audit::{
    AuditCursor, AuditFilter, AuditLog, AuditPage, AuditRecord, Fault, LineFault, LineWrong, Old,
    Start, Trimmed, Verified,
};
pub use error::{OpenError, StoreError};
pub use failures::{FailureKind, FailurePlace, FailureRecord};
pub use grants::{GrantId, StoredGrants};
pub use groups::{RenameError, Renamed};
pub use runs::{
    Cursor, Inserted, LONGEST_PAGE, Page, RunFilter, RunRecord, RunUpdate, UNMASKED_AT_ONCE,
    Visible,
};
pub use secrets::{
    MOST_SECRETS, NewSecret, Put, Resealed, Seal, SealAgain, SealedSecret, SecretRecord,
};
pub use sessions::{MOST_SESSIONS, Renewal, SessionRecord};
pub use setup::SetupError;
pub use store::Store;
pub use tokens::{AddTokenError, MOST_TOKENS, NewToken, TokenId, TokenRecord};
pub use users::{AddUserError, ChangeUserError, NewUser, UserRecord};

/// The version of the database that is compiled in, for `--version`.
pub fn database_version() -> &'static str {
    rusqlite::version()
}
