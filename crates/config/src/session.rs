//! `[session]`: how long a sign-in lasts, and from where it is taken.

use std::time::Duration;

use crate::document::{Node, Problems};
use crate::layers::Layers;

/// How long a sign-in lasts, and from where it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// From the sign-in; one hour.
    pub absolute: Duration,
    /// From the last request; half an hour.
    pub idle: Duration,
    /// From the last time that the password was given: so long it is not asked for again before
    /// administrative acts. Ten minutes.
    pub confirmed_for: Duration,
    /// Which other addresses a session is taken from.
    pub address: SessionAddress,
}

/// Where a session may be used, seen from where it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAddress {
    /// At that address only.
    Exact,
    /// The same, but in the whole /64 network of an IPv6 address, in which one machine changes its
    /// address of itself.
    Network,
    /// Anywhere.
    Off,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            absolute: Duration::from_hours(1),
            idle: Duration::from_mins(30),
            confirmed_for: Duration::from_mins(10),
            address: SessionAddress::Network,
        }
    }
}

pub(crate) fn read(layers: &Layers, problems: &mut Problems) -> Session {
    let mut time = |key: &str, default: Duration| {
        layers
            .get(key)
            .and_then(|node| some_time(node, problems))
            .unwrap_or(default)
    };
    let usual = Session::default();
    let absolute = time("session.absolute", usual.absolute);
    // Who shortens the whole has shortened the idle time with it.
    let idle = time("session.idle", usual.idle.min(absolute));
    let confirmed_for = time("session.confirmed_for", usual.confirmed_for);
    if idle > absolute
        && let Some(node) = layers.get("session.idle")
    {
        let problem = node
            .mark
            .problem("a session cannot be idle for longer than it lasts");
        problems.push(problem.mend("shorten `session.idle`, or lengthen `session.absolute`"));
    }
    Session {
        absolute,
        idle,
        confirmed_for,
        address: layers
            .get("session.address")
            .and_then(|node| address(node, problems))
            .unwrap_or(usual.address),
    }
}

fn address(node: &Node, problems: &mut Problems) -> Option<SessionAddress> {
    match node.text(problems)?.as_str() {
        "exact" => Some(SessionAddress::Exact),
        "network" => Some(SessionAddress::Network),
        "off" => Some(SessionAddress::Off),
        other => {
            let problem = node
                .mark
                .problem(format!("`{other}` is not one of exact, network, off"));
            problems.push(problem.mend(
                "write \"network\" for the address itself and the /64 network of an IPv6 address",
            ));
            None
        }
    }
}

/// A time that is not zero.
pub(crate) fn some_time(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let time = node.duration(problems)?;
    if time.is_zero() {
        problems.push(
            node.mark
                .problem("this time is zero")
                .mend("write a longer time, such as \"30m\""),
        );
    }
    Some(time)
}
