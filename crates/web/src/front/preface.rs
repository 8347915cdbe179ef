//! The header of the PROXY protocol, version 2, with which a trusted proxy says whose connection
//! it hands on (haproxy's `proxy-protocol.txt`, section 2.2). Only what it consists of; who may
//! send it is decided elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Most bytes behind the fixed part: addresses and whatever a proxy adds to them.
const LARGEST: usize = 4096;
/// What the proxy knows of the client's TLS.
const TLV_SSL: u8 = 0x20;
/// In the value of that: the client spoke TLS to the proxy.
const CLIENT_SSL: u8 = 0x01;

/// What the proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preface {
    /// The client; none when the connection is the proxy's own, or the client has no IP address.
    pub client: Option<IpAddr>,
    /// The client spoke TLS to the proxy.
    pub is_secure: bool,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadPreface {
    /// It ended, or something failed.
    #[error(transparent)]
    Broken(#[from] std::io::Error),
    /// The text of version 1.
    #[error("it sent version 1 of the PROXY protocol; let it send version 2")]
    Version1,
    /// Something else.
    #[error("it began without a PROXY protocol header; let it send one, of version 2")]
    Absent,
    /// Not as the protocol says.
    #[error("its PROXY protocol header is wrong: {0}")]
    Wrong(&'static str),
}

/// Reads the header and not one byte more: TLS or HTTP comes behind it.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Preface, BadPreface> {
    let mut fixed = [0; FIXED];
    // Where it begins otherwise, the rest may never come.
    let (start, rest) = fixed.split_at_mut(1);
    stream.read_exact(start).await?;
    check_first(start)?;
    stream.read_exact(rest).await?;
    let length = length(&fixed)?;
    let mut behind = vec![0; length];
    stream.read_exact(&mut behind).await?;
    parse(&fixed, &behind)
}

fn check_first(start: &[u8]) -> Result<(), BadPreface> {
    match start {
        [b'\r'] => Ok(()),
        [b'P'] => Err(BadPreface::Version1),
        _ => Err(BadPreface::Absent),
    }
}

/// How many bytes stand behind the fixed part.
fn length(fixed: &[u8; FIXED]) -> Result<usize, BadPreface> {
    if !fixed.starts_with(&SIGNATURE) {
        return Err(BadPreface::Absent);
    }
    let [.., high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LARGEST {
        return Err(BadPreface::Wrong("it is longer than 4 KiB"));
    }
    Ok(length)
}

fn parse(fixed: &[u8; FIXED], behind: &[u8]) -> Result<Preface, BadPreface> {
    let [.., version_and_command, family, _, _] = *fixed;
    let own = Preface {
        client: None,
        is_secure: false,
    };
    match version_and_command {
        // LOCAL: the proxy looks whether we are there.
        0x20 => return Ok(own),
        0x21 => {}
        0x22..=0x2f => return Err(BadPreface::Wrong("its command is unknown")),
        _ => return Err(BadPreface::Wrong("its version is not 2")),
    }
    let short = BadPreface::Wrong("its addresses are cut off");
    let (client, behind) = match family {
        0x11 => split::<4, 12>(behind).map(|(ip, rest)| (Some(Ipv4Addr::from(ip).into()), rest)),
        0x21 => split::<16, 36>(behind).map(|(ip, rest)| (Some(Ipv6Addr::from(ip).into()), rest)),
        // Of an unknown kind: what follows cannot be told from addresses.
        0x00 => return Ok(own),
        // Unix sockets.
        0x31 | 0x32 => behind.get(216..).map(|rest| (None, rest)),
        _ => return Err(BadPreface::Wrong("its addresses are not of TCP")),
    }
    .ok_or(short)?;
    Ok(Preface {
        client: client.map(|ip: IpAddr| ip.to_canonical()),
        is_secure: speaks_tls(behind)?,
    })
}

/// The source's address, and what stands behind all addresses, which have `ALL` bytes.
fn split<const SOURCE: usize, const ALL: usize>(behind: &[u8]) -> Option<([u8; SOURCE], &[u8])> {
    Some((*behind.first_chunk()?, behind.get(ALL..)?))
}

/// Goes through the additions: one byte of kind, two of length, the value.
fn speaks_tls(mut additions: &[u8]) -> Result<bool, BadPreface> {
    let mut is_secure = false;
    while !additions.is_empty() {
        let (kind, value, rest) = addition(additions).ok_or(BadPreface::Wrong(
            "what stands behind its addresses is cut off",
        ))?;
        if kind == TLV_SSL {
            is_secure = value.first().is_some_and(|flags| flags & CLIENT_SSL != 0);
        }
        additions = rest;
    }
    Ok(is_secure)
}

fn addition(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, high, low], rest) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (value, rest) = rest.split_at_checked(length)?;
    Some((kind, value, rest))
}

#[cfg(test)]
mod tests;
