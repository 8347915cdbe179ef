//! Where the program listens (rows W2, W5, B4): on this machine only, unless somebody decided
//! otherwise. Read from the kernel, not from what the program says.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::program::{self, Home, Program};
use crate::secure::{self, HELLO, Identity};

/// Every TCP socket of the program that listens. Nobody but root may look at a server's descriptors,
/// not even its own account: then those at its port.
fn listening(program: &Program) -> BTreeSet<SocketAddr> {
    let pid = program.pid();
    let own: Option<BTreeSet<String>> =
        fs::read_dir(format!("/proc/{pid}/fd"))
            .ok()
            .map(|descriptors| {
                descriptors
                    .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
                    .map(|link| link.display().to_string())
                    .collect()
            });
    let mut found = BTreeSet::new();
    for file in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/net/{file}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (address, socket) = (address(fields[1]), format!("socket:[{}]", fields[9]));
            let is_own = match &own {
                Some(own) => own.contains(&socket),
                None => address.port() == secure::address(program).port(),
            };
            // State 0A is LISTEN; the tenth field is the socket's inode.
            if fields[3] == "0A" && is_own {
                found.insert(address);
            }
        }
    }
    found
}

/// `0100007F:1CCD`: words in the machine's order, then the port.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').expect("an address");
    let bytes: Vec<u8> = (0..ip.len() / 8)
        .flat_map(|at| {
            let word = u32::from_str_radix(&ip[8 * at..8 * at + 8], 16).expect("a word");
            word.to_ne_bytes()
        })
        .collect();
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).expect("four")),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).expect("sixteen")),
    };
    SocketAddr::new(ip, u16::from_str_radix(port, 16).expect("a port"))
}

#[test]
fn w5_a_start_without_settings_listens_on_this_machine_only() {
    let home = Home::new();
    let folder = home.scripts(&[HELLO]);
    // The default but for the port, which may be taken on this machine.
    let program = Program::serve_with(home, &folder, &["--listen", "localhost:0"], "http://");
    let found = listening(&program);
    let ips: BTreeSet<IpAddr> = found.iter().map(SocketAddr::ip).collect();
    assert!(ips.contains(&Ipv4Addr::LOCALHOST.into()), "{found:?}");
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    assert!(ips.iter().all(|ip| loopback.contains(ip)), "{found:?}");
}

#[test]
fn w2_beyond_this_machine_it_listens_with_tls_only() {
    let home = Home::new();
    let folder = home.scripts(&[HELLO]);
    let path = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let words = [
        "serve",
        &path(&folder),
        "--state",
        &path(&home.state()),
        "--listen",
        "0.0.0.0:0",
    ];
    let output = program::stagedoor(&words, "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("tls.certificate") && said.contains("in the clear"),
        "{said}"
    );

    let identity = Identity::new();
    identity.write(&home);
    let folder = home.scripts(&[("stagedoor.toml", &secure::settings(&home))]);
    let words = ["--listen", "0.0.0.0:0"];
    let program = Program::serve_with(Arc::clone(&home), &folder, &words, "https://");
    let found = listening(&program);
    assert!(
        found.iter().any(|address| address.ip().is_unspecified()),
        "{found:?}"
    );
    let port = secure::address(&program).port();
    assert!(
        identity
            .client()
            .is_served((Ipv4Addr::LOCALHOST, port).into())
    );
}
