//! Binds the addresses to listen on, while there may still be the rights for low ports.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use anyhow::anyhow;
use stagedoor_config::Listen;

/// All listeners, or why one of them cannot be had.
pub fn bind(wanted: &[Listen]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for listen in wanted {
        let first = bind_one(listen.address).map_err(|error| explain(listen.address, error))?;
        // With port 0 the kernel chose one, and the second address of the pair takes the same.
        let port = first.local_addr()?.port();
        listeners.push(first);
        let Some(also) = listen.also else { continue };
        let also = SocketAddr::new(also.ip(), port);
        match bind_one(also) {
            Ok(second) => listeners.push(second),
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(explain(also, error)),
            Err(error) => {
                tracing::info!(address = %also, %error, "this machine does not have the second loopback address");
            }
        }
    }
    Ok(listeners)
}

fn bind_one(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn explain(address: SocketAddr, error: std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::AddrInUse {
        let other = SocketAddr::new(address.ip(), address.port().wrapping_add(1));
        return anyhow!(
            "{address} is taken by another program; stop it, or choose another port, as in: --listen {other}"
        );
    }
    anyhow::Error::new(error).context(format!("could not listen on {address}"))
}
