//! `stagedoor serve`: wires the parts in the order that their rights allow.
//!
//! As root the order matters: the folder, the state directory, the ports and the runner need
//! root; everything that talks to the network runs after the server has dropped it.

mod machine;
mod options;
pub mod scripts;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use stagedoor_app::app::{App, Parts};
use stagedoor_app::password::Hasher;
use stagedoor_catalog::Catalog;
use stagedoor_config::{Environment, Settings};
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::time::Clock as _;
use stagedoor_output::Outputs;
use stagedoor_runner::{Connection, Reports, Runner};
use stagedoor_store::Store;
use stagedoor_web::Doors;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::args::ServeOptions;
use crate::keys::{self, COOKIES, Given, Kept, SECRETS};
use crate::signals::{self, Reload};
use crate::state::{State, apart};
use crate::system::{KernelChance, SystemClock};
use crate::{EXIT_OK, EXIT_RUNNER_GONE, announce, listen, logging, rights};
use machine::{give_back_memory, raise_open_files, workers};
use scripts::connect_runner;

pub use options::{load, options_of};

/// How long outcomes that nobody can follow any more may take to reach the disk.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// How long a server that was stopped from a terminal waits for its runs.
const DRAIN: Duration = Duration::from_secs(10);
/// Threads that move output.
const PUMPS: usize = 2;

/// What needs the rights of whoever started the process.
struct Prepared {
    settings: Settings,
    environment: Environment,
    root_path: PathBuf,
    root: OwnedFd,
    state: State,
    doors: Doors,
    /// Keys that sign cookies, if the operator gives them.
    cookie_keys: Option<Given>,
    /// Keys that seal stored secrets, if the operator gives them.
    secret_keys: Option<Given>,
    is_root: bool,
}

pub fn serve(options: &ServeOptions) -> anyhow::Result<u8> {
    let environment = Environment::of_process();
    keys::leave_environment(&environment)?;
    logging::start(
        environment.get("STAGEDOOR_LOG"),
        environment.get("NO_COLOR").is_some(),
    );
    let (prepared, runner) = prepare(options, environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()?;
    runtime.block_on(run(prepared, runner, options))
}

fn prepare(
    options: &ServeOptions,
    environment: Environment,
) -> anyhow::Result<(Prepared, Connection)> {
    let root_path = options
        .dir
        .canonicalize()
        .with_context(|| format!("there is no folder {}", options.dir.display()))?;
    let root = open_folder(&root_path)?;
    let is_root = rustix::process::geteuid().is_root();
    let settings = load(options, &root_path, &environment, is_root)?;
    if settings.proxy.is_some() && settings.public_host.is_empty() {
        tracing::warn!(
            "behind a proxy without `public_host`: only requests for this machine's own names are answered"
        );
    }
    let accounts = Accounts::choose(&settings)?;
    if !is_root {
        announce::one_account();
    }
    apart::check(&root_path, &settings.state)?;
    let state = State::open(&settings.state, accounts.server_uid)?;
    let now = SystemClock::new().now();
    let given = |kind| Given::of(kind, &environment, accounts.server_uid, now);
    let (cookie_keys, secret_keys) = (given(&COOKIES)?, given(&SECRETS)?);
    let doors = listen::open(&settings, &accounts)?;
    rights::keep_to_itself()?;
    let runner = connect_runner(&state.dir, &root_path, &root, &settings, &accounts)?
        .after(state.earlier_runner().as_deref());
    // After the runner, which passes the limit that it was started with to scripts.
    raise_open_files();
    rights::give_up(accounts.server.as_ref())?;
    let prepared = Prepared {
        settings,
        environment,
        root_path,
        root,
        state,
        doors,
        cookie_keys,
        secret_keys,
        is_root,
    };
    Ok((prepared, runner))
}

pub fn open_folder(path: &Path) -> anyhow::Result<OwnedFd> {
    let folder = File::open(path)
        .with_context(|| format!("could not open the folder {}", path.display()))?;
    if !folder.metadata()?.is_dir() {
        bail!(
            "{} is not a folder; name the folder that holds your scripts",
            path.display()
        );
    }
    Ok(folder.into())
}

async fn run(
    prepared: Prepared,
    runner: Connection,
    arguments: &ServeOptions,
) -> anyhow::Result<u8> {
    let hang_up = signals::hang_up()?;
    let reload = Arc::new(Reload {
        arguments: arguments.clone(),
        folder: prepared.root.try_clone()?,
        environment: prepared.environment.clone(),
        is_root: prepared.is_root,
        certificates: prepared.doors.certificates.clone(),
        began: prepared.settings.clone(),
        last: Mutex::new(prepared.settings.clone()),
    });
    let web = stagedoor_web::WebOptions {
        public_hosts: prepared.settings.public_host.clone(),
        public_address: announce::public_address(&prepared.settings, &prepared.doors),
        tls: prepared.settings.tls.clone(),
        proxy: prepared.settings.proxy.clone(),
        allow_plain_http: prepared.settings.allow_plain_http,
        base_path: prepared.settings.base_path.clone(),
        hsts: prepared.settings.hsts,
        debug: prepared.settings.debug.clone(),
    };
    let (app, doors, _state) = start_app(prepared, runner, arguments.all).await?;
    let (shutdown, linger) = (CancellationToken::new(), CancellationToken::new());
    let signals = signals::listen(
        app.clone(),
        shutdown.clone(),
        linger.clone(),
        reload,
        hang_up,
    );
    tokio::spawn(signals);
    tokio::spawn(give_back_memory());
    tokio::select! {
        served = stagedoor_web::serve(doors, app.clone(), web, shutdown) => {
            served?;
            app.drain();
            tokio::select! {
                () = app.settle_begun(DRAIN) => {}
                () = linger.cancelled() => {}
            }
            app.note(app.entry(Act::ServerStopped, &Origin::server())).await;
            app.say_goodbye().await;
            tracing::info!("stopped");
            Ok(EXIT_OK)
        }
        _ = app.fatal() => {
            // The outcomes of the runs that nobody can follow any more are on their way to disk.
            app.settle_begun(LAST_RECORDS).await;
            tracing::error!("the process that starts scripts has ended, and nobody knows how what it had started ends; start `stagedoor serve` again, which ends what is left of that");
            Ok(EXIT_RUNNER_GONE)
        }
    }
}

/// Wires the parts. The state is given back because it holds the lock.
async fn start_app(
    prepared: Prepared,
    runner: Connection,
    all: bool,
) -> anyhow::Result<(App, Doors, State)> {
    let note = runner.identity().map(|id| prepared.state.runner_note(id));
    if let Some(note) = note.as_ref().filter(|_| runner.knows_all()) {
        note.write();
    }
    let (runner, reports) = runner.attach()?;
    let started = assemble(prepared, runner.clone(), reports, all).await;
    match (&started, note) {
        (Ok((app, ..)), Some(note)) => {
            let app = app.clone();
            tokio::spawn(async move {
                app.accounted().await;
                note.write();
            });
        }
        (Ok(_), None) => {}
        // One that holds no runs need not wait for a server that may never come.
        (Err(_), _) => drop(runner.bye().await),
    }
    started
}

async fn assemble(
    prepared: Prepared,
    runner: Runner,
    reports: Reports,
    all: bool,
) -> anyhow::Result<(App, Doors, State)> {
    let Prepared {
        settings,
        environment,
        root_path,
        root,
        state,
        doors,
        cookie_keys,
        secret_keys,
        ..
    } = prepared;
    let clock = Arc::new(SystemClock::new());
    let chance = Arc::new(KernelChance);
    let store = Store::open(&state.dir)
        .with_context(|| format!("could not open the database in {}", state.dir.display()))?;
    let site = announce::site(&settings, &doors);
    announce::setup_link(&store, &state, &clock, site.as_deref()).await?;
    let folder = state.dir.join("output");
    let (outputs, pump_events) = Outputs::open(&folder, PUMPS, clock.clone())
        .with_context(|| format!("could not use {} for output", folder.display()))?;
    let scripts = stagedoor_catalog::Options {
        all,
        timeout: settings.limits.timeout,
        permits: settings.permits.clone(),
        ..stagedoor_catalog::Options::new(clock.clone())
    };
    let catalog = Catalog::open(root, &root_path, scripts)?;
    let dir = state.dir.clone();
    let (keeper, cookie_keys) = Kept::open(cookie_keys, dir, &*chance, clock.now())?;
    let secret_keys = keys::settled(secret_keys, &state.dir, &store, clock.now()).await?;
    let app = App::start(Parts {
        catalog,
        store,
        runner,
        reports,
        outputs: Arc::new(outputs),
        pump_events,
        clock,
        chance: chance.clone(),
        hasher: Hasher::new(&*chance).on_hosts(options::hosts(&settings)),
        vault_key: state.vault_key(&*chance)?,
        secret_keys,
        cookie_keys,
        options: options_of(&settings, environment),
    })
    .await?;
    let entry = app.entry(Act::ServerStarted, &Origin::server());
    app.note(entry.with("version", env!("CARGO_PKG_VERSION")))
        .await;
    tokio::spawn(keeper.watch(app.clone()));
    announce::serving(&doors, &root_path, &app).await;
    Ok((app, doors, state))
}
