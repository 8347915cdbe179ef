//! What leads to a script, and who else could change it (W32, W34 to W37, W4): whoever can change a
//! script, its definition, the settings, its interpreter, or a folder above one of them, decides what
//! runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use stagedoor_catalog::Snapshot;
use stagedoor_config::Settings;
use stagedoor_domain::script::{Launch, Script};

/// What it is to the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The operator's: scripts, definitions, settings, and the folders above them.
    Own,
    /// The machine's: programs that scripts are started with, and where they are looked for.
    Machine,
}

/// Every path that matters, each once, without links.
#[derive(Default)]
pub struct Places {
    found: BTreeMap<PathBuf, Kind>,
}

impl Places {
    /// Those of a folder of scripts.
    pub fn of(dir: &Path, scripts: &Snapshot, settings: Option<&Settings>) -> Self {
        let mut places = Self::default();
        places.add(dir, Kind::Own);
        for script in scripts.scripts() {
            places.add(&dir.join(&script.source.file), Kind::Own);
            places.add_definitions_of_folders(dir, &script.folder);
            places.add_start(dir, script);
        }
        for broken in scripts.broken() {
            places.add(&dir.join(&broken.file), Kind::Own);
        }
        if let Some(file) = settings.and_then(|settings| settings.file.as_deref()) {
            places.add(file, Kind::Own);
        }
        places
    }

    /// With the folders in which programs are looked for.
    pub fn with_path(mut self, folders: &[String]) -> Self {
        self.add_path(folders.iter().map(String::as_str));
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, Kind)> {
        self.found
            .iter()
            .map(|(path, kind)| (path.as_path(), *kind))
    }

    /// With all that is above it. What is not there is somebody else's complaint.
    fn add(&mut self, path: &Path, kind: Kind) {
        let Ok(real) = path.canonicalize() else {
            return;
        };
        for place in real.ancestors() {
            let known = self.found.entry(place.to_owned()).or_insert(kind);
            *known = (*known).min(kind);
        }
        // A link is changed in the folder where it lies.
        if let Some(parent) = path.parent().filter(|_| path.is_symlink()) {
            self.add(parent, kind);
        }
    }

    fn add_definitions_of_folders(&mut self, dir: &Path, folder: &str) {
        let mut folder = dir.join(folder);
        while folder.starts_with(dir) {
            self.add(&folder.join("_folder.stagedoor.toml"), Kind::Own);
            if !folder.pop() {
                return;
            }
        }
    }

    fn add_path<'a>(&mut self, folders: impl Iterator<Item = &'a str>) {
        for folder in folders.filter(|folder| folder.starts_with('/')) {
            self.add(Path::new(folder), Kind::Machine);
        }
    }

    /// What is executed, and what it is executed with.
    fn add_start(&mut self, dir: &Path, script: &Script) {
        match &script.launch {
            Launch::File { file, interpreter } => {
                let path = dir.join(&script.folder).join(file);
                self.add(&path, Kind::Own);
                match interpreter.first() {
                    Some(program) => self.add(Path::new(program), Kind::Machine),
                    None => self.add_interpreter_of(&path),
                }
            }
            Launch::Command { argv } => {
                if let Some(program) = argv.first().map(Path::new) {
                    let real = program.canonicalize();
                    let is_own = real.is_ok_and(|real| real.starts_with(dir));
                    self.add(program, if is_own { Kind::Own } else { Kind::Machine });
                    self.add_interpreter_of(program);
                }
            }
        }
        for (name, value) in &script.env {
            match name.as_str() {
                "PATH" => self.add_path(value.split(':')),
                "VIRTUAL_ENV" => self.add_venv(Path::new(value)),
                _ => {}
            }
        }
    }

    /// The program of a `#!` line.
    fn add_interpreter_of(&mut self, script: &Path) {
        let mut head = Vec::new();
        let read = fs::File::open(script).and_then(|file| file.take(256).read_to_end(&mut head));
        let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let program = first
            .strip_prefix(b"#!")
            .and_then(|line| str::from_utf8(line).ok());
        let program = program.and_then(|line| line.split_whitespace().next());
        if let (Ok(_), Some(program)) = (read, program) {
            self.add(Path::new(program), Kind::Machine);
        }
    }

    /// Where Python takes code from in an environment.
    fn add_venv(&mut self, venv: &Path) {
        for part in ["pyvenv.cfg", "bin/python", "bin"] {
            self.add(&venv.join(part), Kind::Machine);
        }
        for version in fs::read_dir(venv.join("lib"))
            .into_iter()
            .flatten()
            .flatten()
        {
            self.add(&version.path().join("site-packages"), Kind::Machine);
        }
    }
}
