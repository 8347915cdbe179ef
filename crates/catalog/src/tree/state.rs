//! One folder as it was last read.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use stagedoor_config::document::{Problem, Problems};
use stagedoor_domain::script::Fingerprint;

use crate::folder::{self, FolderKeys};
use crate::machine::{NoFile, join};
use crate::options::Options;
use crate::read::FileState;
use crate::root::{Root, Sort};
use crate::snapshot::{Broken, Folder, Skipped};
use crate::source::{self, SUFFIX};
use crate::texts::title_of;
use crate::trust;
use crate::watch::WatchId;

/// One folder.
#[derive(Debug, Default)]
pub(super) struct FolderState {
    pub watch: Option<WatchId>,
    /// To be listed again.
    pub changed: bool,
    /// Was listed since its files were looked at.
    pub listed: bool,
    /// Names that were touched: their files are read again, however equal they look.
    pub touched: BTreeSet<String>,
    pub keys: FolderKeys,
    /// Which `_folder.stagedoor.toml` was read, and what is wrong with it.
    pub keys_file: Option<Fingerprint>,
    pub keys_problems: Vec<Problem>,
    /// Rises with each reading of the folder's definition.
    pub version: u64,
    /// The versions, from here to the root, with which the files were read.
    pub read_with: Vec<u64>,
    pub files: BTreeMap<String, FileState>,
    /// What is wrong with the folder itself.
    pub problem: Option<Problem>,
    pub skipped: Vec<Skipped>,
}

impl FolderState {
    /// Reads `_folder.stagedoor.toml` if it is another one than before.
    pub fn read_keys(&mut self, path: &str, folder: &OwnedFd) -> bool {
        let now = Root::look(folder, folder::FILE);
        let file = now.as_ref().ok().map(|(_, fingerprint)| *fingerprint);
        let touched = self.touched.remove(folder::FILE);
        let was_missing = self.keys_file.is_none() && self.keys_problems.is_empty();
        if !touched && file == self.keys_file && (file.is_some() || was_missing) {
            return false;
        }
        let name = join(path, folder::FILE);
        let mut problems = Problems::default();
        self.keys = FolderKeys::default();
        match Root::read(folder, folder::FILE, source::LARGEST) {
            Ok(content) => {
                trust::check_definition(&name, &content.facts, &mut problems);
                match source::toml(&name, &content.bytes, content.truncated) {
                    Ok(table) => self.keys = FolderKeys::read(&table, &mut problems),
                    Err(found) => problems.append(found),
                }
            }
            Err(NoFile::Missing) => {}
            Err(error) => problems.push(Problem::of_file(
                &name,
                format!("the folder's definition cannot be read: {error}"),
            )),
        }
        self.keys_file = file;
        self.keys_problems = problems.sorted();
        self.version += 1;
        true
    }

    /// Takes over the names of files that may hold a definition.
    pub fn take_names(&mut self, path: &str, names: &[(String, Sort)], options: &Options) -> bool {
        let sidecars: BTreeSet<&str> = names
            .iter()
            .filter_map(|(name, _)| name.strip_suffix(SUFFIX))
            .collect();
        let files: BTreeMap<&str, Sort> = names
            .iter()
            .map(|(name, sort)| (name.as_str(), *sort))
            .collect();
        let mut wanted: BTreeMap<String, FileState> = BTreeMap::new();
        for (name, sort) in names {
            if name.starts_with(['.', '_'])
                || *sort == Sort::Folder
                || sidecars.contains(name.as_str())
            {
                continue;
            }
            let beside = name.strip_suffix(SUFFIX);
            match (sort, beside) {
                (Sort::File, _) | (Sort::Link, Some(_)) => {
                    let sidecar_of = beside
                        .filter(|base| files.get(base).is_some_and(|sort| *sort != Sort::Folder));
                    let state = FileState::new(sidecar_of.map(str::to_owned), options.all);
                    wanted.insert(name.clone(), state);
                }
                (Sort::Link, None) => self.skipped.push(Skipped {
                    file: join(path, name),
                    why: "it is a symbolic link, and links are not followed".to_owned(),
                }),
                _ => {}
            }
        }
        let before = self.files.len();
        self.files.retain(|name, file| {
            wanted
                .get(name)
                .is_some_and(|new| new.sidecar_of == file.sidecar_of)
        });
        let changed = before != self.files.len();
        for (name, state) in wanted {
            self.files.entry(name).or_insert(state);
        }
        changed
    }

    /// What is wrong with the folder itself.
    pub fn broken(&self, path: &str) -> Vec<Broken> {
        let mut broken: Vec<Broken> = Vec::new();
        if !self.keys_problems.is_empty() {
            let file = join(path, folder::FILE);
            broken.push(Broken {
                file,
                name: None,
                problems: self.keys_problems.clone(),
            });
        }
        if let Some(problem) = &self.problem {
            broken.push(Broken {
                file: problem.file.clone(),
                name: None,
                problems: vec![problem.clone()],
            });
        }
        broken
    }

    pub fn folder(&self, path: &str) -> Folder {
        let name = path.rsplit('/').next().unwrap_or(path);
        Folder {
            path: path.to_owned(),
            title: self.keys.title.clone().unwrap_or_else(|| title_of(name)),
            icon: self.keys.icon.clone(),
            order: self.keys.order,
        }
    }
}

/// A folder that is gone meanwhile is no mistake: the next look at its parent drops it.
pub(super) fn unlisted(path: &str, error: NoFile) -> Option<Problem> {
    if error == NoFile::Missing {
        return None;
    }
    let shown = if path.is_empty() { "." } else { path };
    let problem = Problem::of_file(shown, format!("the folder cannot be listed: {error}"));
    Some(problem.mend(format!(
        "let the account {} read and enter it (chmod o+rx {shown}), or begin its name with `_` to leave it out",
        rustix::process::geteuid().as_raw()
    )))
}
