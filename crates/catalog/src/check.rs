//! All mistakes of a folder at once, for `stagedoor check`.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use stagedoor_config::document::{Problem, Problems};

use crate::catalog::{Catalog, CatalogError, open_folder};
use crate::options::Options;
use crate::snapshot::{Skipped, Snapshot};

/// What was found in a folder.
#[derive(Debug)]
pub struct Checked {
    /// What would be published.
    pub snapshot: Arc<Snapshot>,
    /// Every mistake, by file, line and column.
    pub problems: Vec<Problem>,
    /// Files that are not looked at, and why.
    pub skipped: Vec<Skipped>,
}

/// Reads all definitions below a folder and tells everything that is wrong with them.
///
/// # Errors
/// The folder cannot be opened.
pub fn check_folder(path: &Path, options: Options) -> Result<Checked, CatalogError> {
    check_opened(open_folder(path)?, path, options)
}

/// The same with a folder that is open: as a server that opened it with more rights than it reads it with.
///
/// # Errors
/// The path cannot be used.
pub fn check_opened(root: OwnedFd, path: &Path, options: Options) -> Result<Checked, CatalogError> {
    let snapshot = Catalog::open(root, path, options)?.snapshot();
    let problems: Problems = snapshot
        .broken()
        .iter()
        .flat_map(|broken| broken.problems.clone())
        .collect();
    Ok(Checked {
        // A folder's mistake breaks every script below it, and is told once.
        problems: problems.sorted(),
        skipped: snapshot.skipped().to_vec(),
        snapshot,
    })
}
