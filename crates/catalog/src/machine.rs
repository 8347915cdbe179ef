//! What reading a definition must know about the machine, as a port: so that reading stays pure.

use stagedoor_domain::script::Fingerprint;

use crate::trust::Marks;

/// A file below the catalog's root.
#[derive(Debug, Clone)]
pub(crate) struct FileFacts {
    /// Permission and special bits.
    pub mode: u32,
    /// What they do not show.
    pub marks: Marks,
    /// Which file it is.
    pub fingerprint: Fingerprint,
    /// Its first bytes; none when it may not be read.
    pub head: Option<Vec<u8>>,
}

/// Why a file below the root cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoFile {
    /// Nothing of this name.
    #[error("there is no such file")]
    Missing,
    /// A symbolic link, or one on the way to it.
    #[error("it is a symbolic link, and links are not followed")]
    Link,
    /// A folder, device, socket or the like.
    #[error("it is not a regular file")]
    NotRegular,
    /// The system said no.
    #[error("it cannot be opened: {0}")]
    Io(rustix::io::Errno),
}

/// A program outside the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// A file with an execute bit.
    Runnable,
    /// A file without.
    NotExecutable,
    /// No such file.
    Missing,
    /// A folder on the way lets this account not through, so nobody knows whether it is there.
    Closed {
        /// The first one.
        folder: String,
        /// Whom.
        uid: u32,
    },
}

/// Facts about the machine.
pub(crate) trait Machine {
    /// A program by its absolute path.
    fn program(&self, path: &str) -> Program;
    /// A file below the root, by its path relative to it.
    fn file(&self, path: &str) -> Result<FileFacts, NoFile>;
}

/// Looks for a bare name in the folders of a search path, as a shell would.
pub(crate) fn search(machine: &dyn Machine, folders: &[String], name: &str) -> Option<String> {
    folders
        .iter()
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| format!("{}/{name}", folder.trim_end_matches('/')))
        .find(|path| machine.program(path) == Program::Runnable)
}

/// `folder/name`, or `name` in the root.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
