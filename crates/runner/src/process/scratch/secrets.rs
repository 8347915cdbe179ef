//! The files that hold an attempt's secrets. They are gone before anybody is told that it has ended,
//! and not only when the server has noted that and lets go of the attempt.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode};

/// What is to be removed as soon as the last process of an attempt is gone.
pub(super) struct Secrets {
    /// The folder as it was made: a script may have put something else in its place.
    folder: OwnedFd,
    names: Vec<String>,
}

impl Secrets {
    pub(super) fn new(folder: OwnedFd) -> Self {
        Self {
            folder,
            names: Vec::new(),
        }
    }

    pub(super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    pub(super) fn add(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    /// Removes the files. What the script made of them itself goes with its folder.
    pub(super) fn remove(&self) {
        // An ordinary account needs the right to write in its own folder.
        let _ = rustix::fs::fchmod(&self.folder, Mode::RWXU);
        for name in &self.names {
            // The script may have removed it, or made a folder of it.
            let _ = rustix::fs::unlinkat(&self.folder, &**name, AtFlags::empty());
        }
    }
}
