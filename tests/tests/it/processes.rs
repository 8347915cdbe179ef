//! The processes of this machine, as far as these tests may look at them.

use std::fs;
use std::path::Path;

/// Numbers of all processes.
pub fn numbers() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The environment that a process was started with; empty when it has ended or is somebody else's.
pub fn environment(pid: i32) -> Vec<String> {
    words(pid, "environ")
}

/// The words that a process was started with.
pub fn command_line(pid: i32) -> Vec<String> {
    words(pid, "cmdline")
}

fn words(pid: i32, file: &str) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let words = text.split('\0').filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Every process that a run started, however far it has gone since.
pub fn of_run(run: &str) -> Vec<i32> {
    let mark = format!("STAGEDOOR_RUN_ID={run}");
    numbers()
        .filter(|pid| environment(*pid).contains(&mark))
        .collect()
}

/// The runner of this state directory, while nothing that it forked has its words too.
pub fn runner(state: &Path) -> Option<u32> {
    let socket = state.join("runner.sock");
    let socket = socket.to_str()?;
    let is_one = |pid: &i32| {
        let words = command_line(*pid);
        words.get(1).is_some_and(|word| word == "runner")
            && words.iter().any(|word| word.contains(socket))
    };
    numbers().find(is_one)?.try_into().ok()
}
