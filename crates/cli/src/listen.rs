//! Binds the addresses to listen on and reads the certificate, while there may still be the rights
//! for low ports and for a key of root's.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, anyhow};
use rustix::process::{getegid, getuid};
use stagedoor_config::{Listen, Settings};
use stagedoor_domain::time::Clock as _;
use stagedoor_web::{Certificates, Doors, Keepers};

use crate::accounts::Accounts;
use crate::system::SystemClock;

/// The first port that every account may have, if the machine's owner has not changed that.
const FREE_FOR_ALL: u16 = 1024;

/// Everything that requests come in by.
pub fn open(settings: &Settings, accounts: &Accounts) -> anyhow::Result<Doors> {
    let redirects = settings.tls.as_ref().map(|tls| &tls.redirect_listen);
    Ok(Doors {
        certificates: certificates(settings, accounts)?,
        listeners: bind(&settings.listen)?,
        redirects: redirects.map_or(Ok(Vec::new()), |redirects| bind(redirects))?,
    })
}

fn certificates(settings: &Settings, accounts: &Accounts) -> anyhow::Result<Option<Certificates>> {
    let Some(tls) = &settings.tls else {
        return Ok(None);
    };
    let group = accounts.server.as_ref().map(|account| account.gid);
    let keepers = Keepers {
        owners: vec![0, getuid().as_raw(), accounts.server_uid],
        group: group.unwrap_or_else(|| getegid().as_raw()),
    };
    let certificates = Certificates::load(
        tls,
        keepers,
        &settings.public_host,
        SystemClock::new().now(),
    );
    Ok(Some(certificates.context("HTTPS is not possible")?))
}

/// All listeners, or why one of them cannot be had.
fn bind(wanted: &[Listen]) -> anyhow::Result<Vec<TcpListener>> {
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
    let port = address.port();
    if error.kind() == ErrorKind::PermissionDenied && port < FREE_FOR_ALL {
        return anyhow!(
            "could not listen on {address}: ports below {FREE_FOR_ALL} need a right that your account has not; \
             run as root: sysctl -w net.ipv4.ip_unprivileged_port_start={port}\n\
             or start it as root, or as a service of systemd with \
             `AmbientCapabilities=CAP_NET_BIND_SERVICE`, or let a proxy (deploy/README.md) have the port"
        );
    }
    anyhow::Error::new(error).context(format!("could not listen on {address}"))
}
