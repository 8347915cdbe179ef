//! `[debug]`: who is told more of a failure than its id (rows W20, P2, P3). Nothing else depends on it: no
//! setting shows a file, a script's source or a setting.

use std::net::IpAddr;
use std::time::Duration;

use crate::document::{Node, Problems, Value};
use crate::layers::Layers;

/// How long details are given when nothing is said, from the start.
const BY_DEFAULT: Duration = Duration::from_mins(15);
/// Longer than a working day is no search for a fault.
const LONGEST: Duration = Duration::from_hours(8);

/// Who gets the cause of a failure beside its id, and how long after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debug {
    /// Single addresses. An administrator must be signed in there as well.
    pub clients: Vec<IpAddr>,
    /// From the start of the server on; then it ends by itself.
    pub lasts: Duration,
}

/// None without `debug.clients`, and always with `profile = "production"`, where it is an error.
pub(crate) fn read(layers: &Layers, problems: &mut Problems) -> Option<Debug> {
    let is_production = is_production(layers.get("profile"), problems);
    let lasts = layers.get("debug.lasts");
    let Some(clients) = layers.get("debug.clients") else {
        if let Some(node) = lasts {
            let problem = node.mark.problem("this counts only with `debug.clients`");
            problems.push(problem.mend("name who debugs, as in `debug.clients = \"127.0.0.1\"`"));
        }
        return None;
    };
    if is_production {
        let problem = clients.mark.problem("nothing is debugged in production");
        problems.push(problem.mend("take `[debug]` out, or `profile = \"production\"`"));
        return None;
    }
    let clients = addresses(clients, problems);
    let lasts = lasts.map_or(Some(BY_DEFAULT), |node| time(node, problems))?;
    (!clients.is_empty()).then_some(Debug { clients, lasts })
}

fn is_production(profile: Option<&Node>, problems: &mut Problems) -> bool {
    let Some(node) = profile else { return false };
    match node.text(problems).as_deref() {
        Some("production") => return true,
        Some(other) => {
            let problem = node.mark.problem(format!("there is no profile `{other}`"));
            problems.push(problem.mend("write `profile = \"production\"`, or take the line out"));
        }
        None => {}
    }
    false
}

fn addresses(node: &Node, problems: &mut Problems) -> Vec<IpAddr> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut addresses = Vec::new();
    for item in items {
        let Some(text) = item.full_text(problems) else {
            continue;
        };
        if let Ok(address) = text.parse::<IpAddr>() {
            addresses.push(address.to_canonical());
            continue;
        }
        let problem = item.mark.problem(format!("`{text}` is not one address"));
        problems.push(problem.mend(
            "name your own machine as the server sees it, such as `127.0.0.1`; networks and names are not \
             taken",
        ));
    }
    addresses
}

fn time(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let time = node.duration(problems)?;
    if !time.is_zero() && time <= LONGEST {
        return Some(time);
    }
    let problem = node
        .mark
        .problem("details are given for more than no time and for 8h at most");
    problems.push(problem.mend("write a time such as \"15m\""));
    None
}
