//! Megabytes per second of one large output, kept on disk.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::server::Server;
use crate::stats::median;

const BYTES: f64 = 10e6;

/// The pipe alone, and Stagedoor, interleaved.
pub fn compare(server: &Server, rounds: usize) -> anyhow::Result<String> {
    let (mut pipe, mut stagedoor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        pipe.push(through_a_pipe(server)?);
        stagedoor.push(through_stagedoor(server)?);
    }
    let (pipe, stagedoor) = (median(pipe), median(stagedoor));
    Ok(format!(
        "limit (pipe to file) {pipe:>6.0} MB/s   Stagedoor, start to outcome {stagedoor:>6.0} MB/s ({:.0} %)",
        100.0 * stagedoor / pipe
    ))
}

fn through_a_pipe(server: &Server) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let mut child = Command::new("head")
        .args(["-c", "10000000", "lines.txt"])
        .current_dir(server.scripts())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = child.stdout.take() {
        let mut file = File::create(server.scripts().join("../copy"))?;
        std::io::copy(&mut pipe, &mut file)?;
    }
    child.wait()?;
    Ok(BYTES / 1e6 / begin.elapsed().as_secs_f64())
}

fn through_stagedoor(server: &Server) -> anyhow::Result<f64> {
    let mut client = server.client()?;
    let begin = Instant::now();
    let answer = client.request(
        "POST",
        "/api/v1/runs?wait=30",
        Some(r#"{"script":"flood","args":{}}"#),
    )?;
    let elapsed = begin.elapsed().as_secs_f64();
    let run: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let outcome = run.get("outcome").and_then(|outcome| outcome.as_str());
    anyhow::ensure!(
        outcome == Some("succeeded"),
        "the run did not succeed: {run}"
    );
    Ok(BYTES / 1e6 / elapsed)
}
