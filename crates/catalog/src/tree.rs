//! The folders below the root as they were last read, and what must be read again.
//!
//! A definition is read again only when its file, a file that it names, or a folder's definition
//! above it changed; everything else stays as it is.

mod follow;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stagedoor_config::document::Problem;
use stagedoor_domain::name::DEEPEST;

use crate::machine::{NoFile, join};
use crate::options::Options;
use crate::read::{FileState, Reading};
use crate::root::{Root, Sort};
use crate::snapshot::{Broken, Found, Skipped, Snapshot, ancestors};
use crate::watch::{Watch, WatchId};
use state::{FolderState, unlisted};

/// More folders than these are not read.
const MOST_FOLDERS: usize = 10_000;
/// More skipped files than these are not named.
const MOST_SKIPPED: usize = 200;

/// All folders.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Root,
    root_path: String,
    options: Options,
    watch: Option<Arc<Watch>>,
    folders: BTreeMap<String, FolderState>,
    by_watch: BTreeMap<WatchId, String>,
    /// Every folder is watched.
    all_watched: bool,
    waits: bool,
    too_many: bool,
}

impl Tree {
    /// A tree that was not read yet. Without a watch one must look for changes.
    pub fn new(root: Root, root_path: String, options: Options, watch: Option<Arc<Watch>>) -> Self {
        let top = FolderState {
            changed: true,
            ..FolderState::default()
        };
        Self {
            root,
            root_path,
            options,
            watch,
            folders: BTreeMap::from([(String::new(), top)]),
            by_watch: BTreeMap::new(),
            all_watched: false,
            waits: false,
            too_many: false,
        }
    }

    /// Lists every folder again.
    pub fn note_everything(&mut self) {
        for state in self.folders.values_mut() {
            state.changed = true;
        }
    }

    /// Changes are told by the kernel; without, one must look.
    pub fn is_watched(&self) -> bool {
        self.all_watched
    }

    /// A definition depends on something that nobody tells of.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Reads again what changed. The answer is none when all is as it was.
    pub fn refresh(&mut self) -> Option<Snapshot> {
        let mut changed = false;
        // Parents come before their children, and listing one adds its new children.
        while let Some(path) = self.next_changed() {
            changed |= self.list(&path);
        }
        self.all_watched =
            self.watch.is_some() && self.folders.values().all(|state| state.watch.is_some());
        let paths: Vec<String> = self.folders.keys().cloned().collect();
        for path in paths {
            changed |= self.read_files(&path);
        }
        self.waits = self
            .folders
            .values()
            .any(|state| state.files.values().any(FileState::is_untold));
        changed.then(|| self.assemble())
    }

    fn next_changed(&self) -> Option<String> {
        self.folders
            .iter()
            .find(|(_, state)| state.changed)
            .map(|(path, _)| path.clone())
    }

    /// Lists one folder: its definition, its files by name, its folders. True when something that
    /// is seen outside may have changed.
    fn list(&mut self, path: &str) -> bool {
        let Some(mut state) = self.folders.remove(path) else {
            return false;
        };
        (state.changed, state.listed) = (false, true);
        let before = (state.problem.take(), std::mem::take(&mut state.skipped));
        let listed = self.root.folder(path).and_then(|folder| {
            // Watched first, so that nothing changes unseen between listing and watching.
            self.watch_folder(path, &folder, &mut state);
            let names = Root::list(&folder).map_err(NoFile::Io)?;
            Ok((folder, names))
        });
        let mut changed = false;
        let names = match listed {
            Ok((folder, names)) => {
                changed |= state.read_keys(path, &folder);
                names
            }
            Err(error) => {
                state.problem = unlisted(path, error);
                Vec::new()
            }
        };
        changed |= state.take_names(path, &names, &self.options);
        changed |= self.take_folders(path, &names, &mut state);
        changed |= before != (state.problem.clone(), state.skipped.clone());
        self.folders.insert(path.to_owned(), state);
        changed
    }

    /// Adds the new folders of a folder and drops those that are gone.
    fn take_folders(
        &mut self,
        path: &str,
        names: &[(String, Sort)],
        state: &mut FolderState,
    ) -> bool {
        let is_published = |name: &str| !name.starts_with(['.', '_']);
        let mut here: BTreeSet<String> = names
            .iter()
            .filter(|(name, sort)| *sort == Sort::Folder && is_published(name))
            .map(|(name, _)| join(path, name))
            .collect();
        let depth = path.split('/').filter(|part| !part.is_empty()).count();
        if depth >= DEEPEST && !here.is_empty() {
            let why = format!("folders lie at most {DEEPEST} deep");
            state.skipped.extend(here.iter().map(|file| Skipped {
                file: file.clone(),
                why: why.clone(),
            }));
            here.clear();
        }
        let gone: Vec<String> = self
            .folders
            .keys()
            .filter(|other| is_child(path, other) && !here.contains(*other))
            .cloned()
            .collect();
        for folder in &gone {
            self.drop_folder(folder);
        }
        let mut added = false;
        for folder in here {
            if self.folders.contains_key(&folder) {
                continue;
            }
            if self.folders.len() >= MOST_FOLDERS {
                self.too_many = true;
                continue;
            }
            added = true;
            self.folders.insert(
                folder,
                FolderState {
                    changed: true,
                    ..FolderState::default()
                },
            );
        }
        added || !gone.is_empty()
    }

    fn drop_folder(&mut self, path: &str) {
        let below: Vec<String> = self
            .folders
            .keys()
            .filter(|other| other.as_str() == path || is_below(path, other))
            .cloned()
            .collect();
        for folder in below {
            let state = self.folders.remove(&folder);
            self.unwatch(&folder, state.and_then(|state| state.watch));
        }
    }

    /// Reads the files of one folder that are not as they were.
    fn read_files(&mut self, path: &str) -> bool {
        let Some(mut state) = self.folders.remove(path) else {
            return false;
        };
        let above = || {
            ancestors(path)
                .skip(1)
                .filter_map(|path| self.folders.get(path))
        };
        let versions: Vec<u64> = std::iter::once(state.version)
            .chain(above().map(|f| f.version))
            .collect();
        let (touched, listed) = (
            std::mem::take(&mut state.touched),
            std::mem::take(&mut state.listed),
        );
        let same_keys = state.read_with == versions;
        let looks = listed.then(|| self.root.folder(path).ok()).flatten();
        let is_stale = |name: &String, file: &FileState| {
            !same_keys
                || touched.contains(name)
                || file.waits
                || !file.is_fresh(&self.root, path, looks.as_ref())
        };
        let again: BTreeSet<String> = state
            .files
            .iter()
            .filter(|(name, file)| is_stale(name, file))
            .map(|(name, _)| name.clone())
            .collect();
        let mut changed = false;
        if !again.is_empty()
            && let Ok(folder) = self.root.folder(path)
        {
            let problems = state
                .keys_problems
                .iter()
                .chain(above().flat_map(|f| &f.keys_problems));
            let reading = Reading {
                root: &self.root,
                root_path: &self.root_path,
                options: &self.options,
                path,
                folder: &folder,
                folders: std::iter::once(&state.keys)
                    .chain(above().map(|folder| &folder.keys))
                    .collect(),
                folder_problems: problems.cloned().collect(),
            };
            for (name, file) in state
                .files
                .iter_mut()
                .filter(|(name, _)| again.contains(*name))
            {
                changed |= file.read(&reading, name);
            }
        }
        state.read_with = versions;
        self.folders.insert(path.to_owned(), state);
        changed
    }

    fn assemble(&self) -> Snapshot {
        let found: Vec<&Found> = self
            .folders
            .values()
            .flat_map(|state| state.files.values())
            .flat_map(|file| &file.found)
            .collect();
        let mut broken: Vec<Broken> = self
            .folders
            .iter()
            .flat_map(|(path, state)| state.broken(path))
            .collect();
        if self.too_many {
            let problem = Problem::of_file(
                "",
                format!("there are more than {MOST_FOLDERS} folders; the others are not read"),
            );
            let problems = vec![problem.mend("serve a smaller folder")];
            broken.push(Broken {
                file: String::new(),
                name: None,
                problems,
            });
        }
        let states = self.folders.values();
        let skipped = states.flat_map(|state| {
            state
                .skipped
                .iter()
                .cloned()
                .chain(state.files.values().filter_map(|file| file.skipped.clone()))
        });
        let folders = self
            .folders
            .iter()
            .map(|(path, state)| (path.clone(), state.folder(path)));
        Snapshot::assemble(
            &found,
            folders.collect(),
            broken,
            skipped.take(MOST_SKIPPED).collect(),
        )
    }
}

fn is_below(folder: &str, path: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn is_child(folder: &str, path: &str) -> bool {
    !path.is_empty() && path.rsplit_once('/').map_or("", |(parent, _)| parent) == folder
}
