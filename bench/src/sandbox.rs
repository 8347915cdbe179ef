//! What the levels of the sandbox cost: the same start at one level after the other.

use std::time::Instant;

use crate::http::Client;
use crate::limit;
use crate::server::Server;
use crate::stats::median;

/// Starts of each level in a round.
const STARTS: usize = 200;
/// Only with a permit may a script go without; then nothing is inherited, which costs the others
/// something, so they are measured on a server that has none.
const PERMIT: &str = "[[permit]]\nfolder = \".\"\nsandbox = \"none\"\n";

/// What was measured of a level.
struct Level {
    name: &'static str,
    script: &'static str,
    /// More milliseconds than this would be too many.
    bar: Option<f64>,
    client: Client,
    /// In milliseconds.
    times: Vec<f64>,
    /// The same beyond the start without a sandbox right before.
    more: Vec<f64>,
}

/// One line for each level, with the difference to none: the median of the differences of two starts
/// that followed each other, since the machine's pace changes more in a second than the levels differ.
pub fn compare(binary: &str, server: &Server, rounds: usize) -> anyhow::Result<Vec<String>> {
    let (permitting, _) = Server::start_with(binary, PERMIT)?;
    let mut levels = Vec::new();
    // Each follows a start on the other server, so none finds its own server warmer than another does.
    for (name, script, server, bar) in [
        ("none", "none", &permitting, None),
        ("standard", "true", server, Some(0.1)),
        ("standard beside a permit", "true", &permitting, None),
        ("strict", "strict", server, Some(1.0)),
    ] {
        levels.push(Level {
            name,
            script,
            bar,
            client: server.client()?,
            times: Vec::new(),
            more: Vec::new(),
        });
    }
    for _ in 0..rounds * STARTS {
        let mut none = None;
        for level in &mut levels {
            let time = start(&mut level.client, level.script)?;
            level.more.push(time - *none.get_or_insert(time));
            level.times.push(time);
        }
    }
    let line = |level: Level| {
        let (time, more) = (median(level.times), median(level.more));
        let bar = level
            .bar
            .map_or_else(String::new, |bar| format!("  (bar: {bar} ms)"));
        format!("{:>26}  {time:>7.3} ms  {more:>+7.3} ms{bar}", level.name)
    };
    let limit = 1e3 / limit::starts_per_second(1, STARTS);
    let limit = format!("{:>26}  {limit:>7.3} ms", "the machine's own limit");
    Ok(std::iter::once(limit)
        .chain(levels.into_iter().map(line))
        .collect())
}

/// How long one start took, in milliseconds.
fn start(client: &mut Client, script: &str) -> anyhow::Result<f64> {
    let body = format!(r#"{{"script":"{script}","args":{{}}}}"#);
    let begin = Instant::now();
    let answer = client.request("POST", "/api/v1/runs?wait=30", Some(&body))?;
    anyhow::ensure!(answer.status == 201, "{script}: answered {}", answer.status);
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}
