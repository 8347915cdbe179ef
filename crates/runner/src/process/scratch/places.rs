//! Where an attempt finds what it has for itself.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::cell::CREDENTIALS;

/// One attempt's folder.
pub(in crate::process) struct Places {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Each private file with its path below the folder.
    pub(super) files: BTreeMap<String, PathBuf>,
}

impl Places {
    /// The folder's name, by which it is removed.
    pub(in crate::process) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub(in crate::process) fn path(&self) -> &Path {
        &self.path
    }

    fn below(&self, part: impl AsRef<Path>) -> Vec<u8> {
        self.path.join(part).into_os_string().as_bytes().to_vec()
    }

    /// `HOME`.
    pub(in crate::process) fn home(&self) -> Vec<u8> {
        self.below("home")
    }

    /// `TMPDIR`.
    pub(in crate::process) fn tmp(&self) -> Vec<u8> {
        self.below("tmp")
    }

    /// `CREDENTIALS_DIRECTORY`.
    pub(in crate::process) fn credentials(&self) -> Vec<u8> {
        self.below(CREDENTIALS)
    }

    /// The path of a private file.
    pub(in crate::process) fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.files.get(name).map(|path| self.below(path))
    }
}
