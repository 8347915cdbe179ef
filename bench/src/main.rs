//! Measures Stagedoor beside the machine's own limit, interleaved in one run, medians of rounds.
//!
//! Absolute times of a shared machine mean little; the ratio to the limit, measured in the same
//! minute, means something. Prints figures only and judges nothing.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and reads clocks itself"
)]

mod http;
mod latency;
mod limit;
mod server;
mod starts;
mod stats;
mod volume;

use anyhow::Context as _;
use server::Server;

/// Rounds; the median of them is printed.
const ROUNDS: usize = 5;
/// Callers at once.
const CALLERS: [usize; 3] = [1, 8, 32];

fn main() -> anyhow::Result<()> {
    let binary = std::env::args()
        .nth(1)
        .context("usage: stagedoor-bench PATH-OF-STAGEDOOR")?;
    println!("Stagedoor beside this machine's limit, medians of {ROUNDS} rounds.\n");
    let (server, first_answer) = Server::start(&binary)?;
    println!("start to first 200        {first_answer:>10.1} ms");
    println!(
        "resident memory, idle     {:>10.1} MiB (server {:.1}, runner {:.1})",
        server.memory().total(),
        server.memory().server,
        server.memory().runner
    );

    println!("\nStarts of /bin/true per second");
    println!(
        "{:>8}  {:>12}  {:>20}  {:>20}",
        "callers", "limit", "accepted (201)", "ended (?wait)"
    );
    for callers in CALLERS {
        println!("{}", starts::compare(&server, callers, ROUNDS)?);
    }

    println!("\nA printed line reaches a viewer after");
    for viewers in [1, 100] {
        println!("{}", latency::measure(&server, viewers)?);
    }

    println!("\n10 MB of output");
    println!("{}", volume::compare(&server, ROUNDS)?);

    println!(
        "\nresident memory, after    {:>10.1} MiB (server {:.1}, runner {:.1})",
        server.memory().total(),
        server.memory().server,
        server.memory().runner
    );
    Ok(())
}
