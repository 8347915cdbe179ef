//! What commands beside a server need: the state directory's database, and the folder with its
//! settings.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use stagedoor_catalog::Snapshot;
use stagedoor_config::{Environment, NoState};
use stagedoor_domain::access::Grants;
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::sandbox::Permit;
use stagedoor_domain::time::Clock as _;
use stagedoor_store::{Store, UserRecord};

use crate::args::{FolderOption, StateOption};
use crate::state;
use crate::system::SystemClock;

/// The database, and who works on it.
pub struct Database {
    pub store: Store,
    /// The state directory.
    pub dir: PathBuf,
    by: Origin,
}

impl Database {
    /// A record of this act on this target.
    pub fn entry(&self, act: Act, target: impl Into<String>) -> Entry {
        Entry::new(act, self.by.clone(), SystemClock::new().now()).on(target)
    }

    /// The store, whose next write is recorded as this act.
    pub fn recorded(&self, act: Act, target: impl Into<String>) -> Store {
        self.store.recorded(self.entry(act, target))
    }
}

/// The database of a state directory that is in use already; it is not made.
pub fn open_if_there(option: &StateOption) -> anyhow::Result<Option<Database>> {
    match directory(option) {
        Ok(dir) if dir.join("stagedoor.db").exists() => open(option).map(Some),
        _ => Ok(None),
    }
}

/// Where the state is.
pub fn directory(option: &StateOption) -> Result<PathBuf, NoState> {
    let is_root = rustix::process::geteuid().is_root();
    stagedoor_config::state_directory(option.dir.as_deref(), &Environment::of_process(), is_root)
}

/// The state directory that a command works on; it is there.
pub fn find(option: &StateOption) -> anyhow::Result<PathBuf> {
    let dir = directory(option)?;
    state::owner_of(&dir)?;
    Ok(dir)
}

/// The same, with the rights of its owner.
pub fn enter(option: &StateOption) -> anyhow::Result<PathBuf> {
    let dir = find(option)?;
    state::become_owner(&dir)?;
    Ok(dir)
}

/// The database of the state directory, as the account that it belongs to.
pub fn open(option: &StateOption) -> anyhow::Result<Database> {
    let by = Origin::command_line(rustix::process::getuid().as_raw());
    let dir = enter(option)?;
    state::place::check_database(&dir)?;
    let store = Store::open_beside(&dir)
        .with_context(|| format!("could not open the database in {}", dir.display()))?;
    Ok(Database { store, dir, by })
}

pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// What stagedoor.toml and the scripts say.
pub struct Folder {
    /// `[[grant]]`.
    pub grants: Grants,
    /// `sign_in.command_names_admins`.
    pub command_names_admins: bool,
    /// The catalog.
    pub scripts: Arc<Snapshot>,
    /// Where that was read.
    place: PathBuf,
}

impl Folder {
    /// Is nothing there that is served? Then it is not the folder that was meant.
    pub fn is_empty(&self) -> bool {
        self.scripts.len() == 0 && self.scripts.broken().is_empty()
    }

    /// Tells what was read, on standard error: another folder would give another answer.
    pub fn tell(&self) {
        let (place, count) = (self.place.display(), self.scripts.len());
        if self.is_empty() {
            eprintln!(
                "There are no scripts in {place}, so what they and their stagedoor.toml say is not known \
                 here. Name the folder that is served: --folder DIR"
            );
        } else {
            let s = if count == 1 { "" } else { "s" };
            eprintln!("Read {place}: {count} script{s}.");
        }
    }
}

/// Reads a folder as `serve` would.
pub fn read_folder(option: &FolderOption) -> anyhow::Result<Folder> {
    let flags = stagedoor_config::Flags {
        config: option.config.clone(),
        ..stagedoor_config::Flags::default()
    };
    let settings = stagedoor_config::load(stagedoor_config::Sources {
        folder: &option.folder,
        folder_name: &option.folder,
        flags: &flags,
        environment: &Environment::of_process(),
        cores: 1,
        is_root: rustix::process::geteuid().is_root(),
    })?;
    let place = option.folder.canonicalize();
    let command = settings.sign_in.command.as_ref();
    Ok(Folder {
        command_names_admins: command.is_some_and(|command| command.names_admins),
        grants: settings.grants,
        scripts: read_scripts(&option.folder, settings.permits)?,
        place: place.unwrap_or_else(|_| option.folder.clone()),
    })
}

fn read_scripts(folder: &Path, permits: Vec<Permit>) -> anyhow::Result<Arc<Snapshot>> {
    let options = stagedoor_catalog::Options {
        permits,
        ..stagedoor_catalog::Options::new(Arc::new(SystemClock::new()))
    };
    let checked = stagedoor_catalog::check_folder(folder, options)
        .with_context(|| format!("could not read the folder {}", folder.display()))?;
    Ok(checked.snapshot)
}

/// The account of this name.
pub async fn find_user(store: &Store, name: &str) -> anyhow::Result<UserRecord> {
    let record = store.user_by_name(&parse_user(name)?).await?;
    record.ok_or_else(|| anyhow!("there is no user `{name}`; `stagedoor user list` shows them"))
}

pub fn parse_user(name: &str) -> anyhow::Result<UserName> {
    UserName::parse(name).with_context(|| format!("`{name}` is not a user's name"))
}

pub fn parse_group(name: &str) -> anyhow::Result<GroupName> {
    GroupName::parse(name).with_context(|| format!("`{name}` is not a group's name"))
}
