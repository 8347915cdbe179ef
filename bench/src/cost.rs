//! What one start consists of: processor time by process and by kind of thread, for each start.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use crate::server::Server;
use crate::starts;

/// The kernel's unit in `/proc/PID/stat`, in microseconds (100 a second on every Linux there is).
const TICK: f64 = 10_000.0;

/// Names of threads of the server, and what they do.
const THREADS: [(&str, &str); 4] = [
    ("tokio", "server: requests, rules, messages"),
    ("store-writer", "server: database, writing"),
    ("store-reader", "server: database, reading"),
    ("output-pump", "server: output"),
];

/// Processor time so far, in ticks, by part.
type Spent = BTreeMap<&'static str, f64>;

/// One line for each part of a start with `?wait`.
pub fn measure(server: &Server, callers: usize, count: usize) -> anyhow::Result<Vec<String>> {
    let cores = std::thread::available_parallelism()?.get();
    let (before, begin) = (spent(server), Instant::now());
    starts::load(server, callers, count)?;
    let elapsed = begin.elapsed().as_secs_f64() * 1e6;
    let after = spent(server);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of starts, and of cores"
    )]
    let (starts, whole) = (count as f64, elapsed * cores as f64);
    let mut rest = whole / starts;
    let mut lines = Vec::new();
    for (part, ticks) in &after {
        let each = (ticks - before.get(part).unwrap_or(&0.0)) * TICK / starts;
        rest -= each;
        lines.push(format!("{part:<40} {each:>6.0} µs"));
    }
    lines.push(format!(
        "{:<40} {rest:>6.0} µs",
        "idle, other programs, the kernel's own"
    ));
    lines.push(format!(
        "{:<40} {:>6.0} µs",
        "all cores together",
        whole / starts
    ));
    Ok(lines)
}

fn spent(server: &Server) -> Spent {
    let mut spent = Spent::new();
    let own = fields("/proc/self/stat");
    spent.insert(
        "this benchmark's callers",
        own.first().copied().unwrap_or(0.0),
    );
    if let [runner, scripts] = fields(&format!("/proc/{}/stat", server.runner()))[..] {
        spent.insert("runner", runner);
        spent.insert("script, from its clone to its end", scripts);
    }
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).into_iter();
    for task in tasks.flatten().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let part = THREADS.iter().find(|(prefix, _)| name.starts_with(prefix));
        let ticks = fields(&task.path().join("stat").to_string_lossy());
        let part = part.map_or("server: other threads", |(_, part)| part);
        *spent.entry(part).or_default() += ticks.first().copied().unwrap_or(0.0);
    }
    spent
}

/// Own time, and that of children that were waited for.
fn fields(path: &str) -> Vec<f64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let numbers: Vec<f64> = after_name
        .split(' ')
        .skip(11)
        .take(4)
        .filter_map(|word| word.parse().ok())
        .collect();
    numbers
        .chunks_exact(2)
        .map(|pair| pair.iter().sum())
        .collect()
}
