//! The catalog at one moment: what can be run, and what is broken and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use stagedoor_config::document::Problem;
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;

/// All scripts, their folders, and everything that is wrong. Never changes; a new one takes its
/// place.
#[derive(Debug, Default)]
pub struct Snapshot {
    scripts: BTreeMap<ScriptName, Arc<Script>>,
    ordered: Vec<Arc<Script>>,
    folders: BTreeMap<String, Folder>,
    broken: Vec<Broken>,
    skipped: Vec<Skipped>,
}

/// A folder that holds scripts, or folders that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Relative to the root; empty for the root.
    pub path: String,
    /// Shown; made from the folder's name when its author gave none. Empty for a root without one.
    pub title: String,
    /// A word or an emoji.
    pub icon: Option<String>,
    /// Sorts before the title.
    pub order: i64,
}

/// A definition that is not published, and why: for admins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The file that holds it, relative to the root.
    pub file: String,
    /// The script's name, if it can be told.
    pub name: Option<String>,
    /// At least one.
    pub problems: Vec<Problem>,
}

/// A file that is no mistake, but that somebody may look for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Relative to the root.
    pub file: String,
    /// Why it is not looked at.
    pub why: String,
}

/// One definition as it was read; the place is for problems that show only beside others.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Script { script: Arc<Script>, place: Problem },
    Broken { broken: Broken, place: Problem },
}

impl Found {
    fn name(&self) -> Option<&str> {
        match self {
            Found::Script { script, .. } => Some(script.name.as_str()),
            Found::Broken { broken, .. } => broken.name.as_deref(),
        }
    }

    fn place(&self) -> &Problem {
        match self {
            Found::Script { place, .. } | Found::Broken { place, .. } => place,
        }
    }
}

impl Snapshot {
    /// Puts everything together. Definitions of one name are all disabled.
    pub(crate) fn assemble(
        found: &[&Found],
        folders: BTreeMap<String, Folder>,
        mut broken: Vec<Broken>,
        skipped: Vec<Skipped>,
    ) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
        let mut scripts = BTreeMap::new();
        for one in found {
            match one.name() {
                Some(name) => by_name.entry(name).or_default().push(one),
                None => broken.extend(as_broken(one)),
            }
        }
        for (name, same) in by_name {
            match same.as_slice() {
                [Found::Script { script, .. }] => {
                    scripts.insert(script.name.clone(), Arc::clone(script));
                }
                [only] => broken.extend(as_broken(only)),
                several => broken.extend(several.iter().map(|one| twice(name, one, several))),
            }
        }
        broken.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
        let folders = with_scripts(folders, &scripts);
        let ordered = ordered(&scripts, &folders);
        Self {
            scripts,
            ordered,
            folders,
            broken,
            skipped,
        }
    }

    /// A script by its name.
    pub fn get(&self, name: &ScriptName) -> Option<&Arc<Script>> {
        self.scripts.get(name)
    }

    /// All scripts, folder by folder; folders and scripts by `order`, then by title.
    pub fn scripts(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.ordered.iter()
    }

    /// How many scripts there are.
    pub fn len(&self) -> usize {
        self.scripts.len()
    }

    /// There is no script.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// A folder by its path; those without scripts are not here.
    pub fn folder(&self, path: &str) -> Option<&Folder> {
        self.folders.get(path)
    }

    /// Every folder that holds scripts, or folders that do, by path.
    pub fn folders(&self) -> impl Iterator<Item = &Folder> {
        self.folders.values()
    }

    /// What is not published, by file.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// What is not looked at, by file.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }
}

fn as_broken(found: &Found) -> Option<Broken> {
    match found {
        Found::Script { .. } => None,
        Found::Broken { broken, .. } => Some(broken.clone()),
    }
}

/// One of several definitions of a name.
fn twice(name: &str, one: &Found, all: &[&Found]) -> Broken {
    let place = one.place();
    let others: Vec<String> = all
        .iter()
        .map(|other| other.place())
        .filter(|other| (&other.file, other.line) != (&place.file, place.line))
        .map(|other| match other.line {
            0 => format!("`{}`", other.file),
            line => format!("line {line} of `{}`", other.file),
        })
        .collect();
    let problem = Problem {
        message: format!(
            "two scripts are named `{name}`, so none of them is published; the other: {}",
            others.join(", ")
        ),
        ..place.clone()
    };
    let mut problems = vec![problem.mend("give one of them another name, as in `name = \"…\"`")];
    problems.extend(
        as_broken(one)
            .into_iter()
            .flat_map(|broken| broken.problems),
    );
    Broken {
        file: place.file.clone(),
        name: Some(name.to_owned()),
        problems,
    }
}

/// The folders that have a script below them.
fn with_scripts(
    mut folders: BTreeMap<String, Folder>,
    scripts: &BTreeMap<ScriptName, Arc<Script>>,
) -> BTreeMap<String, Folder> {
    let mut used = BTreeMap::new();
    for script in scripts.values() {
        for path in ancestors(script.name.folder()) {
            if let Some((path, folder)) = folders.remove_entry(path) {
                used.insert(path, folder);
            }
        }
    }
    used
}

/// `a/b`, `a` and the root.
pub(crate) fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |path| {
        (!path.is_empty()).then(|| path.rsplit_once('/').map_or("", |(parent, _)| parent))
    })
}

fn ordered(
    scripts: &BTreeMap<ScriptName, Arc<Script>>,
    folders: &BTreeMap<String, Folder>,
) -> Vec<Arc<Script>> {
    let place_of = |path: &str| -> Vec<(i64, String, String)> {
        let mut place: Vec<_> = ancestors(path)
            .filter(|path| !path.is_empty())
            .filter_map(|path| folders.get(path))
            .map(|folder| {
                (
                    folder.order,
                    folder.title.to_lowercase(),
                    folder.path.clone(),
                )
            })
            .collect();
        place.reverse();
        place
    };
    let places: BTreeMap<&str, _> = folders
        .keys()
        .map(|path| (path.as_str(), place_of(path)))
        .collect();
    let mut ordered: Vec<Arc<Script>> = scripts.values().cloned().collect();
    ordered.sort_by_cached_key(|script| {
        (
            places.get(script.name.folder()),
            script.order,
            script.title.to_lowercase(),
            script.name.clone(),
        )
    });
    ordered
}
