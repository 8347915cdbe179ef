//! What the levels of the sandbox cost: the same start at one level after the other.

use std::time::Instant;

use crate::http::Client;
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
    for (name, script, server) in [
        ("none", "none", &permitting),
        ("standard", "true", server),
        ("standard beside a permit", "true", &permitting),
        ("strict", "strict", server),
    ] {
        levels.push(Level {
            name,
            script,
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
        format!("{:>26}  {time:>7.3} ms  {more:>+7.3} ms", level.name)
    };
    Ok(levels.into_iter().map(line).collect())
}

/// How long one start took, in milliseconds.
fn start(client: &mut Client, script: &str) -> anyhow::Result<f64> {
    let body = format!(r#"{{"script":"{script}","args":{{}}}}"#);
    let begin = Instant::now();
    let answer = client.request("POST", "/api/v1/runs?wait=30", Some(&body))?;
    anyhow::ensure!(answer.status == 201, "{script}: answered {}", answer.status);
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}
