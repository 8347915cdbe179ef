//! Which runner the attempts of the database were handed to, for the next server.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::{State, write_whole};

/// The runner of this server, to be written down.
pub struct RunnerNote {
    path: PathBuf,
    runner: String,
}

impl State {
    /// The runner that the server before this one wrote down.
    pub fn earlier_runner(&self) -> Option<String> {
        fs::read_to_string(self.note_path()).ok()
    }

    /// A note that says which runner this server has.
    pub fn runner_note(&self, runner: String) -> RunnerNote {
        let path = self.note_path();
        RunnerNote { path, runner }
    }

    fn note_path(&self) -> PathBuf {
        self.dir.join("runner.id")
    }
}

impl RunnerNote {
    /// To be called once nothing in the database was handed to another runner, unless the database
    /// says how that ended. Without a note the next server knows less, and is only more careful.
    pub fn write(&self) {
        let write = || -> io::Result<()> {
            if fs::read_to_string(&self.path).is_ok_and(|known| known == self.runner) {
                return Ok(());
            }
            write_whole(&self.path, 0o600, self.runner.as_bytes())
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "could not write {}", self.path.display());
        }
    }
}
