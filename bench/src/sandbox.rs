//! What the levels of the sandbox cost: the same start, one after the other, level by level.

use std::time::Instant;

use crate::server::Server;
use crate::stats::median;

/// Starts of each level in a turn; few, so that all levels have the same minute of the machine.
const STARTS: usize = 40;
/// Turns in a round.
const TURNS: usize = 5;
/// Only with a permit may a script go without; then nothing is inherited, which costs the others
/// something, so they are measured on a server that has none.
const PERMIT: &str = "[[permit]]\nfolder = \".\"\nsandbox = \"none\"\n";

/// One line for each level, with the difference to none.
pub fn compare(binary: &str, server: &Server, rounds: usize) -> anyhow::Result<Vec<String>> {
    let (permitting, _) = Server::start_with(binary, PERMIT)?;
    let levels = [
        ("none", &permitting, "none"),
        ("standard", server, "true"),
        ("strict", server, "strict"),
        ("standard beside a permit", &permitting, "true"),
    ];
    let mut times = levels.map(|_| Vec::new());
    for _ in 0..rounds * TURNS {
        for ((_, server, script), times) in levels.iter().zip(&mut times) {
            times.push(round(server, script)?);
        }
    }
    let medians = times.map(median);
    let [none, ..] = medians;
    let line = |((name, ..), median): (&(&str, _, _), f64)| {
        format!("{name:>26}  {median:>7.3} ms  {:>+7.3} ms", median - none)
    };
    Ok(levels.iter().zip(medians).map(line).collect())
}

/// The median of a round, in milliseconds.
fn round(server: &Server, script: &str) -> anyhow::Result<f64> {
    let mut client = server.client()?;
    let body = format!(r#"{{"script":"{script}","args":{{}}}}"#);
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let begin = Instant::now();
        let answer = client.request("POST", "/api/v1/runs?wait=30", Some(&body))?;
        anyhow::ensure!(answer.status == 201, "{script}: answered {}", answer.status);
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times))
}
