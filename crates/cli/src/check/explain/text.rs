//! What `check --explain` prints.

use std::collections::BTreeSet;

use stagedoor_config::Limits;
use stagedoor_domain::name::SecretName;
use stagedoor_domain::quantity::{say_duration, say_size};
use stagedoor_domain::sandbox::{Enforced, Measure, Network};
use stagedoor_domain::script::{Launch, Script};
use stagedoor_runner::{Hides, Preview};

use crate::check::reach::Fault;
use crate::check::word;

type Stored = anyhow::Result<Option<BTreeSet<SecretName>>>;

/// What holds it, and what its definition says beside its secrets.
pub fn print(script: &Script, looked: &Preview, usual: &Limits) {
    if let Some(enforced) = &looked.enforced {
        let account = enforced.account.as_deref().unwrap_or("nobody");
        println!(
            "{} would run as `{account}`, at the level `{}`.",
            script.name,
            enforced.level.word()
        );
        measures(enforced, looked.hides);
    } else {
        println!("{} would be refused; why stands below.", script.name);
    }
    println!("\nIts definition");
    for (key, said) in definition(script, looked.enforced.as_ref(), usual) {
        println!("  {key:<15} {said}");
    }
}

/// Its secrets, below what [`print`] has said.
pub fn print_credentials(script: &Script, stored: &Stored) {
    for credential in &script.credentials {
        let (name, secret) = (&credential.name, &credential.secret);
        let said = match stored {
            Ok(Some(stored)) if stored.contains(secret) => "is stored".to_owned(),
            Ok(_) => "is not stored".to_owned(),
            Err(error) => format!("may be stored or not: {error:#}"),
        };
        println!("  {:<15} {name}: `{secret}` {said}", "credentials");
    }
}

/// What would become of it.
pub fn print_end(script: &Script, fault: Option<&Fault>) {
    match fault {
        Some(Fault {
            why,
            is_refusal: true,
        }) => println!("\n{} would be refused: {why}", script.name),
        Some(Fault { why, .. }) => {
            println!("\n{} would be started, and fail: {why}", script.name);
        }
        None => println!("\n{} would be started.", script.name),
    }
}

fn measures(enforced: &Enforced, hides: Hides) {
    if enforced.held.is_empty() {
        println!("\nHolds: nothing but what its account may not do.");
    } else {
        println!("\nHolds: the script");
    }
    for measure in &enforced.held {
        let by = match (measure, hides) {
            (Measure::Hidden, Hides::View) => ", by a view of the file system of its own",
            (Measure::Hidden, Hides::Landlock) => ", by Landlock",
            _ => "",
        };
        println!("  {:<15} {}{by}", word(measure), measure.says());
    }
    if enforced.missing.is_empty() {
        return;
    }
    println!("\nDoes not hold: that the script");
    for (measure, why) in &enforced.missing {
        println!("  {:<15} {}: {why}", word(measure), measure.says());
    }
}

fn definition(
    script: &Script,
    enforced: Option<&Enforced>,
    usual: &Limits,
) -> Vec<(&'static str, String)> {
    let sandbox = &script.sandbox;
    let mut said = vec![("starts", starts(script))];
    said.push((
        "network",
        match &sandbox.network {
            Network::All => "all".to_owned(),
            Network::Off => "none".to_owned(),
            Network::Ports(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                format!("TCP to {}", ports.join(", "))
            }
        },
    ));
    for (key, paths) in [("read", &sandbox.read), ("write", &sandbox.write)] {
        for path in paths.iter().flatten() {
            said.push((key, format!("{path}: {}", place(path))));
        }
    }
    said.push((
        "timeout",
        script.timeout.map_or_else(
            || "none: it may run for ever".to_owned(),
            |time| format!("{}: then it is stopped", say_duration(time)),
        ),
    ));
    let kept = limits_of_server(script, usual);
    said.extend(
        kept.chain(limits(script, enforced))
            .map(|limit| ("limits", limit)),
    );
    if sandbox.required {
        said.push((
            "required",
            "yes: refused where not all of it holds".to_owned(),
        ));
    }
    said
}

fn starts(script: &Script) -> String {
    match &script.launch {
        Launch::Command { argv } => argv.join(" "),
        Launch::File { file, interpreter } if interpreter.is_empty() => {
            format!("./{file}, by itself")
        }
        Launch::File { file, interpreter } => format!("{} ./{file}", interpreter.join(" ")),
    }
}

/// What the definition's paths lead to now.
fn place(path: &str) -> String {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => "is a symbolic link".to_owned(),
        Ok(found) if found.is_dir() => "is a folder".to_owned(),
        Ok(_) => "is a file".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there".to_owned(),
        Err(error) => format!("cannot be looked at: {error}"),
    }
}

/// What Stagedoor itself counts.
fn limits_of_server(script: &Script, usual: &Limits) -> impl Iterator<Item = String> {
    let limits = &script.limits;
    let output = limits.output.unwrap_or(usual.output);
    let output = format!("output: {} of each stream", say_size(output));
    let running = limits.running;
    let running = running.map(|many| format!("running: {many} of its runs at once"));
    let queued = limits.queued;
    let queued = queued.map(|many| format!("queued: {many} of its runs that wait"));
    std::iter::once(output).chain(running).chain(queued)
}

fn limits(script: &Script, enforced: Option<&Enforced>) -> Vec<String> {
    let limits = &script.process_limits;
    let for_all = |measure, otherwise| {
        if enforced.is_some_and(|enforced| enforced.holds(measure)) {
            "the whole run".to_owned()
        } else {
            format!("{otherwise}: {}", why_not_whole())
        }
    };
    let memory = limits.memory.map(|bytes| {
        format!(
            "memory: {} for {}",
            say_size(bytes),
            for_all(Measure::RunMemory, "each process")
        )
    });
    let cpu = limits
        .cpu
        .map(|time| format!("cpu: {} for each process", say_duration(time)));
    let processes = limits.processes.map(|many| {
        format!(
            "processes: {many} for {}",
            for_all(Measure::RunProcesses, "its account")
        )
    });
    let file_size = limits
        .file_size
        .map(|bytes| format!("file_size: {} for each file", say_size(bytes)));
    let open_files = limits
        .open_files
        .map(|many| format!("open_files: {many} for each process"));
    let nice = limits.nice.map(|nice| format!("nice: {nice}"));
    let all = [memory, cpu, processes, file_size, open_files, nice];
    all.into_iter().flatten().collect()
}

fn why_not_whole() -> &'static str {
    if rustix::process::geteuid().is_root() {
        "no cgroup counts a whole run here"
    } else {
        "a whole run is counted only where root starts the server"
    }
}

/// For which server this is true: that of the account which asks, before it becomes another one.
pub fn whose() -> String {
    let me = rustix::process::getuid();
    if me.is_root() {
        return "This holds for a server that root starts, in a cgroup like this command's: under systemd a unit with Delegate=yes \
may count more (docs/sandbox.md). For one that another account starts, ask as that account."
            .to_owned();
    }
    format!(
        "This holds for a server that uid {} starts. For one that root starts, ask as root (sudo).",
        me.as_raw()
    )
}
