//! Signals: TERM and Ctrl-C end the server, a second Ctrl-C the running scripts too, and HUP
//! reads the settings again.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stagedoor_app::app::App;
use stagedoor_config::{Changes, Environment, Settings};
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::time::Timestamp;
use stagedoor_web::Certificates;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::ServeOptions;
use crate::serve;

/// What the settings are read from again.
pub struct Reload {
    pub arguments: ServeOptions,
    /// The folder of scripts as it was opened at the start: without root's rights its path may be
    /// closed by now.
    pub folder: OwnedFd,
    pub environment: Environment,
    /// Whether root started the server.
    pub is_root: bool,
    /// Read again too.
    pub certificates: Option<Certificates>,
    /// What the server was set up with.
    pub began: Settings,
    /// What was read last.
    pub last: Mutex<Settings>,
}

/// HUP. Until this is there it ends the process, as signals do; so it comes before the server says
/// that it listens.
pub fn hang_up() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

impl Reload {
    fn last(&self) -> MutexGuard<'_, Settings> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for signals as long as the server lives; cancels `shutdown` at the first.
///
/// `linger` is cancelled too when the first one was TERM: a service manager wants an end, while
/// somebody at a terminal may still want to press Ctrl-C again.
pub async fn listen(
    app: App,
    shutdown: CancellationToken,
    linger: CancellationToken,
    settings: Arc<Reload>,
    mut hang_up: Signal,
) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                linger.cancel();
                say(&app, "");
                shutdown.cancel();
            }
            _ = interrupt.recv() => {
                if shutdown.is_cancelled() {
                    tracing::warn!("stopping the running scripts");
                    app.stop_everything();
                } else {
                    say(&app, " Waiting 10 s for them; Ctrl-C again stops them.");
                    shutdown.cancel();
                }
            }
            _ = hang_up.recv() => {
                reload(&app, &settings).await;
            }
        }
    }
}

fn say(app: &App, more: &str) {
    let (running, waiting) = app.load();
    if running + waiting == 0 {
        tracing::info!("stopping");
    } else {
        tracing::info!(
            running,
            waiting,
            "stopping; running scripts go on, and the next `stagedoor serve` takes them over.{more}"
        );
    }
}

/// A file with an error changes nothing, nor does one that cannot be recorded.
async fn reload(app: &App, from: &Arc<Reload>) {
    // Files may lie on a disk that does not answer.
    let (now, files) = (app.clock().now(), Arc::clone(from));
    let Ok(read) = tokio::task::spawn_blocking(move || read_again(&files, now)).await else {
        return;
    };
    let entry = app.entry(Act::SettingsReloaded, &Origin::server());
    let settings = match read {
        Ok(settings) => settings,
        Err(error) => {
            tracing::error!("the settings stay as they were: {error:#}");
            return app.note(entry.failed()).await;
        }
    };
    let changes = settings.changes(&from.began, &from.last());
    // Names of keys, never what they are set to.
    let entry = entry.with("changed", changes.now.join(" "));
    if let Err(error) = app.record_act(entry).await {
        tracing::error!(%error, "the settings stay as they were: the audit log cannot be written");
        return;
    }
    app.reload(serve::options_of(&settings, from.environment.clone()));
    tell(&settings, &changes);
    *from.last() = settings;
}

fn read_again(from: &Reload, now: Timestamp) -> anyhow::Result<Settings> {
    if let Some(certificates) = &from.certificates {
        certificates.reload(now);
    }
    let folder = PathBuf::from(format!("/proc/self/fd/{}", from.folder.as_raw_fd()));
    serve::load(&from.arguments, &folder, &from.environment, from.is_root)
}

/// What came of it, so that nobody waits for what needs a start.
fn tell(settings: &Settings, changes: &Changes) {
    let file = settings.file.as_ref();
    let file = file.map_or_else(
        || "there is no file".to_owned(),
        |file| file.display().to_string(),
    );
    match changes.now.as_slice() {
        [] => tracing::info!("read the settings again ({file}): nothing changes now"),
        [key] => tracing::info!("read the settings again ({file}): {key} counts from now on"),
        keys => {
            let keys = keys.join(", ");
            tracing::info!("read the settings again ({file}): {keys} count from now on");
        }
    }
    match changes.next_start.as_slice() {
        [] => {}
        [key] => tracing::warn!(
            "not in force yet: {key} is not what this server started with; it counts once \
             `stagedoor serve` is started again"
        ),
        keys => {
            let keys = keys.join(", ");
            tracing::warn!(
                "not in force yet: {keys} are not what this server started with; they count once \
                 `stagedoor serve` is started again"
            );
        }
    }
}
