//! What a server says when it starts: the setup link while there is no administrator, and where it
//! listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use stagedoor_app::app::App;
use stagedoor_app::session_key::{new_setup_key, setup_hash};
use stagedoor_config::Settings;
use stagedoor_domain::time::Clock as _;
use stagedoor_store::Store;
use stagedoor_web::Doors;

use crate::state::State;
use crate::system::{KernelChance, SystemClock};

/// How long the setup link works.
const SETUP_LIFETIME: Duration = Duration::from_hours(24);

/// Where people find Stagedoor, as far as the settings tell; none when it listens nowhere.
pub fn site(settings: &Settings, doors: &Doors) -> Option<String> {
    let address = doors.listeners.first()?.local_addr().ok()?;
    Some(site_at(settings, address))
}

/// Its public address without a path, where `public_host` names it and the settings tell the rest.
pub fn public_address(settings: &Settings, doors: &Doors) -> Option<String> {
    let address = doors.listeners.first()?.local_addr().ok()?;
    public_at(settings, address)
}

fn public_at(settings: &Settings, address: SocketAddr) -> Option<String> {
    let host = settings.public_host.first()?;
    // People speak to the proxy, at the port that browsers take by themselves.
    if settings.proxy.is_some() {
        return Some(format!("https://{host}"));
    }
    let (scheme, usual) = scheme(settings);
    let is_public = settings.tls.is_some() || address.ip().is_unspecified();
    is_public.then(|| match address.port() {
        port if port == usual => format!("{scheme}://{host}"),
        port => format!("{scheme}://{host}:{port}"),
    })
}

/// And its usual port.
fn scheme(settings: &Settings) -> (&'static str, u16) {
    match settings.tls {
        Some(_) => ("https", 443),
        None => ("http", 80),
    }
}

fn site_at(settings: &Settings, address: SocketAddr) -> String {
    let (path, (scheme, _)) = (&settings.base_path, scheme(settings));
    match public_at(settings, address) {
        Some(public) => format!("{public}{path}"),
        None => format!("{scheme}://{}{path}", reachable(address)),
    }
}

/// Nobody can open `0.0.0.0`.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Prints the one-time link while there is no administrator.
pub async fn setup_link(
    store: &Store,
    state: &State,
    clock: &SystemClock,
    site: Option<&str>,
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
    let Some(site) = site else {
        return Ok(());
    };
    let url = format!("{site}/setup?key={key}");
    state.write_setup_link(&url)?;
    eprintln!(
        "\nOpen this link to create the first account: {url}\nIt works once, for 24 hours.\n"
    );
    Ok(())
}

/// What it means that root has not started it. `check --explain` knows what holds for one script.
pub fn one_account() {
    tracing::info!(
        uid = rustix::process::geteuid().as_raw(),
        "not started as root, so scripts run as the same account: Stagedoor's own files and the folders of other runs are hidden from them where Landlock can do that, and nothing else of this account is; docs/sandbox.md"
    );
}

/// Where it listens, and what it found.
pub async fn serving(doors: &Doors, root: &Path, app: &App) {
    let snapshot = app.catalog().await;
    let scripts = snapshot.len();
    let broken = snapshot.broken().len();
    let scheme = match doors.certificates {
        Some(_) => "https",
        None => "http",
    };
    for address in addresses(&doors.listeners) {
        tracing::info!("listening on {scheme}://{address}");
    }
    for address in addresses(&doors.redirects) {
        tracing::info!("leading from http://{address} to HTTPS");
    }
    tracing::info!(scripts, folder = %root.display(), "serving");
    for idle in app.idle_grants(&snapshot).await {
        tracing::warn!("a grant gives nobody anything: {idle}");
    }
    if broken > 0 {
        tracing::warn!(
            broken,
            "some definitions have errors; run: stagedoor check {}",
            root.display()
        );
    }
}

fn addresses(listeners: &[TcpListener]) -> impl Iterator<Item = SocketAddr> {
    listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
}
