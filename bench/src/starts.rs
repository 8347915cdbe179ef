//! Starts per second through the API: with identity, a durable row of history and kept output.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::limit;
use crate::server::Server;
use crate::stats::{median, percentile};

/// What one round of one way showed.
struct Round {
    per_second: f64,
    p50: f64,
    p99: f64,
}

/// One line of the table: limit, answered 201, and `?wait`, interleaved.
pub fn compare(server: &Server, callers: usize, rounds: usize) -> anyhow::Result<String> {
    let count = 200 + 25 * callers;
    let (mut limits, mut accepted, mut waited) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        limits.push(limit::starts_per_second(callers, count));
        accepted.push(round(server, callers, count, "/api/v1/runs")?);
        drain(server)?;
        waited.push(round(server, callers, count, "/api/v1/runs?wait=30")?);
        drain(server)?;
    }
    let limit = median(limits);
    Ok(format!(
        "{callers:>8}  {limit:>10.0}/s  {}  {}",
        say(&accepted, limit),
        say(&waited, limit)
    ))
}

/// So many starts that are waited for, without the limit beside them.
pub fn load(server: &Server, callers: usize, count: usize) -> anyhow::Result<String> {
    let round = round(server, callers, count, "/api/v1/runs?wait=30")?;
    Ok(format!(
        "{:.0}/s  p50 {:.1} p99 {:.1} ms",
        round.per_second, round.p50, round.p99
    ))
}

fn say(rounds: &[Round], limit: f64) -> String {
    let of = |pick: fn(&Round) -> f64| median(rounds.iter().map(pick).collect());
    let rate = of(|r| r.per_second);
    format!(
        "{rate:>6.0}/s {:>3.0} %  p50 {:>5.1} p99 {:>5.1} ms",
        100.0 * rate / limit,
        of(|r| r.p50),
        of(|r| r.p99)
    )
}

fn round(server: &Server, callers: usize, count: usize, path: &str) -> anyhow::Result<Round> {
    let next = AtomicUsize::new(0);
    let times = Mutex::new(Vec::with_capacity(count));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..callers)
            .map(|_| scope.spawn(|| call(server, path, &next, count, &times)))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| anyhow::bail!("a caller panicked"))
        })
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a count of starts")]
    let per_second = count as f64 / begin.elapsed().as_secs_f64();
    let mut times = times.into_inner().unwrap_or_default();
    Ok(Round {
        per_second,
        p50: percentile(&mut times, 0.5),
        p99: percentile(&mut times, 0.99),
    })
}

fn call(
    server: &Server,
    path: &str,
    next: &AtomicUsize,
    count: usize,
    times: &Mutex<Vec<f64>>,
) -> anyhow::Result<()> {
    let mut client = server.client()?;
    while next.fetch_add(1, Ordering::Relaxed) < count {
        let begin = Instant::now();
        let answer = client.request("POST", path, Some(r#"{"script":"true","args":{}}"#))?;
        anyhow::ensure!(
            answer.status == 201,
            "answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        let elapsed = begin.elapsed().as_secs_f64() * 1e3;
        if let Ok(mut times) = times.lock() {
            times.push(elapsed);
        }
    }
    Ok(())
}

/// Waits until nothing runs or waits, so that a round does not pay for the one before.
fn drain(server: &Server) -> anyhow::Result<()> {
    let mut client = server.client()?;
    for _ in 0..2_000 {
        let busy = ["queued", "starting", "running", "stopping"]
            .into_iter()
            .try_fold(false, |busy, state| {
                let answer =
                    client.request("GET", &format!("/api/v1/runs?limit=1&state={state}"), None)?;
                let page: serde_json::Value = serde_json::from_slice(&answer.body)?;
                anyhow::Ok(
                    busy || page
                        .get("items")
                        .and_then(|items| items.as_array())
                        .is_some_and(|items| !items.is_empty()),
                )
            })?;
        if !busy {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    anyhow::bail!("runs did not end")
}
