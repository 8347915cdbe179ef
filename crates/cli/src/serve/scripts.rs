//! The process that starts scripts, and where they have their homes.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use stagedoor_app::session_key::digest;
use stagedoor_config::Settings;
use stagedoor_domain::sandbox::Level;
use stagedoor_runner::{Connection, Runner, RunnerOptions};

use crate::accounts::Accounts;

/// Starts it, or finds the one that the last server left.
pub fn connect_runner(
    state: &Path,
    root_path: &Path,
    root: &OwnedFd,
    settings: &Settings,
    accounts: &Accounts,
) -> anyhow::Result<Connection> {
    let places = Places {
        socket: state.join("runner.sock"),
        scratch: scratch(state, accounts),
    };
    let options = options(places, root_path, root, settings, accounts)?;
    // The file that runs now, even when a newer one has taken its name meanwhile.
    let binary = Path::new("/proc/self/exe");
    Runner::ensure(binary, &options).with_context(|| {
        format!(
            "could not start the process that runs scripts; it is reached at {}",
            options.socket.display()
        )
    })
}

/// What a runner has of its own.
pub struct Places {
    /// Where it listens. Beside it stands the rest of the state.
    pub socket: PathBuf,
    /// Below this folder runs have their homes.
    pub scratch: PathBuf,
}

/// What settings mean for the process that starts scripts.
pub fn options(
    places: Places,
    root_path: &Path,
    root: &OwnedFd,
    settings: &Settings,
    accounts: &Accounts,
) -> anyhow::Result<RunnerOptions> {
    Ok(RunnerOptions {
        socket: places.socket,
        root: root_path.to_owned(),
        root_dir: root.try_clone()?,
        scratch: places.scratch,
        run_account: accounts.scripts.clone(),
        others: accounts.others.clone(),
        allow_root_scripts: settings.allow_root_scripts,
        some_go_without: settings.permits.iter().any(|p| p.level == Level::None),
        hidden: hidden(settings),
        server_uid: accounts.server.as_ref().map(|account| account.uid),
    })
}

/// What scripts are not to see beside the state: the settings and the key of the certificate, and what
/// they lead to where they are links.
fn hidden(settings: &Settings) -> Vec<PathBuf> {
    let key = settings.tls.as_ref().map(|tls| &tls.key);
    let named = settings.file.iter().chain(key);
    let places = |path: &PathBuf| [std::path::absolute(path).ok(), path.canonicalize().ok()];
    let mut files: Vec<PathBuf> = named.flat_map(places).flatten().collect();
    files.dedup();
    files
}

/// Where runs have their homes. Scripts of another account cannot enter the state directory.
fn scratch(state: &Path, accounts: &Accounts) -> PathBuf {
    if accounts.scripts.is_none() {
        return state.join("scratch");
    }
    // One folder for each state directory, with a name that does not tell where that is.
    let digest = digest(&[state.as_os_str().as_encoded_bytes()]);
    let short = digest.first_chunk().copied().map(u64::from_be_bytes);
    Path::new("/var/tmp").join(format!("stagedoor-{:016x}", short.unwrap_or_default()))
}
