//! Putting the layers together.

use std::io;
use std::path::{Path, PathBuf};

use stagedoor_domain::access::{Grants, Origin};

use crate::document::{self, Problem, Problems, Text};
use crate::layers::Layers;
use crate::settings::Settings;
use crate::state::{NoState, state_directory};
use crate::{Environment, Flags};

/// The file in the served folder.
const FILE: &str = "stagedoor.toml";

/// Everything that settings are made from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The folder that is served.
    pub folder: &'a Path,
    /// The same as the operator wrote it, for messages.
    pub folder_name: &'a Path,
    /// The command line.
    pub flags: &'a Flags,
    /// The environment.
    pub environment: &'a Environment,
    /// How many cores the machine has.
    pub cores: u32,
    /// Started as root.
    pub is_root: bool,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there though it was named, or cannot be read.
    #[error("could not read the settings in {path}: {error}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Mistakes, all of them.
    #[error("{0}")]
    Mistakes(Problems),
    /// No place for the state.
    #[error(transparent)]
    NoState(#[from] NoState),
}

/// Makes the settings: defaults, then the file, then the environment, then flags.
///
/// # Errors
/// All mistakes at once; nothing is half loaded, so who reloads keeps the old settings.
pub fn load(sources: Sources<'_>) -> Result<Settings, ConfigError> {
    let named = sources.flags.config.clone().or_else(|| {
        sources
            .environment
            .get("STAGEDOOR_CONFIG")
            .map(PathBuf::from)
    });
    let (mut layers, mut problems) = (Layers::default(), Problems::default());
    let file = add_file(named, &sources, &mut layers, &mut problems)?;
    layers.add_environment(sources.environment, &mut problems);
    layers.add_flags(sources.flags);
    let state = state_directory(
        sources.flags.state.as_deref(),
        sources.environment,
        sources.is_root,
    )?;
    let mut settings = Settings::read(&layers, sources.cores, state, file, &mut problems);
    show_places(&mut settings.grants, sources.folder_name);
    if problems.is_empty() {
        return Ok(settings);
    }
    Err(ConfigError::Mistakes(
        problems.sorted().into_iter().collect(),
    ))
}

/// The folder's own file is shown by its name, wherever the folder was found this time.
fn show_places(grants: &mut Grants, folder: &Path) {
    for grant in &mut grants.0 {
        if let Origin::File(place) = &mut grant.origin
            && let Ok(inside) = Path::new(&place.file).strip_prefix(folder)
        {
            place.file = inside.display().to_string();
        }
    }
}

/// Reads the named file, which must be there, or the folder's own, which need not.
fn add_file(
    named: Option<PathBuf>,
    sources: &Sources<'_>,
    layers: &mut Layers,
    problems: &mut Problems,
) -> Result<Option<PathBuf>, ConfigError> {
    let must_exist = named.is_some();
    let (place, path) = match named {
        Some(path) => (path.clone(), path),
        None => (sources.folder.join(FILE), sources.folder_name.join(FILE)),
    };
    let bytes = match std::fs::read(&place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(None),
        Err(error) => return Err(ConfigError::Unreadable { path, error }),
    };
    let shown = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(content) => match document::parse(&Text::whole(&shown, &content)) {
            Ok(table) => layers.add_file(&table, problems),
            Err(found) => problems.append(found),
        },
        Err(_) => problems
            .push(Problem::of_file(&shown, "the file is not UTF-8").mend("save the file as UTF-8")),
    }
    Ok(Some(path))
}
