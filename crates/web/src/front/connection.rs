//! One connection: accepted, counted, served by hyper's own HTTP/1 or HTTP/2 with timers, drained.
//!
//! Not `axum::serve`: it sets no timers. Not hyper-util's builder either: while it finds out
//! which HTTP a client speaks, it has no timer.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use stagedoor_config::Proxy;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::astray::Astray;
use super::bare::Bare;
use super::body::timed;
use super::desk::Desk;
use super::entry::{self, Stream};
use super::gated::Gated;
use super::heads::Heads;
use super::http2;
use super::limits::{Limits, Place};
use super::seat::Seat;
use crate::headers;
use crate::session::Arrival;

/// Most bytes of a head.
pub(super) const LARGEST_HEAD: usize = 16 * 1024;
/// Most header lines.
pub(super) const MOST_HEADERS: usize = 100;
/// When no descriptor is left, some must be given back first.
const BREATH: Duration = Duration::from_millis(50);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From a connection's beginning, or the first byte of a later request, to the end of the
    /// head.
    pub head: Duration,
    /// From an answer to the end of the next head.
    pub idle: Duration,
    /// Between two pieces of a body.
    pub body: Duration,
    /// From a connection's beginning to the end of the TLS handshake.
    pub handshake: Duration,
    /// From when a body is asked for to its end. Who has [`super::LARGEST_BODY`] to send must
    /// send 35 KB a second.
    pub whole_body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            body: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            whole_body: Duration::from_secs(30),
        }
    }
}

/// What each connection of one listener needs.
#[derive(Clone)]
pub(super) struct Door {
    /// Answers.
    pub desk: Desk,
    /// Counts.
    pub limits: Arc<Limits>,
    /// Ends.
    pub shutdown: CancellationToken,
    /// The listener's port.
    pub port: u16,
    /// Ends connections that hold a place for nothing.
    pub patience: Patience,
    /// HTTPS.
    pub tls: Option<TlsAcceptor>,
    /// For who does not speak it there.
    pub astray: Arc<Astray>,
    /// Who may hand on connections of others.
    pub proxy: Option<Arc<Proxy>>,
    /// Everybody may come; else only proxies and this machine: past its proxy, a server without TLS would take
    /// passwords in the clear.
    pub is_for_all: bool,
}

impl Door {
    fn trusts(&self, peer: IpAddr) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| trusts(proxy, peer))
    }

    fn admits(&self, peer: IpAddr) -> bool {
        self.is_for_all || self.proxy.as_ref().is_none_or(|proxy| admits(proxy, peer))
    }

    /// The connection begins with a header of the PROXY protocol.
    pub fn begins_with_preface(&self, peer: IpAddr) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.protocol) && self.trusts(peer)
    }

    fn place(&self, peer: IpAddr) -> Option<Place> {
        if self.trusts(peer) {
            self.limits.enter_proxy()
        } else {
            self.limits.enter(peer)
        }
    }
}

/// Whether who comes is a proxy, or this machine itself.
fn admits(proxy: &Proxy, peer: IpAddr) -> bool {
    peer.is_loopback() || trusts(proxy, peer)
}

/// A trusted proxy has the connections of many.
fn trusts(proxy: &Proxy, peer: IpAddr) -> bool {
    proxy.trusted.iter().any(|network| network.contains(peer))
}

/// Takes connections until the shutdown begins.
pub(super) async fn accept(listener: TcpListener, door: Door, connections: TaskTracker) {
    let mut is_blocked = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = door.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                if std::mem::take(&mut is_blocked) {
                    tracing::info!("connections are accepted again");
                }
                let peer = address.ip().to_canonical();
                if !door.admits(peer) {
                    lead_to_proxy(&stream);
                    continue;
                }
                match door.place(peer) {
                    Some(place) => {
                        connections.spawn(connection(stream, peer, door.clone(), place));
                    }
                    None if door.tls.is_some() => drop(stream),
                    None => refuse(&stream),
                }
            }
            Err(error) => hold_breath(&error, &mut is_blocked).await,
        }
    }
}

/// A connection that failed before it was accepted is nobody's fault; anything else is logged when
/// it begins, and not repeated at full speed.
async fn hold_breath(error: &io::Error, is_blocked: &mut bool) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    ) {
        if !std::mem::replace(is_blocked, true) {
            tracing::warn!(%error, "no connection can be accepted; they wait");
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// One that is too many gets a short answer if its buffer takes it, and is closed.
pub(super) fn refuse(stream: &TcpStream) {
    let text = "There are too many connections. Try again in a moment.\n";
    let answer = Bare {
        lines: "retry-after: 5\r\n",
        ..Bare::plain(StatusCode::SERVICE_UNAVAILABLE, text)
    };
    // Nothing depends on whether it arrives.
    let _ = stream.try_write(answer.whole(&headers::as_text()).as_bytes());
}

/// Somebody came past the proxy.
fn lead_to_proxy(stream: &TcpStream) {
    let text = "This address is for the proxy before this server only. Use the public address.\n";
    let answer = Bare::plain(StatusCode::FORBIDDEN, text);
    let _ = stream.try_write(answer.whole(&headers::as_text()).as_bytes());
}

/// hyper's part. It is never the first to find a head too large: see [`super::framing`].
pub(super) fn http1_builder(patience: Patience) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience.idle)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD);
    builder
}

/// Until it ends by itself, or somebody else needs its place and nothing is done on it.
async fn connection(stream: TcpStream, peer: IpAddr, door: Door, place: Place) {
    let seat = Arc::clone(place.seat());
    tokio::select! {
        () = serve(stream, peer, door, place) => {}
        () = seat.told_to_go() => {
            tracing::debug!(%peer, "a connection on which nothing was done made room for another");
        }
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, door: Door, mut place: Place) {
    // Small answers must not wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let entered = tokio::select! {
        entered = entry::enter(stream, peer, &door, &mut place) => entered,
        () = door.shutdown.cancelled() => return,
    };
    let Some((stream, arrival)) = entered else {
        return;
    };
    let ended = match stream {
        Stream::Plain(stream) => http1(stream, door, arrival, place.seat()).await,
        Stream::Tls(stream) if entry::chose_http2(&stream) => {
            // Large, and not to weigh on every other connection.
            Box::pin(http2::serve(*stream, door, arrival, place.seat())).await
        }
        Stream::Tls(stream) => http1(*stream, door, arrival, place.seat()).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
    drop(place);
}

/// HTTP/1.1 on any stream, until the client or the shutdown ends it.
async fn http1<S>(
    stream: S,
    door: Door,
    arrival: Arrival,
    seat: &Arc<Seat>,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (desk, patience) = (door.desk, door.patience);
    let answers = desk.clone();
    let heads = Heads::new(patience.head);
    let mut gated = Gated::new(heads.watch(stream), heads.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (answering, busy) = (heads.answering(), seat.begin());
        let mut request = request.map(|body| timed(body, patience, None));
        request.extensions_mut().insert(arrival);
        let desk = desk.clone();
        async move {
            let mut response = desk.answer(request).await;
            if answering.leaves_a_body() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            // The answer is over when hyper drops its body.
            Ok::<_, Infallible>(response.map(|body| {
                body.map_err(move |error| {
                    let _until_now = (&answering, &busy);
                    error
                })
            }))
        }
    });
    let ended = {
        let serving = http1_builder(patience).serve_connection(TokioIo::new(&mut gated), service);
        tokio::pin!(serving);
        tokio::select! {
            ended = serving.as_mut() => ended,
            () = door.shutdown.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        }
    };
    let headers = || answers.header_lines(arrival.is_secure);
    gated.finish(arrival.peer, headers).await;
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn w2_without_tls_only_the_proxy_and_this_machine_may_come_past_it() {
        let proxy = Proxy {
            hops: 1,
            trusted: vec!["10.0.0.2".parse().expect("a network")],
            protocol: false,
        };
        for (from, may) in [
            ("10.0.0.2", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("10.0.0.3", false),
        ] {
            assert_eq!(admits(&proxy, address(from)), may, "{from}");
        }
    }
}
