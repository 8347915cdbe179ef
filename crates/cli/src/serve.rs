//! `stagedoor serve`: wires the parts in the order that their rights allow.
//!
//! As root the order matters: the folder, the state directory, the ports and the runner need
//! root; everything that talks to the network runs after the server has dropped it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit};
use stagedoor_app::app::{App, Options, Parts};
use stagedoor_app::external::ExternalCommand;
use stagedoor_app::password::Hasher;
use stagedoor_app::session_key::digest;
use stagedoor_app::throttle::Limits;
use stagedoor_catalog::Catalog;
use stagedoor_config::{Environment, Flags, Settings, SignInCommand, Sources};
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::sandbox::Level;
use stagedoor_domain::time::Clock as _;
use stagedoor_output::Outputs;
use stagedoor_runner::{Connection, Reports, Runner, RunnerOptions};
use stagedoor_store::Store;
use stagedoor_web::Doors;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::args::ServeOptions;
use crate::cookie_keys::{self, Given, Kept};
use crate::signals::{self, Reload};
use crate::state::{State, apart};
use crate::system::{KernelChance, SystemClock};
use crate::{EXIT_OK, EXIT_RUNNER_GONE, announce, listen, logging, rights, sign_in_command};

/// How long outcomes that nobody can follow any more may take to reach the disk.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// How long a server that was stopped from a terminal waits for its runs.
const DRAIN: Duration = Duration::from_secs(10);
/// How often memory that was freed is given back.
const MEMORY: Duration = Duration::from_secs(30);
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
    is_root: bool,
}

pub fn serve(options: &ServeOptions) -> anyhow::Result<u8> {
    let environment = Environment::of_process();
    cookie_keys::leave_environment(&environment)?;
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

/// Threads that answer requests: half of the cores, because scripts run beside them. Two that take
/// turns on what scripts leave free wake each other more than they share (a fifth of the time that
/// a start takes of the server, measured on two cores).
fn workers() -> usize {
    (cores() / 2).max(1)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
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
    apart::check(&root_path, &settings.state)?;
    let state = State::open(&settings.state, accounts.server_uid)?;
    let cookie_keys = Given::of(&environment, SystemClock::new().now())?;
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
        is_root,
    };
    Ok((prepared, runner))
}

pub fn load(
    options: &ServeOptions,
    folder: &Path,
    environment: &Environment,
    is_root: bool,
) -> anyhow::Result<Settings> {
    let flags = Flags {
        listen: options.listen.clone(),
        config: options.config.clone(),
        state: options.state.dir.clone(),
    };
    let settings = stagedoor_config::load(Sources {
        folder,
        folder_name: &options.dir,
        flags: &flags,
        environment,
        cores: u32::try_from(cores()).unwrap_or(u32::MAX),
        is_root,
    })?;
    let command = settings.sign_in.command.as_ref();
    if let Some(program) = command.and_then(|command| command.argv.first()) {
        sign_in_command::check(program)?;
    }
    Ok(settings)
}

/// Connections, pipes and files of many runs need more descriptors than the usual 1,024.
fn raise_open_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, most) {
        tracing::debug!(%error, "could not raise the limit of open files");
    }
}

fn open_folder(path: &Path) -> anyhow::Result<OwnedFd> {
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

fn connect_runner(
    state: &Path,
    root_path: &Path,
    root: &OwnedFd,
    settings: &Settings,
    accounts: &Accounts,
) -> anyhow::Result<Connection> {
    let options = RunnerOptions {
        socket: state.join("runner.sock"),
        root: root_path.to_owned(),
        root_dir: root.try_clone()?,
        scratch: scratch(state, accounts),
        run_account: accounts.scripts.clone(),
        allow_root_scripts: settings.allow_root_scripts,
        some_go_without: settings.permits.iter().any(|p| p.level == Level::None),
        server_uid: accounts.server.as_ref().map(|account| account.uid),
    };
    // The file that runs now, even when a newer one has taken its name meanwhile.
    let binary = Path::new("/proc/self/exe");
    Runner::ensure(binary, &options).with_context(|| {
        format!(
            "could not start the process that runs scripts; it is reached at {}",
            options.socket.display()
        )
    })
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
            tracing::error!("the process that starts scripts has ended; start `stagedoor serve` again");
            Ok(EXIT_RUNNER_GONE)
        }
    }
}

/// What a burst of connections took, the C library would keep.
async fn give_back_memory() {
    let mut ticks = tokio::time::interval(MEMORY);
    loop {
        ticks.tick().await;
        let _ = tokio::task::spawn_blocking(stagedoor_runner::memory::give_back).await;
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
    let app = App::start(Parts {
        catalog,
        store,
        runner,
        reports,
        outputs: Arc::new(outputs),
        pump_events,
        clock,
        chance: chance.clone(),
        hasher: Hasher::new(&*chance),
        vault_key: state.vault_key(&*chance)?,
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

fn external_of(command: &SignInCommand) -> Arc<ExternalCommand> {
    Arc::new(ExternalCommand {
        argv: command.argv.clone(),
        timeout: command.timeout,
        may_name_admins: command.names_admins,
    })
}

pub fn options_of(settings: &Settings, environment: Environment) -> Options {
    let count = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    Options {
        capacity: Capacity {
            running: count(settings.limits.running),
            starting: starts_in_flight(),
            queued: count(settings.limits.queued),
            queued_per_user: count(settings.limits.queued_per_user),
        },
        output_cap: settings.limits.output,
        session: settings.session,
        sign_in: Limits {
            failures: settings.sign_in.failures,
            blocked_for: settings.sign_in.blocked_for,
        },
        external: settings.sign_in.command.as_ref().map(external_of),
        keep_audit_log: settings.keep_audit_log,
        grants: Arc::new(settings.grants.clone()),
        environment,
    }
}

/// How many runs may be between their claim and the first instruction of their script. A start is
/// work for a core, so more of them at once only wait for each other. Most of that time goes to the
/// disk, which writes many at once: with fewer than this (measured with 32 callers on two cores)
/// starts wait for the disk one after the other.
fn starts_in_flight() -> usize {
    const PER_CORE: usize = 16;
    PER_CORE * cores()
}
