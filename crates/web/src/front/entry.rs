//! What happens on a connection before HTTP: the header of a trusted proxy, the place among the
//! client's connections, TLS.

use std::io;
use std::net::IpAddr;

use http::StatusCode;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::connection::{Door, refuse};
use super::limits::Place;
use super::log;
use super::preface::{self, BadPreface, Preface};
use super::stall::Stall;
use super::watched::Watched;
use crate::session::Arrival;
use crate::tls::H2;

/// What every TLS connection begins with: the type of a handshake record.
const HANDSHAKE_RECORD: u8 = 0x16;

/// Below TLS.
type Tcp = Watched<TcpStream, Stall>;

/// The stream below HTTP.
pub(super) enum Stream {
    /// Without TLS.
    Plain(Tcp),
    /// With.
    Tls(Box<TlsStream<Tcp>>),
}

/// What the client chose in the handshake.
pub(super) fn chose_http2(stream: &TlsStream<Tcp>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}

/// Why a connection ended before it came to HTTP.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("its PROXY protocol header did not come in time")]
    LatePreface,
    #[error("{0}")]
    Preface(#[from] BadPreface),
    #[error("the client has too many connections")]
    TooMany,
    #[error("the TLS handshake did not end in time")]
    LateHandshake,
    #[error("it spoke plain HTTP, or something else, to a port for HTTPS")]
    Plain,
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
}

/// The stream for HTTP and where it comes from; none when the connection has ended.
pub(super) async fn enter(
    mut stream: TcpStream,
    peer: IpAddr,
    door: &Door,
    place: &mut Place,
) -> Option<(Stream, Arrival)> {
    let entered = async {
        let preface = preface(&mut stream, peer, door).await?;
        let arrival = Arrival {
            peer: preface.client.unwrap_or(peer),
            port: door.port,
            is_secure: preface.is_secure || door.tls.is_some(),
        };
        if preface
            .client
            .is_some_and(|client| !place.belongs_to(client))
        {
            if door.tls.is_none() {
                refuse(&stream);
            }
            return Err(Ended::TooMany);
        }
        Ok((secure(stream, door).await?, arrival))
    };
    match entered.await {
        Ok(entered) => Some(entered),
        Err(ended) => {
            tell(peer, &ended);
            None
        }
    }
}

/// What a proxy does wrong is its operator's to mend; what strangers do is not worth a line.
fn tell(peer: IpAddr, ended: &Ended) {
    match ended {
        // The proxy looks whether somebody listens.
        Ended::Preface(BadPreface::Broken(_)) => {
            tracing::debug!(%peer, "a proxy's connection ended before its header");
        }
        Ended::Preface(_) | Ended::LatePreface => {
            tracing::warn!(%peer, "a connection of a trusted proxy was closed: {ended}");
        }
        Ended::Plain => log::refused(peer, StatusCode::BAD_REQUEST, &ended.to_string()),
        _ => tracing::debug!(%peer, "a connection ended early: {ended}"),
    }
}

async fn preface(stream: &mut TcpStream, peer: IpAddr, door: &Door) -> Result<Preface, Ended> {
    if !door.begins_with_preface(peer) {
        return Ok(Preface {
            client: None,
            is_secure: false,
        });
    }
    let read = timeout(door.patience.head, preface::read(stream)).await;
    Ok(read.map_err(|_| Ended::LatePreface)??)
}

async fn secure(mut stream: TcpStream, door: &Door) -> Result<Stream, Ended> {
    let Some(tls) = &door.tls else {
        return Ok(Stream::Plain(Stall::watch(stream)));
    };
    let handshake = async {
        let mut first = [0];
        let come = stream.peek(&mut first).await.map_err(Ended::Handshake)?;
        if come > 0 && first != [HANDSHAKE_RECORD] {
            door.astray.lead(&mut stream).await;
            return Err(Ended::Plain);
        }
        tls.accept(Stall::watch(stream))
            .await
            .map_err(Ended::Handshake)
    };
    let shaken = timeout(door.patience.handshake, handshake).await;
    let stream = shaken.map_err(|_| Ended::LateHandshake)??;
    Ok(Stream::Tls(Box::new(stream)))
}
