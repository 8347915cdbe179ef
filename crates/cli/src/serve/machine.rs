//! How much of the machine the server takes: threads, descriptors, memory, and starts at once.

use std::time::Duration;

use rustix::process::{Resource, Rlimit};

/// How often memory that was freed is given back.
const MEMORY: Duration = Duration::from_secs(30);

/// Threads that answer requests: half of the cores, because scripts run beside them. Two that take
/// turns on what scripts leave free wake each other more than they share (a fifth of the time that
/// a start takes of the server, measured on two cores).
pub fn workers() -> usize {
    (cores() / 2).max(1)
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Connections, pipes and files of many runs need more descriptors than the usual 1,024.
pub fn raise_open_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, most) {
        tracing::debug!(%error, "could not raise the limit of open files");
    }
}

/// What a burst of connections took, the C library would keep.
pub async fn give_back_memory() {
    let mut ticks = tokio::time::interval(MEMORY);
    loop {
        ticks.tick().await;
        let _ = tokio::task::spawn_blocking(stagedoor_runner::memory::give_back).await;
    }
}

/// How many runs may be between their claim and the first instruction of their script. A start is
/// work for a core, so more of them at once only wait for each other. Most of that time goes to the
/// disk, which writes many at once: with fewer than this (measured with 32 callers on two cores)
/// starts wait for the disk one after the other.
pub fn starts_in_flight() -> usize {
    const PER_CORE: usize = 16;
    PER_CORE * cores()
}
