//! How requests reach the server: TLS, a proxy before it, the path below which it stands.

use std::path::PathBuf;

use crate::document::{Node, Problems, Value};
use crate::layers::Layers;
use crate::listen::{self, Listen};
use stagedoor_domain::network::{BadNetwork, Network};

/// HTTPS by the server itself, on everything that it listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the server's certificate first, then those between it and a root.
    pub certificate: PathBuf,
    /// PEM: the private key, readable by the server's account or root alone.
    pub key: PathBuf,
    /// Addresses that speak plain HTTP and only lead to HTTPS.
    pub redirect_listen: Vec<Listen>,
}

/// Proxies stand before the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How many of them add an entry to `X-Forwarded-For`; 0 only with `protocol`.
    pub hops: u8,
    /// Who is believed. Never empty.
    pub trusted: Vec<Network>,
    /// Each of their connections begins with a PROXY protocol v2 header.
    pub protocol: bool,
}

/// What `Strict-Transport-Security` says where requests come by HTTPS (row W7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hsts {
    /// Two years, with all subdomains, to be built into browsers.
    Full,
    /// Two years, this host alone.
    #[default]
    Host,
    /// Nothing.
    Off,
}

/// Hops that anybody has; more are a slip of the finger.
const MOST_HOPS: i64 = 8;

/// `[tls]`: both files, or neither.
pub(crate) fn tls(layers: &Layers, hosts: &[String], problems: &mut Problems) -> Option<Tls> {
    let certificate = layers.get("tls.certificate");
    let key = layers.get("tls.key");
    let redirect = layers.get("tls.redirect_listen");
    let (Some(certificate), Some(key)) = (certificate, key) else {
        if let Some(alone) = certificate.or(key).or(redirect) {
            let problem = alone.mark.problem("HTTPS needs a certificate and its key");
            problems.push(problem.mend("set both `tls.certificate` and `tls.key`"));
        }
        return None;
    };
    let redirect_listen = match redirect {
        None => Vec::new(),
        // Nothing but a redirect is answered there, so it may be anywhere.
        Some(node) => listen::read(Some(node), true, problems),
    };
    if let Some(node) = redirect.filter(|_| hosts.is_empty()) {
        let problem = node.mark.problem("there is no host to lead to");
        problems.push(
            problem.mend("name it in `public_host`, as in `public_host = \"scripts.example.org\"`"),
        );
    }
    Some(Tls {
        certificate: path(certificate, problems)?,
        key: path(key, problems)?,
        redirect_listen,
    })
}

fn path(node: &Node, problems: &mut Problems) -> Option<PathBuf> {
    let path = PathBuf::from(node.full_text(problems)?);
    if path.is_absolute() {
        return Some(path);
    }
    let problem = node
        .mark
        .problem(format!("`{}` is not a whole path", path.display()));
    problems.push(problem.mend("write it from the root on, such as `/etc/stagedoor/tls.pem`"));
    None
}

/// `behind_proxy` and `[proxy]`: neither without the other.
pub(crate) fn proxy(layers: &Layers, problems: &mut Problems) -> Option<Proxy> {
    let flag = |key: &str, problems: &mut Problems| {
        layers
            .get(key)
            .and_then(|node| node.flag(problems))
            .unwrap_or(false)
    };
    let is_behind = flag("behind_proxy", problems);
    let protocol = flag("proxy.protocol", problems);
    let hops = layers.get("proxy.hops");
    let trusted = layers.get("proxy.trusted");
    if !is_behind {
        if let Some(node) = hops.or(trusted).or(layers.get("proxy.protocol")) {
            let problem = node.mark.problem("this counts only behind a proxy");
            problems.push(problem.mend("add `behind_proxy = true`, or take `[proxy]` out"));
        }
        return None;
    }
    let behind = &layers.get("behind_proxy")?.mark;
    let least = i64::from(!protocol);
    let hops = match hops {
        Some(node) if !protocol && matches!(node.value, Value::Integer(0)) => {
            let problem = node.mark.problem("0 proxies, and `behind_proxy = true`");
            problems.push(problem.mend(
                "write how many proxies add an entry to `X-Forwarded-For`, 1 for one; or take `behind_proxy` and \
                 `[proxy]` out; 0 is for `proxy.protocol = true` alone",
            ));
            None
        }
        Some(node) => node.integer(least, MOST_HOPS, problems),
        None if protocol => Some(0),
        None => {
            let problem =
                behind.problem("it is not said how many proxies stand before this server");
            problems.push(problem.mend("set `proxy.hops`, 1 for one proxy"));
            None
        }
    };
    let Some(trusted) = trusted else {
        let problem = behind.problem("it is not said which proxies are believed");
        problems.push(
            problem.mend("set `proxy.trusted`, as in `proxy.trusted = [\"127.0.0.1\", \"::1\"]`"),
        );
        return None;
    };
    Some(Proxy {
        hops: u8::try_from(hops?).ok()?,
        trusted: networks(trusted, problems)?,
        protocol,
    })
}

fn networks(node: &Node, problems: &mut Problems) -> Option<Vec<Network>> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        let problem = node.mark.problem("this list is empty");
        problems.push(problem.mend("name the proxy's address, such as `127.0.0.1`"));
    }
    let all: Vec<Network> = items
        .iter()
        .filter_map(|item| network(item, problems))
        .collect();
    (!all.is_empty()).then_some(all)
}

fn network(node: &Node, problems: &mut Problems) -> Option<Network> {
    let text = node.full_text(problems)?;
    let error = match text.parse() {
        Ok(network) => return Some(network),
        Err(error) => error,
    };
    let mend = match &error {
        BadNetwork::Inside(network) => {
            let alone = text.split('/').next().unwrap_or_default();
            format!("write `{alone}` for that machine alone, or `{network}` for all of the network")
        }
        BadNetwork::Unreadable => {
            "write an address such as `10.0.0.7`, or a network such as `10.0.0.0/24`".to_owned()
        }
    };
    problems.push(node.mark.problem(format!("`{text}` {error}")).mend(mend));
    None
}

/// `base_path`: empty, or `/one` or `/one/two`.
pub(crate) fn base_path(layers: &Layers, problems: &mut Problems) -> String {
    let Some(node) = layers.get("base_path") else {
        return String::new();
    };
    let Some(text) = node.full_text(problems) else {
        return String::new();
    };
    let path = text.trim_end_matches('/');
    let good = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    match path.strip_prefix('/') {
        _ if text == "/" => return String::new(),
        Some(parts) if parts.split('/').all(good) => return path.to_owned(),
        _ => {}
    }
    let problem = node.mark.problem(format!(
        "`{text}` is not a path that browsers and proxies write in one way"
    ));
    problems
        .push(problem.mend("write it with letters, digits, `-`, `.` and `_`, such as `/scripts`"));
    String::new()
}

/// `hsts`. Without it: the whole where a host is named that is all Stagedoor's, else this host alone.
pub(crate) fn hsts(layers: &Layers, hosts: &[String], problems: &mut Problems) -> Hsts {
    let by_default = if hosts.is_empty() || layers.get("base_path").is_some() {
        Hsts::Host
    } else {
        Hsts::Full
    };
    let Some(node) = layers.get("hsts") else {
        return by_default;
    };
    match node.text(problems).as_deref() {
        Some("full") => Hsts::Full,
        Some("host") => Hsts::Host,
        Some("off") => Hsts::Off,
        Some(other) => {
            let problem = node
                .mark
                .problem(format!("`{other}` is not one of full, host, off"));
            problems.push(problem.mend(
                "write `hsts = \"full\"` for all subdomains too, `\"host\"` for this host alone",
            ));
            by_default
        }
        None => by_default,
    }
}
