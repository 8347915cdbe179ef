//! Addresses to listen on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::document::{Mark, Node, Problems, Value};

/// The port of who names none.
const PORT: u16 = 7373;

/// One place to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Must be had.
    pub address: SocketAddr,
    /// The same port on the other loopback address: counted as one with the first, and left out
    /// where the machine does not have it.
    pub also: Option<SocketAddr>,
}

impl Listen {
    /// Both loopback addresses.
    pub(crate) fn localhost(port: u16) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            also: Some((Ipv6Addr::LOCALHOST, port).into()),
        }
    }

    /// Reached by nobody but this machine.
    pub fn is_loopback(&self) -> bool {
        match self.address.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
            }
        }
    }
}

/// Reads one address or a list of them; without, both loopback addresses.
pub(crate) fn read(node: Option<&Node>, is_private: bool, problems: &mut Problems) -> Vec<Listen> {
    let Some(node) = node else {
        return vec![Listen::localhost(PORT)];
    };
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        problems.push(
            node.mark
                .problem("this list is empty")
                .mend("name an address, such as `127.0.0.1:7373`"),
        );
    }
    let mut all: Vec<Listen> = Vec::new();
    for item in items {
        let Some(listen) = one(item, problems) else {
            continue;
        };
        if !is_private && !listen.is_loopback() {
            problems.push(in_the_clear(&item.mark, listen.address));
        }
        // Port 0 is another one each time.
        if listen.address.port() != 0 && all.iter().any(|other| other.address == listen.address) {
            problems.push(
                item.mark
                    .problem(format!("`{}` stands here twice", listen.address))
                    .mend("take one out"),
            );
        }
        all.push(listen);
    }
    all
}

fn in_the_clear(mark: &Mark, address: SocketAddr) -> crate::document::Problem {
    let message = format!("on {address}, passwords would cross the network in the clear");
    mark.problem(message).mend(
        "set `tls.certificate` and `tls.key`; or listen on 127.0.0.1 behind a proxy that speaks HTTPS, with `behind_proxy = \
         true`; or, where the way here is private, as a published container port, set `allow_plain_http = true`, which \
         the audit reports",
    )
}

fn one(node: &Node, problems: &mut Problems) -> Option<Listen> {
    if let Value::Integer(port) = node.value {
        node.wrong(
            "an address in quotes",
            &format!("\"127.0.0.1:{port}\""),
            problems,
        );
        return None;
    }
    let text = node.full_text(problems)?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Listen {
            address,
            also: None,
        });
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((&text, ""));
    if let ("localhost", Ok(port)) = (host, port.parse()) {
        return Some(Listen::localhost(port));
    }
    let problem = node
        .mark
        .problem(format!("`{text}` is not an address with a port"));
    problems.push(problem.mend(match (host, port.parse::<u16>()) {
        ("*" | "", Ok(port)) => {
            format!("write `0.0.0.0:{port}`, or `[::]:{port}` for both families")
        }
        (_, Ok(port)) => {
            format!("write the address in numbers, such as `127.0.0.1:{port}` or `[::1]:{port}`")
        }
        (_, Err(_)) => {
            format!("write address and port, such as `127.0.0.1:{PORT}` or `[::1]:{PORT}`")
        }
    }));
    None
}
