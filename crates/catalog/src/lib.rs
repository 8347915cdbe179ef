//! Finds the scripts below one folder and reads their definitions.
//!
//! The format is read by pure modules: `block` takes a definition out of a file's comments,
//! `script` and `param` turn its keys into the domain's types; what they must know about the
//! machine they ask the port in `machine`. Only `root`, `reach`, `watch` and `paths` touch the file
//! system. `tree` keeps what was read, so that only what changed is read again, `notice` knows
//! whether that must be without reading a file, and a [`Snapshot`] is what everybody else sees. Nothing here starts a process or knows who asks.
#![forbid(unsafe_code)]

mod access;
mod block;
mod catalog;
mod check;
mod credentials;
mod docs;
mod environment;
mod folder;
mod keys;
mod launch;
mod machine;
mod names;
mod notice;
mod options;
mod param;
mod paths;
mod reach;
mod read;
mod root;
mod run_as;
mod sandbox;
mod script;
mod shebang;
mod snapshot;
mod source;
mod texts;
mod tree;
mod trust;
mod venv;
mod watch;

pub use catalog::{Catalog, CatalogError, open_folder};
pub use check::{Checked, check_folder, check_opened};
pub use docs::Docs;
pub use options::Options;
pub use paths::{path_choices, path_exists};
pub use reach::closed_folder;
pub use snapshot::{Broken, Folder, Skipped, Snapshot};
pub use stagedoor_config::document::{Problem, harmless_text};
