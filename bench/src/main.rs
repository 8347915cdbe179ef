//! Measures Stagedoor beside the machine's own limit, interleaved in one run, medians of rounds.
//!
//! Absolute times of a shared machine mean little; the ratio to the limit, measured in the same
//! minute, means something. Prints figures only and judges nothing.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs and reads clocks itself"
)]

mod attacks;
mod cost;
mod gate;
mod history;
mod host;
mod http;
mod latency;
mod limit;
mod sandbox;
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
    let mut args = std::env::args().skip(1);
    let binary = args.next().context(
        "usage: stagedoor-bench PATH-OF-STAGEDOOR [load CALLERS STARTS | history FEW MANY | gate | levels | volume | attacks]",
    )?;
    let part = args.next();
    let mut number = || args.next().and_then(|word| word.parse().ok());
    match part.as_deref() {
        Some("load") => {
            let (callers, count) = (number().unwrap_or(8), number().unwrap_or(5_000));
            return load(&binary, callers, count);
        }
        Some("history") => {
            let (few, many) = (number().unwrap_or(1_000), number().unwrap_or(1_000_000));
            return history::compare(&binary, few as u64, many as u64);
        }
        Some("volume") => {
            let (server, _) = Server::start(&binary)?;
            println!("{}", volume::compare(&server, ROUNDS)?);
            return Ok(());
        }
        Some("levels") => {
            let (server, _) = Server::start(&binary)?;
            for line in sandbox::compare(&binary, &server, ROUNDS)? {
                println!("{line}");
            }
            return Ok(());
        }
        Some("attacks") => {
            let (server, _) = Server::start(&binary)?;
            for line in attacks::compare(&server)? {
                println!("{line}");
            }
            return Ok(());
        }
        Some("gate") => {
            println!("{}", gate::measure(ROUNDS)?);
            return Ok(());
        }
        _ => {}
    }
    println!("Stagedoor beside this machine's limit, medians of {ROUNDS} rounds.\n");
    let (server, first_answer) = Server::start(&binary)?;
    println!("start to first 200        {first_answer:>10.1} ms");
    println!(
        "resident memory, idle     {:>10.1} MiB (server {:.1}, runner {:.1})",
        server.memory().total(),
        server.memory().server,
        server.memory().runner
    );

    let before = host::Ticks::now();
    println!("\nStarts of /bin/true per second");
    println!(
        "{:>8}  {:>12}  {:>20}  {:>20}",
        "callers", "limit", "accepted (201)", "ended (?wait)"
    );
    for callers in CALLERS {
        println!("{}", starts::compare(&server, callers, ROUNDS)?);
    }
    println!(
        "  meanwhile the host kept {:.1} % of the processors' time for others",
        before.stolen_since()
    );

    println!("\nWhat one start with ?wait consists of, with 8 callers");
    for line in cost::measure(&server, 8, 3_000)? {
        println!("{line}");
    }

    println!("\nA start with ?wait at each level of the sandbox, one caller");
    for line in sandbox::compare(&binary, &server, ROUNDS)? {
        println!("{line}");
    }

    println!(
        "\nA start with ?wait and a request, one caller, beside a script that uses up all it can"
    );
    for line in attacks::compare(&server)? {
        println!("{line}");
    }

    println!("\nThe strict parser before hyper");
    println!("{}", gate::measure(ROUNDS)?);

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

/// Nothing but starts with `?wait`, for a profiler to look at.
fn load(binary: &str, callers: usize, count: usize) -> anyhow::Result<()> {
    let (server, _) = Server::start(binary)?;
    println!("{}", starts::load(&server, callers, count)?);
    for line in cost::measure(&server, callers, count)? {
        println!("{line}");
    }
    Ok(())
}
