//! How long a printed line takes to a viewer: the script prints the time, viewers compare.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::server::Server;
use crate::stats::percentile;

/// One line of figures.
pub fn measure(server: &Server, viewers: usize) -> anyhow::Result<String> {
    let mut client = server.client()?;
    let answer = client.request(
        "POST",
        "/api/v1/runs",
        Some(r#"{"script":"ticker","args":{}}"#),
    )?;
    let run: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let id = run
        .get("id")
        .and_then(|id| id.as_str())
        .unwrap_or_default()
        .to_owned();
    let path = format!("/api/v1/runs/{id}/events");
    let mut samples: Vec<f64> = std::thread::scope(|scope| {
        let watching: Vec<_> = (0..viewers)
            .map(|_| scope.spawn(|| watch(server, &path)))
            .collect();
        let all: anyhow::Result<Vec<Vec<f64>>> = watching
            .into_iter()
            .map(|viewer| {
                viewer
                    .join()
                    .unwrap_or_else(|_| anyhow::bail!("a viewer panicked"))
            })
            .collect();
        anyhow::Ok(all?.concat())
    })?;
    Ok(format!(
        "{viewers:>8} viewers  p50 {:>6.2} ms  p99 {:>6.2} ms  ({} lines seen)",
        percentile(&mut samples, 0.5),
        percentile(&mut samples, 0.99),
        samples.len()
    ))
}

/// Reads one stream to its end; the delay of each newest line in milliseconds.
fn watch(server: &Server, path: &str) -> anyhow::Result<Vec<f64>> {
    let mut client = server.client()?;
    client.open_stream(path)?;
    let (mut delays, mut newest) = (Vec::new(), 0u128);
    loop {
        let line = client.line()?;
        if line.is_empty() || line.starts_with("event: end") {
            return Ok(delays);
        }
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        let seen = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let Ok(tail) = serde_json::from_str::<serde_json::Value>(data) else {
            continue;
        };
        let last = tail
            .get("lines")
            .and_then(|lines| lines.as_array())
            .and_then(|lines| lines.last());
        let printed: Option<u128> = last
            .and_then(|line| line.as_str())
            .and_then(|text| text.parse().ok());
        // The first tail may hold lines from before this viewer came.
        if let Some(printed) = printed.filter(|printed| *printed > newest) {
            if newest > 0 {
                #[expect(clippy::cast_precision_loss, reason = "a delay of milliseconds")]
                delays.push(seen.saturating_sub(printed) as f64 / 1e6);
            }
            newest = printed;
        }
    }
}
