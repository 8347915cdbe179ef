//! `sandbox = { level = "strict", network = [443], write = ["/srv/reports"] }`, and what of `limits`
//! the machine keeps.

use std::path::{Component, Path};
use std::time::Duration;

use stagedoor_config::document::{Keys, Node, Problems, Table, Value};
use stagedoor_config::sandbox_level;
use stagedoor_domain::sandbox::{Level, Network, Permit, ProcessLimits, Sandbox};

use crate::keys;

/// A script's `sandbox`.
pub(crate) const KEYS: Keys = Keys {
    of: "`sandbox`",
    now: &["level", "network", "read", "write", "required"],
    later: &[],
};
/// Below this nothing starts.
const LEAST_MEMORY: u64 = 1 << 20;
/// Below this no script has its three streams and a file.
const LEAST_OPEN_FILES: u32 = 8;
/// A ruleset of the kernel holds many more; a definition that needs them means a folder.
const MOST_PATHS: usize = 64;

/// Reads `sandbox` of a script in this folder.
pub(crate) fn read(
    node: &Node,
    folder: &str,
    permits: &[Permit],
    problems: &mut Problems,
) -> Sandbox {
    let Some(table) = node.table("{ level = \"strict\" }", problems) else {
        return Sandbox::default();
    };
    keys::check_sandbox(table, problems);
    let level = level(table, folder, permits, problems);
    let is_strict = level == Level::Strict;
    let sandbox = Sandbox {
        level,
        network: match table.get("network") {
            Some(node) => network(node, problems),
            None if is_strict => Network::Off,
            None => Network::All,
        },
        read: table.get("read").map(|node| paths(node, problems)),
        write: match table.get("write") {
            Some(node) => Some(paths(node, problems)),
            None => is_strict.then(Vec::new),
        },
        required: table.flag("required", problems).unwrap_or(false),
    };
    if level == Level::None {
        refuse_without_level(table, problems);
    }
    sandbox
}

fn level(table: &Table, folder: &str, permits: &[Permit], problems: &mut Problems) -> Level {
    let Some(node) = table.get("level") else {
        return Level::default();
    };
    let Some(level) = sandbox_level(node, problems) else {
        return Level::default();
    };
    if level < Permit::loosest(permits, folder) {
        let shown = if folder.is_empty() { "." } else { folder };
        let problem = node.mark.problem(format!(
            "`{}` is weaker than `{}`, and stagedoor.toml does not permit it here",
            level.word(),
            Level::default().word()
        ));
        problems.push(problem.mend(format!(
            "take it out, or ask the operator for `[[permit]]` with `folder = \"{shown}\"` and `sandbox = \"{}\"`, which counts from the next start of `stagedoor serve`",
            level.word()
        )));
    }
    level
}

/// Where nothing is held, what is to be held is a mistake.
fn refuse_without_level(table: &Table, problems: &mut Problems) {
    for key in ["network", "read", "write", "required"] {
        if let Some(entry) = table.entry(key) {
            let problem = entry
                .key
                .problem(format!("`{key}` has no effect at the level `none`"));
            problems.push(problem.mend("take it out, or choose the level `standard`"));
        }
    }
}

/// `true`, `false`, or a list of ports.
fn network(node: &Node, problems: &mut Problems) -> Network {
    match &node.value {
        Value::Flag(true) => Network::All,
        Value::Flag(false) => Network::Off,
        Value::List(items) => {
            let ports = items
                .iter()
                .filter_map(|item| item.integer(1, 65_535, problems))
                .filter_map(|port| u16::try_from(port).ok());
            let mut ports: Vec<u16> = ports.collect();
            ports.sort_unstable();
            ports.dedup();
            if items.is_empty() {
                return Network::Off;
            }
            Network::Ports(ports)
        }
        value => {
            let form = match value {
                Value::Text(word) => network_of(word),
                _ => "[443]",
            };
            node.wrong("`true`, `false`, or a list of ports", form, problems);
            Network::Off
        }
    }
}

/// What somebody who wrote this word most likely means.
fn network_of(word: &str) -> &'static str {
    match word.to_ascii_lowercase().as_str() {
        "no" | "off" | "false" | "none" | "never" | "disabled" => "false",
        "yes" | "on" | "true" | "all" | "any" | "enabled" => "true",
        _ => "[443]",
    }
}

fn paths(node: &Node, problems: &mut Problems) -> Vec<String> {
    let Some(items) = node.list("[\"/srv/data\"]", problems) else {
        return Vec::new();
    };
    if items.len() > MOST_PATHS {
        let problem = node.mark.problem(format!(
            "these are {} paths, and a script may have {MOST_PATHS}",
            items.len()
        ));
        problems.push(problem.mend("name the folder that holds them"));
        return Vec::new();
    }
    let paths = items.iter().filter_map(|item| path(item, problems));
    paths.collect()
}

/// Whether it is there is looked at when the script starts.
fn path(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.full_text(problems)?;
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    if text.starts_with('/') && Path::new(&text).components().all(is_plain) {
        return Some(text);
    }
    let problem = node
        .mark
        .problem(format!("`{text}` is not an absolute path without `..`"));
    problems.push(problem.mend("write it from the root, such as `/srv/data`"));
    None
}

/// Reads what of `limits` the machine keeps, for a script in this folder.
pub(crate) fn process_limits(
    table: &Table,
    folder: &str,
    permits: &[Permit],
    problems: &mut Problems,
) -> ProcessLimits {
    let open_files = table.get("open_files");
    let open_files = open_files.and_then(|node| node.count(LEAST_OPEN_FILES, problems));
    let most = Permit::most_processes(permits, folder);
    let processes = table
        .get("processes")
        .and_then(|node| processes(node, most, problems));
    if let (Some(many), Some(node)) = (
        processes.filter(|many| *many > most),
        table.get("processes"),
    ) {
        let shown = if folder.is_empty() { "." } else { folder };
        let problem = node.mark.problem(format!(
            "a run may have {most} processes, and stagedoor.toml does not permit {many} here"
        ));
        problems.push(problem.mend(format!(
            "write less, or ask the operator for `[[permit]]` with `folder = \"{shown}\"` and `limits = {{ processes = {many} }}`, which counts from the next start of `stagedoor serve`"
        )));
    }
    let mut size = |key: &str, least: u64| {
        let node = table.get(key)?;
        let bytes = node.size(problems)?;
        if bytes < least {
            let problem = node
                .mark
                .problem(format!("no script starts with so little `{key}`"));
            problems.push(problem.mend("write at least `1MiB`; an interpreter needs some ten"));
        }
        Some(bytes)
    };
    let (memory, file_size) = (size("memory", LEAST_MEMORY), size("file_size", 0));
    let cpu = table.get("cpu").and_then(|node| cpu(node, problems));
    let nice = table.get("nice").and_then(|n| n.integer(0, 19, problems));
    ProcessLimits {
        memory,
        cpu,
        processes,
        file_size,
        open_files: open_files.map(u64::from),
        nice: nice.and_then(|nice| i8::try_from(nice).ok()),
    }
}

/// More than `most` is not permitted here, which is told with the mend of that.
fn processes(node: &Node, most: u64, problems: &mut Problems) -> Option<u64> {
    let is_much = matches!(node.value, Value::Integer(many) if many > 1);
    let most = i64::try_from(most).ok().filter(|_| !is_much);
    let many = node.integer(1, most.unwrap_or(i64::MAX), problems)?;
    u64::try_from(many).ok()
}

/// The kernel counts whole seconds.
fn cpu(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let time = node.duration(problems)?;
    if time < Duration::from_secs(1) || time.subsec_nanos() != 0 {
        let problem = node
            .mark
            .problem("processor time is counted in whole seconds");
        problems.push(problem.mend("write at least `1s`, such as `10m`"));
        return None;
    }
    Some(time)
}
