//! Megabytes per second of one large output, kept on disk.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::server::Server;
use crate::stats::median;

const BYTES: f64 = 10e6;

/// What is asked for: output without a secret, with one that is not in it, and with one in each line,
/// which is masked 150,000 times.
const REQUESTS: [(&str, &str); 3] = [
    ("no secret", r#"{"script":"flood","args":{}}"#),
    (
        "a secret that is not printed",
        r#"{"script":"trusted-flood","args":{"key":"s3cr3t-9f2a-never-again"}}"#,
    ),
    (
        "a secret in each line",
        r#"{"script":"trusted-flood","args":{"key":"scripts print them"}}"#,
    ),
];

/// The pipe alone, and Stagedoor, interleaved.
pub fn compare(server: &Server, rounds: usize) -> anyhow::Result<String> {
    let (mut pipe, mut stagedoor) = (Vec::new(), REQUESTS.map(|_| Vec::new()));
    for _ in 0..rounds {
        pipe.push(through_a_pipe(server)?);
        for ((_, request), rates) in REQUESTS.iter().zip(&mut stagedoor) {
            rates.push(through_stagedoor(server, request)?);
        }
    }
    let pipe = median(pipe);
    let line = |((name, _), rate): (&(&str, _), f64)| {
        let percent = 100.0 * rate / pipe;
        format!("Stagedoor, start to outcome {rate:>6.0} MB/s ({percent:.0} %), {name}")
    };
    let lines = REQUESTS.iter().zip(stagedoor.map(median)).map(line);
    let first = format!("limit (pipe to file)        {pipe:>6.0} MB/s");
    Ok([first]
        .into_iter()
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n"))
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

fn through_stagedoor(server: &Server, request: &str) -> anyhow::Result<f64> {
    let mut client = server.client()?;
    let begin = Instant::now();
    let answer = client.request("POST", "/api/v1/runs?wait=30", Some(request))?;
    let elapsed = begin.elapsed().as_secs_f64();
    let run: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let outcome = run.get("outcome").and_then(|outcome| outcome.as_str());
    anyhow::ensure!(
        outcome == Some("succeeded"),
        "the run did not succeed: {run}"
    );
    Ok(BYTES / 1e6 / elapsed)
}
