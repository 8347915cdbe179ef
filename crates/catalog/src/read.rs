//! Reading one file: its definitions, what they depend on, and what is wrong with them.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use stagedoor_config::document::{Problem, Problems};
use stagedoor_domain::access::Access;

use crate::block;
use crate::folder::FolderKeys;
use crate::machine::{FileFacts, NoFile, join};
use crate::names;
use crate::options::Options;
use crate::root::{Dependency, Here, Root};
use crate::script::{Context, Declared};
use crate::snapshot::{Broken, Found, Skipped};
use crate::source::{self, SUFFIX};
use crate::trust;

/// One file that may hold definitions, as it was last read.
#[derive(Debug)]
pub(crate) struct FileState {
    /// For `FILE.stagedoor.toml`: FILE, which lies beside it.
    pub sidecar_of: Option<String>,
    /// Publish it without a definition.
    bare: bool,
    /// What was read, the file itself among them; none before the first reading.
    depends: Option<Vec<Dependency>>,
    pub found: Vec<Found>,
    pub skipped: Option<Skipped>,
    /// A definition waits for something outside the root.
    pub waits: bool,
}

/// What the reading of a folder's files needs.
pub(crate) struct Reading<'a> {
    pub root: &'a Root,
    pub root_path: &'a str,
    pub options: &'a Options,
    /// The folder, by its path and opened.
    pub path: &'a str,
    pub folder: &'a OwnedFd,
    /// Its keys first, the root's last.
    pub folders: Vec<&'a FolderKeys>,
    /// While a folder's definition is broken, nobody knows what it demands: nothing below it runs.
    pub folder_problems: Vec<Problem>,
}

impl FileState {
    pub fn new(sidecar_of: Option<String>, bare: bool) -> Self {
        Self {
            sidecar_of,
            bare,
            depends: None,
            found: Vec::new(),
            skipped: None,
            waits: false,
        }
    }

    /// Is everything that was read still the same? The folder's own files are looked at only when
    /// the opened folder is given: else nothing in it was touched.
    pub fn is_fresh(&self, root: &Root, path: &str, folder: Option<&OwnedFd>) -> bool {
        let Some(depends) = &self.depends else {
            return false;
        };
        depends.iter().all(|(file, was)| {
            let (parent, name) = file.rsplit_once('/').unwrap_or(("", file));
            match folder {
                _ if parent != path => root.fingerprint(file) == *was,
                Some(folder) => Root::look(folder, name).ok().map(|(_, now)| now) == *was,
                None => true,
            }
        })
    }

    /// Does something matter here that is not watched: a program that is not there, or a file in
    /// a folder that is not published?
    pub fn is_untold(&self) -> bool {
        let mut files = self.depends.iter().flatten();
        self.waits
            || files.any(|(path, _)| {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                name.starts_with('.') || folder.split('/').any(|part| part.starts_with(['.', '_']))
            })
    }

    /// Reads the file. True when the result may differ from the last one.
    pub fn read(&mut self, reading: &Reading<'_>, name: &str) -> bool {
        let had = !self.found.is_empty() || self.skipped.is_some();
        (self.found, self.skipped, self.waits) = (Vec::new(), None, false);
        let path = join(reading.path, name);
        let mut depends = Vec::new();
        let most = if name.ends_with(SUFFIX) {
            source::LARGEST
        } else {
            block::HEAD
        };
        let content = Root::read(reading.folder, name, most)
            .map_err(|error| self.unreadable(reading, name, error));
        let file = match &content {
            Ok(content) => Some(content.facts.fingerprint),
            Err(()) => Root::look(reading.folder, name)
                .ok()
                .map(|(_, fingerprint)| fingerprint),
        };
        if let Ok(content) = content {
            let mut problems = Problems::default();
            let declared = self.definitions(
                reading,
                name,
                &content.bytes,
                content.truncated,
                &mut problems,
            );
            if !problems.is_empty() {
                self.break_file(reading, name, problems);
            }
            for one in declared {
                self.take(reading, one, &path, &content.facts, &mut depends);
            }
            if self.bare
                && self.found.is_empty()
                && !name.ends_with(SUFFIX)
                && content.facts.mode & 0o111 != 0
            {
                self.publish_bare(reading, name, &content.facts, &mut depends);
            }
        }
        depends.push((path, file));
        self.depends = Some(depends);
        had || !self.found.is_empty() || self.skipped.is_some()
    }

    fn definitions(
        &self,
        reading: &Reading<'_>,
        name: &str,
        bytes: &[u8],
        truncated: bool,
        problems: &mut Problems,
    ) -> Vec<Declared> {
        let folder = reading.path;
        let read = if name.ends_with(SUFFIX) {
            let table = source::toml(&join(folder, name), bytes, truncated);
            table.map(|table| {
                source::definitions(folder, name, self.sidecar_of.as_deref(), table, problems)
            })
        } else {
            source::header(folder, name, bytes, truncated).map(|one| one.into_iter().collect())
        };
        read.unwrap_or_else(|found| {
            problems.append(found);
            Vec::new()
        })
    }

    /// Reads one definition.
    fn take(
        &mut self,
        reading: &Reading<'_>,
        declared: Declared,
        path: &str,
        facts: &FileFacts,
        depends: &mut Vec<Dependency>,
    ) {
        let here = Here::new(reading.root, Some((path.to_owned(), facts.clone())));
        let mut problems: Problems = reading.folder_problems.iter().cloned().collect();
        // What stands in the script itself is looked at with it.
        if path.ends_with(SUFFIX) {
            trust::check_definition(path, facts, &mut problems);
        }
        let name = declared
            .name(&mut Problems::default())
            .map(|name| name.to_string());
        let place = declared.mark.problem("");
        let script = declared.read(&reading.context(&here), &mut problems);
        let (asked, missed) = here.into_asked();
        depends.extend(asked);
        self.waits |= missed && !problems.is_empty();
        self.found.push(match script {
            Some(script) => Found::Script {
                script: Arc::new(script),
                place,
            },
            None => Found::Broken {
                broken: broken(path, name, problems),
                place,
            },
        });
    }

    /// An executable without a definition: for admins only, whatever its folder grants.
    fn publish_bare(
        &mut self,
        reading: &Reading<'_>,
        name: &str,
        facts: &FileFacts,
        depends: &mut Vec<Dependency>,
    ) {
        let path = join(reading.path, name);
        let here = Here::new(reading.root, Some((path.clone(), facts.clone())));
        let declared = source::bare(reading.path, name);
        let place = declared.mark.problem("");
        let mut problems: Problems = reading.folder_problems.iter().cloned().collect();
        let script = declared.read(&reading.context(&here), &mut problems);
        depends.extend(here.into_asked().0);
        let Some(mut script) = script else {
            let why = problems
                .sorted()
                .into_iter()
                .next()
                .map(|problem| problem.message);
            self.skipped = Some(Skipped {
                file: path,
                why: why.unwrap_or_default(),
            });
            return;
        };
        script.access = Access::default();
        self.found.push(Found::Script {
            script: Arc::new(script),
            place,
        });
    }

    /// A definition file, or a program, that cannot be read is told; other files are nobody's loss.
    fn unreadable(&mut self, reading: &Reading<'_>, name: &str, error: NoFile) {
        let path = join(reading.path, name);
        let executable = Root::look(reading.folder, name).is_ok_and(|(mode, _)| mode & 0o111 != 0);
        if error == NoFile::Missing {
            return;
        }
        // Its writer is still at work; the next look reads it again.
        self.waits = error == NoFile::Io(Errno::AGAIN);
        if !name.ends_with(SUFFIX) && !executable {
            self.skipped = Some(Skipped {
                file: path,
                why: error.to_string(),
            });
            return;
        }
        let problem = Problem::of_file(
            &path,
            format!("the file cannot be read, so nobody knows whether it is declared: {error}"),
        );
        let problem = match error {
            NoFile::Link => problem.mend("put the file itself here"),
            // Scripts run as another account than the one that reads them.
            _ => problem.mend(format!(
                "let the account {} read it (chmod o+r{} {path}), or begin its name with `_` to leave it out",
                rustix::process::geteuid().as_raw(),
                if executable { "x" } else { "" }
            )),
        };
        self.break_file(reading, name, problem.into());
    }

    /// Something is wrong with the file as a whole.
    fn break_file(&mut self, reading: &Reading<'_>, name: &str, problems: Problems) {
        let path = join(reading.path, name);
        let file = self.sidecar_of.as_deref().unwrap_or(name);
        let stem = file
            .strip_suffix(SUFFIX)
            .unwrap_or_else(|| names::stem(file));
        let script = Some(join(reading.path, stem));
        let place = Problem::of_file(&path, "");
        self.found.push(Found::Broken {
            broken: broken(&path, script, problems),
            place,
        });
    }
}

fn broken(file: &str, name: Option<String>, problems: Problems) -> Broken {
    Broken {
        file: file.to_owned(),
        name,
        problems: problems.sorted(),
    }
}

impl<'a> Reading<'a> {
    fn context(&'a self, here: &'a Here<'a>) -> Context<'a> {
        Context {
            machine: here,
            options: self.options,
            root: self.root_path,
            folders: self.folders.clone(),
        }
    }
}
