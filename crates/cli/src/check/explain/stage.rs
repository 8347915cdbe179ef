//! Where `check --explain` lets a runner look how it would start a script: places of its own, which are
//! removed afterwards, and the real state directory beside them where there is one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use stagedoor_domain::time::Chance;

use crate::serve::scripts::Places;

/// Where everybody may make folders, and scripts of a server that root starts have theirs.
const ABOVE: &str = "/var/tmp";

/// Removed when it is dropped.
pub struct Stage {
    dir: PathBuf,
    name: String,
}

impl Stage {
    /// A new folder, which the accounts of scripts may enter.
    pub fn make(chance: &dyn Chance) -> anyhow::Result<Self> {
        let mut number = [0; 8];
        chance.fill(&mut number);
        let name = format!("stagedoor-explain-{:016x}", u64::from_be_bytes(number));
        let dir = Path::new(ABOVE).join(&name);
        let make = || {
            fs::create_dir(&dir)?;
            fs::set_permissions(&dir, Permissions::from_mode(0o711))
        };
        make().with_context(|| format!("could not make {}", dir.display()))?;
        Ok(Self { dir, name })
    }

    /// For a runner whose state would lie here. Its socket is never made; with its name come cgroups
    /// that are no other runner's.
    pub fn places(&self, state: &Path) -> anyhow::Result<Places> {
        let there = state.canonicalize().ok().filter(|state| state.is_dir());
        let state = match there {
            Some(state) => state,
            None => self.empty_state()?,
        };
        Ok(Places {
            socket: state.join(&self.name),
            scratch: self.dir.join("scratch"),
        })
    }

    /// A server that starts for the first time makes its own.
    fn empty_state(&self) -> anyhow::Result<PathBuf> {
        let state = self.dir.join("state");
        fs::create_dir(&state).with_context(|| format!("could not make {}", state.display()))?;
        fs::set_permissions(&state, Permissions::from_mode(0o700))?;
        Ok(state)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("note: {} could not be removed: {error}", self.dir.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::KernelChance;

    #[test]
    fn nothing_is_left_of_a_stage_and_the_real_state_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("there");
        let stage = Stage::make(&KernelChance).expect("made");
        let dir = stage.dir.clone();
        let beside = stage.places(&real).expect("places");
        assert_eq!(beside.socket.parent(), Some(&*real));
        assert!(beside.scratch.starts_with(&dir));
        let without = stage.places(&real.join("not-yet")).expect("places");
        assert!(without.socket.starts_with(&dir));
        drop(stage);
        assert!(!dir.exists());
        assert_eq!(fs::read_dir(&real).expect("there").count(), 0);
    }
}
