//! Who sends a request that came through proxies (row W3).
//!
//! A client can send any header. Entries of `X-Forwarded-For` are believed from the right only,
//! where our own proxies wrote them: as many as the operator says that there are, each written
//! by a machine that the operator trusts. Whatever does not look like that is refused; there is
//! no other address to fall back to. `Forwarded`, `X-Real-IP`, `CF-Connecting-IP` and their like
//! are never read.

mod entry;
mod spoof;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use stagedoor_config::{Network, Proxy};
use stagedoor_domain::time::Timestamp;

use crate::problem::Problem;
use crate::session::Arrival;
pub(super) use spoof::Spoofs;

/// Each proxy adds to it from whom it got the request.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How the client spoke to the first of our proxies.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Entries that somebody has; more were made up.
const MOST_ENTRIES: usize = 64;
/// Bytes of all entries.
const LONGEST: usize = 2 * 1024;

/// Which proxies are believed.
#[derive(Debug)]
pub(super) struct Proxies {
    hops: usize,
    trusted: Vec<Network>,
    spoofs: Spoofs,
}

/// Why nobody can tell who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    /// No entry, or fewer than there are proxies.
    #[error("has fewer entries than there are proxies")]
    TooFew,
    /// More than anybody has.
    #[error("is too long")]
    TooLong,
    /// A name, `unknown`, nothing between two commas.
    #[error("has an entry that is not an address")]
    NotAnAddress,
    /// Somebody stands between our proxies who is none of them.
    #[error("names a proxy that is not trusted")]
    Stranger,
    /// Neither `http` nor `https`, or both.
    #[error("is neither http nor https")]
    NoScheme,
}

impl Proxies {
    /// None where no header is believed: without a proxy, or where proxies say who the client is
    /// before the first request of a connection (PROXY protocol).
    pub fn new(proxy: Option<&Proxy>) -> Option<Self> {
        let proxy = proxy.filter(|proxy| proxy.hops > 0)?;
        Some(Self {
            hops: usize::from(proxy.hops),
            trusted: proxy.trusted.clone(),
            spoofs: Spoofs::default(),
        })
    }

    /// The request as it arrived at the first of our proxies.
    ///
    /// # Errors
    /// 400: a trusted proxy did not say who the client is, or said it in a way that a client
    /// could have made up.
    pub fn arrival(
        &self,
        came: Arrival,
        headers: &HeaderMap,
        path: &str,
        now: Timestamp,
    ) -> Result<Arrival, Problem> {
        if !self.trusts(came.peer) {
            if is_forwarded(headers) {
                self.spoofs.note(came.peer, now);
            }
            return Ok(came);
        }
        // A proxy that asks for itself whether this server lives has nobody to speak for.
        if matches!(path, "/healthz" | "/readyz") && !headers.contains_key(FORWARDED_FOR) {
            return Ok(came);
        }
        let refused = |name: HeaderName| {
            move |unclear: Unclear| {
                Problem::bad_request(format!(
                    "The proxy before this server sent no good {name} header: it {unclear}. Its \
                     operator can compare the proxy's settings with `proxy.hops` and \
                     `proxy.trusted`."
                ))
                .with_code("bad_forwarding")
            }
        };
        Ok(Arrival {
            peer: self.client(headers).map_err(refused(FORWARDED_FOR))?,
            is_secure: is_https(headers).map_err(refused(FORWARDED_PROTO))?,
            ..came
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The entry that the outermost of our proxies wrote.
    fn client(&self, headers: &HeaderMap) -> Result<IpAddr, Unclear> {
        let lines = headers.get_all(FORWARDED_FOR);
        let length: usize = lines.iter().map(http::HeaderValue::len).sum();
        if length > LONGEST {
            return Err(Unclear::TooLong);
        }
        let mut client = Err(Unclear::TooFew);
        let mut number = 0;
        // Later lines are further to the right.
        for line in lines.iter().rev() {
            let line = line.to_str().map_err(|_| Unclear::NotAnAddress)?;
            for text in line.rsplit(',') {
                let address = entry::address(text).ok_or(Unclear::NotAnAddress)?;
                number += 1;
                if number > MOST_ENTRIES {
                    return Err(Unclear::TooLong);
                }
                if number < self.hops && !self.trusts(address) {
                    return Err(Unclear::Stranger);
                }
                if number == self.hops {
                    client = Ok(address);
                }
            }
        }
        client
    }
}

/// Whether it looks as if a proxy had sent the request.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_FOR) || headers.contains_key(FORWARDED_PROTO)
}

/// Without the header it was plain HTTP: what is not said is not believed.
fn is_https(headers: &HeaderMap) -> Result<bool, Unclear> {
    let mut said = None;
    for line in headers.get_all(FORWARDED_PROTO) {
        let https = match line.as_bytes() {
            b"https" => true,
            b"http" => false,
            _ => return Err(Unclear::NoScheme),
        };
        if said.is_some_and(|said| said != https) {
            return Err(Unclear::NoScheme);
        }
        said = Some(https);
    }
    Ok(said.unwrap_or(false))
}

#[cfg(test)]
mod tests;
