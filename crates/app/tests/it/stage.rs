//! The files of a house: scripts, what they share with the test, and the rows of the store.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use stagedoor_domain::id::RunId;
use stagedoor_store::RunRecord;

use crate::house::House;

impl House {
    pub fn state(&self) -> PathBuf {
        self.base.path().join("state")
    }

    pub fn scripts(&self) -> PathBuf {
        self.base.path().join("scripts")
    }

    fn stage(&self, file: &str) -> PathBuf {
        self.base.path().join("stage").join(file)
    }

    pub fn write_script(&self, file: &str, text: &str) {
        let path = self.scripts().join(file);
        let stage = self.base.path().join("stage");
        let text = text.replace("@STAGE@", stage.to_str().expect("text"));
        std::fs::write(&path, text).expect("written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("made executable");
    }

    /// Lets scripts that wait at this gate go on.
    pub fn open_gate(&self, gate: &str) {
        std::fs::write(self.stage(gate), "").expect("written");
    }

    /// What scripts wrote to a file of the stage; empty when there is none yet.
    pub fn on_stage(&self, file: &str) -> String {
        std::fs::read_to_string(self.stage(file)).unwrap_or_default()
    }

    /// Waits until scripts wrote exactly this.
    pub async fn await_on_stage(&self, file: &str, text: &str) {
        for _ in 0..1500 {
            if self.on_stage(file) == text {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{file} is {:?}, not {text:?}", self.on_stage(file));
    }

    /// The record of a run, which must be there.
    pub async fn row(&self, id: RunId) -> RunRecord {
        self.store()
            .run(id)
            .await
            .expect("the store")
            .expect("a row")
    }

    /// Waits until the record of a run is as it should be.
    pub async fn await_row(&self, id: RunId, is: impl Fn(&RunRecord) -> bool) -> RunRecord {
        for _ in 0..1500 {
            let row = self.row(id).await;
            if is(&row) {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the row is {:?}", self.row(id).await);
    }
}
