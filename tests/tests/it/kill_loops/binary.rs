//! The program under test: where it was built, or where one copy is replaced by another.

use std::fs;
use std::path::PathBuf;

use super::chance::Dice;
use super::stage::Stage;
use crate::program;

pub struct Binary {
    /// What is started next.
    pub path: PathBuf,
    replaced: u32,
}

impl Binary {
    /// Never replaced.
    pub fn fixed() -> Self {
        Self {
            path: program::binary(),
            replaced: 0,
        }
    }

    /// A copy in a place of its own.
    pub fn replaceable(stage: &Stage) -> Self {
        let path = stage.binaries().join("stagedoor");
        fs::copy(program::binary(), &path).expect("a copy");
        Self { path, replaced: 0 }
    }

    /// While it runs: another file takes its place, or it is removed and another one lies beside.
    pub fn replace(&mut self, dice: &mut Dice) {
        self.replaced += 1;
        let new = self
            .path
            .with_file_name(format!("stagedoor-{}", self.replaced));
        fs::copy(program::binary(), &new).expect("a copy");
        if dice.percent(60) {
            fs::rename(new, &self.path).expect("mv");
        } else {
            fs::remove_file(&self.path).expect("rm");
            self.path = new;
        }
    }
}
