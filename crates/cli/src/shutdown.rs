//! Signals: TERM and Ctrl-C end the server, and a second Ctrl-C the running scripts too.

use stagedoor_app::app::App;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Waits for signals as long as the server lives; cancels `shutdown` at the first.
///
/// `linger` is cancelled too when the first one was TERM: a service manager wants an end, while
/// somebody at a terminal may still want to press Ctrl-C again.
pub async fn listen(app: App, shutdown: CancellationToken, linger: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
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
                    say(&app, " Ctrl-C again stops them.");
                    shutdown.cancel();
                }
            }
            _ = hang_up.recv() => tracing::info!("definitions are read when they change; settings at the next start"),
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
