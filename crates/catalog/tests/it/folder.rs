//! A folder of scripts that a test fills.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stagedoor_catalog::{Catalog, Checked, Options, check_folder};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;
use stagedoor_domain::time::{Clock, Timestamp};

#[derive(Default)]
pub struct StandingClock(AtomicU64);

impl StandingClock {
    pub fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

pub fn options() -> Options {
    Options::new(Arc::new(StandingClock::default()))
}

pub struct ScriptFolder {
    dir: tempfile::TempDir,
}

impl ScriptFolder {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::new();
        for (name, content) in files {
            folder.write(name, content);
        }
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file; what is not TOML gets the execute bit.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, content).expect("a file");
        self.chmod(name, if name.contains(".toml") { 0o644 } else { 0o755 });
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("chmod");
    }

    pub fn catalog(&self) -> Catalog {
        Catalog::open_path(self.root(), options()).expect("a catalog")
    }

    pub fn check(&self) -> Checked {
        check_folder(self.root(), options()).expect("a folder")
    }

    /// The names of all scripts, in order.
    pub fn names(&self) -> Vec<String> {
        self.catalog()
            .snapshot()
            .scripts()
            .map(|script| script.name.to_string())
            .collect()
    }

    /// A script that must be there.
    pub fn script(&self, name: &str) -> Arc<Script> {
        let snapshot = self.catalog().snapshot();
        let parsed = ScriptName::parse(name).expect("a name");
        let problems: Vec<String> = snapshot
            .broken()
            .iter()
            .flat_map(|b| &b.problems)
            .map(ToString::to_string)
            .collect();
        snapshot
            .get(&parsed)
            .cloned()
            .unwrap_or_else(|| panic!("no {name}; {}", problems.join("\n")))
    }
}

/// A shell script with a definition in its comments.
pub fn shell(toml: &str) -> String {
    let block: String = toml
        .lines()
        .map(|line| {
            if line.is_empty() {
                "#\n".to_owned()
            } else {
                format!("# {line}\n")
            }
        })
        .collect();
    format!("#!/bin/sh\n# /// stagedoor\n{block}# ///\necho hello\n")
}
