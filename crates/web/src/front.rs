//! The front: listeners, connections and their limits, and the gate that each request passes
//! before the router sees it.

mod astray;
mod bare;
pub(crate) mod body;
mod client;
mod connection;
mod desk;
mod entry;
mod exposed;
mod frames;
mod framing;
mod gate;
mod gated;
mod heads;
mod held;
mod http2;
mod limits;
pub(crate) mod log;
mod preface;
mod reception;
mod redirect;
mod refused;
mod seat;
mod stall;
mod streams;
mod stripped;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use stagedoor_app::app::App;
use stagedoor_config::{Debug, Hsts, Proxy, Tls};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[doc(hidden)]
pub use framing::Framing;

use crate::base_path::BasePath;
use crate::debugging::Debugging;
use crate::routes;
use crate::site::Site;
use crate::state::AppState;
use crate::tls::Certificates;
use astray::Astray;
use connection::{Door, Patience};
use desk::Desk;
pub(crate) use gate::without_port;
use limits::Limits;
pub(crate) use limits::network;
use reception::Reception;
use redirect::Redirect;

/// How long open requests may go on after the shutdown began.
const DRAIN: Duration = Duration::from_secs(10);
/// Most bytes of a request's body.
pub(crate) const LARGEST_BODY: usize = 1 << 20;

/// What the operator has set of the web door.
#[derive(Debug, Clone, Default)]
pub struct WebOptions {
    /// Host names that are served beside those of the loopback.
    pub public_hosts: Vec<String>,
    /// The whole address of the first of these, for links.
    pub public_address: Option<String>,
    /// HTTPS on every listener.
    pub tls: Option<Tls>,
    /// Proxies before this server.
    pub proxy: Option<Proxy>,
    /// Behind a proxy without TLS: others than the proxy may come too.
    pub allow_plain_http: bool,
    /// Empty, or the path below which everything stands: `/scripts`.
    pub base_path: String,
    /// Of answers over HTTPS.
    pub hsts: Hsts,
    /// Who is told the causes of failures.
    pub debug: Option<Debug>,
}

/// What requests come in by: bound, and read, while there may still be the rights for it.
#[derive(Debug, Default)]
pub struct Doors {
    /// Where Stagedoor is served.
    pub listeners: Vec<std::net::TcpListener>,
    /// Where plain HTTP leads to HTTPS.
    pub redirects: Vec<std::net::TcpListener>,
    /// HTTPS on all of `listeners`.
    pub certificates: Option<Certificates>,
}

/// Plain HTTP.
impl From<Vec<std::net::TcpListener>> for Doors {
    fn from(listeners: Vec<std::net::TcpListener>) -> Self {
        Self {
            listeners,
            ..Self::default()
        }
    }
}

/// Why the server could not work.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is nothing to listen on.
    #[error("there is no address to listen on")]
    NoListener,
    /// HTTPS is wanted, and there is no certificate.
    #[error("there is no certificate for HTTPS")]
    NoCertificate,
    /// The TLS library does not work.
    #[error("could not set HTTPS up: {0}")]
    Tls(#[from] rustls::Error),
    /// A listener could not be handed to the runtime.
    #[error("could not listen: {0}")]
    Listen(#[source] std::io::Error),
}

/// Serves until `shutdown` is cancelled and the open requests are done, at most 10 s later.
/// Runs go on meanwhile and afterwards.
pub async fn serve(
    doors: impl Into<Doors>,
    app: App,
    options: WebOptions,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let doors = doors.into();
    let tls = acceptor(&doors, &options)?;
    let main = doors.listeners.first().ok_or(ServeError::NoListener)?;
    let https = main.local_addr().map_err(ServeError::Listen)?.port();
    let limits = Arc::new(Limits::default());
    let is_for_all = options.proxy.is_none() || tls.is_some() || options.allow_plain_http;
    let astray = Arc::new(astray(&options, https, &app));
    let door = |desk, tls, limits: &Arc<Limits>| Door {
        desk,
        limits: Arc::clone(limits),
        shutdown: shutdown.clone(),
        port: 0,
        patience: Patience::default(),
        tls,
        astray: Arc::clone(&astray),
        proxy: options.proxy.clone().map(Arc::new),
        is_for_all,
    };
    let base = BasePath::new(&options.base_path);
    let debugging = debugging(&app, &options, &shutdown);
    let site = Site {
        hosts: options.public_hosts.clone(),
        address: options.public_address.clone(),
    };
    let state = AppState::new(app.clone(), (base, site), shutdown.clone(), debugging);
    let reception = reception(state, &options);
    let mut all = Vec::new();
    for listener in doors.listeners {
        let desk = Desk::Reception(reception.clone());
        all.push((listener, door(desk, tls.clone(), &limits)));
    }
    if let Some(host) = options.public_hosts.first() {
        let redirect = Redirect::new(host, https, &options.base_path, app.clone());
        let limits = Arc::new(Limits::of_redirects());
        for listener in doors.redirects {
            let desk = Desk::Redirect(redirect.clone());
            all.push((listener, door(desk, None, &limits)));
        }
    }
    if let Some(certificates) = doors.certificates {
        let watch = certificates.watch(app);
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(watch));
    }
    listen(all).await
}

/// Who sees the causes of failures, if anybody: the log says when it begins and ends.
fn debugging(app: &App, options: &WebOptions, shutdown: &CancellationToken) -> Option<Debugging> {
    let now = app.clock().monotonic();
    let debugging = Debugging::begin(options.debug.as_ref()?, now);
    let announcing = debugging.clone().announce(now);
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(announcing));
    Some(debugging)
}

/// HTTPS, where it is wanted.
fn acceptor(doors: &Doors, options: &WebOptions) -> Result<Option<TlsAcceptor>, ServeError> {
    match &doors.certificates {
        Some(certificates) => {
            let config = certificates.server_config()?;
            Ok(Some(TlsAcceptor::from(Arc::new(config))))
        }
        // Never plain HTTP by mistake.
        None if options.tls.is_some() => Err(ServeError::NoCertificate),
        None => Ok(None),
    }
}

/// `https` is the port to which who went astray is led.
fn astray(options: &WebOptions, https: u16, app: &App) -> Astray {
    let host = options.public_hosts.first();
    let catalog = host.map(|host| format!("{}{}/", redirect::site(host, https), options.base_path));
    Astray::new(catalog.as_deref(), app.clone())
}

/// Accepts at all doors until the shutdown, then waits for what is open.
async fn listen(doors: Vec<(std::net::TcpListener, Door)>) -> Result<(), ServeError> {
    let connections = TaskTracker::new();
    let accepting = TaskTracker::new();
    for (listener, mut door) in doors {
        listener.set_nonblocking(true).map_err(ServeError::Listen)?;
        let listener = TcpListener::from_std(listener).map_err(ServeError::Listen)?;
        door.port = listener.local_addr().map_err(ServeError::Listen)?.port();
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
    Reception::new(router, options, now)
}

#[cfg(test)]
mod gate_fuzz;
#[cfg(test)]
#[path = "../../../tests/tests/it/malformed.rs"]
mod malformed;
#[cfg(test)]
mod tests;
