//! The front: listeners, connections and their limits, and the gate that each request passes
//! before the router sees it.

pub(crate) mod body;
mod connection;
mod framing;
mod gate;
mod gated;
mod heads;
mod limits;
mod reception;
mod refused;
mod stall;

use std::sync::Arc;
use std::time::Duration;

use stagedoor_app::app::App;
use stagedoor_config::{Hsts, Proxy, Tls};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[doc(hidden)]
pub use framing::Framing;

use crate::routes;
use crate::state::AppState;
use connection::Patience;
use gate::Hosts;
use limits::Limits;
use reception::Reception;

/// How long open requests may go on after the shutdown began.
const DRAIN: Duration = Duration::from_secs(10);
/// Most bytes of a request's body.
const LARGEST_BODY: usize = 1 << 20;

/// What the operator has set of the web door.
#[derive(Debug, Clone, Default)]
pub struct WebOptions {
    /// Host names that are served beside those of the loopback.
    pub public_hosts: Vec<String>,
    /// HTTPS on every listener.
    pub tls: Option<Tls>,
    /// Proxies before this server.
    pub proxy: Option<Proxy>,
    /// Empty, or the path below which everything stands: `/scripts`.
    pub base_path: String,
    /// Of answers over HTTPS.
    pub hsts: Hsts,
}

/// Why the server could not work.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is nothing to listen on.
    #[error("there is no address to listen on")]
    NoListener,
    /// A listener could not be handed to the runtime.
    #[error("could not listen: {0}")]
    Listen(#[source] std::io::Error),
}

/// Serves until `shutdown` is cancelled and the open requests are done, at most 10 s later.
/// Runs go on meanwhile and afterwards.
pub async fn serve(
    listeners: Vec<std::net::TcpListener>,
    app: App,
    options: WebOptions,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    if listeners.is_empty() {
        return Err(ServeError::NoListener);
    }
    let reception = reception(AppState::new(app, shutdown.clone()), &options);
    let limits = Arc::new(Limits::default());
    let connections = TaskTracker::new();
    let accepting = TaskTracker::new();
    for listener in listeners {
        listener.set_nonblocking(true).map_err(ServeError::Listen)?;
        let listener = TcpListener::from_std(listener).map_err(ServeError::Listen)?;
        let port = listener.local_addr().map_err(ServeError::Listen)?.port();
        let door = connection::Door {
            reception: reception.clone(),
            limits: Arc::clone(&limits),
            shutdown: shutdown.clone(),
            port,
            patience: Patience::default(),
        };
        accepting.spawn(connection::accept(listener, door, connections.clone()));
    }
    accepting.close();
    accepting.wait().await;
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "closing connections that did not end in time"
        );
    }
    Ok(())
}

/// The router and what stands around it.
fn reception(state: AppState, options: &WebOptions) -> Reception {
    let router = routes::router(&state);
    let now = Arc::new(move || state.app.clock().now());
    Reception::new(router, Hosts::new(&options.public_hosts), now)
}

#[cfg(test)]
mod gate_fuzz;
#[cfg(test)]
#[path = "../../../tests/tests/it/malformed.rs"]
mod malformed;
#[cfg(test)]
mod tests;
