//! Processes that outlive the main process of their attempt.
//!
//! The runner is the reaper of every descendant (`PR_SET_CHILD_SUBREAPER`), so whatever a script
//! leaves behind becomes the runner's child: even one that began a session of its own. Which
//! attempt it belongs to is told by its session, else by `STAGEDOOR_RUN_ID` in its environment.
//! A script that hides both on purpose is beyond this; that needs a cgroup.

use std::fs;

use rustix::process::{Pid, Signal};

/// The children of this process that are nobody's main process.
pub(super) fn orphans(is_main: impl Fn(Pid) -> bool) -> Vec<Pid> {
    let own = rustix::process::getpid();
    let path = format!("/proc/self/task/{own}/children");
    let Ok(text) = fs::read_to_string(path) else {
        return Vec::new();
    };
    let pids = text
        .split_ascii_whitespace()
        .filter_map(|word| word.parse().ok());
    pids.filter_map(Pid::from_raw)
        .filter(|pid| !is_main(*pid))
        .collect()
}

/// Whether this orphan descends from the attempt with this run id and main process.
pub(super) fn belongs(orphan: Pid, run: &str, main: Pid) -> bool {
    if rustix::process::getsid(Some(orphan)) == Ok(main) {
        return true;
    }
    let wanted = format!("STAGEDOOR_RUN_ID={run}");
    fs::read(format!("/proc/{orphan}/environ")).is_ok_and(|env| {
        env.split(|byte| *byte == 0)
            .any(|word| word == wanted.as_bytes())
    })
}

/// Sends the signal to the orphan and to its process group.
///
/// It is a child that was not waited for, so neither its number nor that of its group can have
/// passed to another process.
pub(super) fn signal(orphan: Pid, signal: Signal) {
    // It may have ended meanwhile, which is what the signal is for.
    let _ = rustix::process::kill_process(orphan, signal);
    let group = rustix::process::getpgid(Some(orphan)).ok();
    if let Some(group) = group.filter(|group| *group != rustix::process::getpgrp()) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}
