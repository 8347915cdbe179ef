//! What a server says when it starts: the setup link while there is no administrator, and where it
//! listens.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use stagedoor_app::app::App;
use stagedoor_app::session_key::{new_setup_key, setup_hash};
use stagedoor_domain::time::Clock as _;
use stagedoor_store::Store;

use crate::state::State;
use crate::system::{KernelChance, SystemClock};

/// How long the setup link works.
const SETUP_LIFETIME: Duration = Duration::from_hours(24);

/// Prints the one-time link while there is no administrator.
pub async fn setup_link(
    store: &Store,
    state: &State,
    clock: &SystemClock,
    listeners: &[TcpListener],
    base_path: &str,
) -> anyhow::Result<()> {
    if store.has_admin().await? {
        let _ = std::fs::remove_file(state.setup_link());
        return Ok(());
    }
    let key = new_setup_key(&KernelChance);
    store
        .put_setup(setup_hash(&key), clock.now().plus(SETUP_LIFETIME))
        .await
        .with_context(|| format!("could not write to the database in {}", state.dir.display()))?;
    let Some(address) = listeners
        .first()
        .and_then(|listener| listener.local_addr().ok())
    else {
        return Ok(());
    };
    let url = format!("http://{address}{base_path}/setup?key={key}");
    state.write_setup_link(&url)?;
    eprintln!(
        "\nOpen this link to create the first account: {url}\nIt works once, for 24 hours.\n"
    );
    Ok(())
}

/// Where it listens, and what it found.
pub async fn serving(listeners: &[TcpListener], base_path: &str, root: &Path, app: &App) {
    let snapshot = app.catalog().await;
    let scripts = snapshot.len();
    let broken = snapshot.broken().len();
    for listener in listeners {
        if let Ok(address) = listener.local_addr() {
            tracing::info!("listening on http://{address}{base_path}");
        }
    }
    tracing::info!(scripts, folder = %root.display(), "serving");
    if broken > 0 {
        tracing::warn!(
            broken,
            "some definitions have errors; run: stagedoor check {}",
            root.display()
        );
    }
}
