//! What others notice of a script that uses up all it can: the same starts and requests with it and
//! without, one after the other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::stats::median;

/// Starts, and as many requests, in a round.
const TIMES: usize = 25;
/// Each takes some seconds.
const ROUNDS: usize = 3;
/// Each name, the key of its limit, and what its script does until that or its time ends it.
const ATTACKS: [(&str, &str, &str); 3] = [
    ("fork bomb", "processes = 100", "fork while 1;"),
    (
        "memory bomb",
        "memory = \"256MiB\"",
        "my @x; push @x, 'x' x (1 << 20) while 1;",
    ),
    ("yes", "output = \"64MiB\"", "exec 'yes';"),
];

/// One line for each attack: a start with `?wait`, and a request, without it and with it.
pub fn compare(server: &Server) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for (number, (name, limit, body)) in ATTACKS.into_iter().enumerate() {
        let script = format!("attack-{number}");
        write(server, &script, limit, body)?;
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            let (start, request) = round(server)?;
            times[0].push(start);
            times[1].push(request);
            let (start, request) = under(server, &script)?;
            times[2].push(start);
            times[3].push(request);
        }
        let [start, request, start_under, request_under] = times.map(median);
        lines.push(format!(
            "{name:>14} (bar: 2 times)  start {start:>7.2} ms, with it {start_under:>7.2} ms ({:.1} times)   request {request:>6.2} ms, with it {request_under:>6.2} ms ({:.1} times)",
            start_under / start,
            request_under / request
        ));
    }
    Ok(lines)
}

fn write(server: &Server, script: &str, limit: &str, body: &str) -> anyhow::Result<()> {
    let path = server.scripts().join(script);
    let keys = "access = { run = [\"everyone\"] }\n# timeout = \"3s\"\n# stop_grace = \"100ms\"";
    let text = format!(
        "#!/usr/bin/perl\n# /// stagedoor\n# {keys}\n# limits = {{ {limit} }}\n# ///\n{body}\n"
    );
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// A round while the script is started again whenever it has ended.
fn under(server: &Server, script: &str) -> anyhow::Result<(f64, f64)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let attacker = scope.spawn(|| -> anyhow::Result<()> {
            let mut client = server.client()?;
            let body = format!(r#"{{"script":"{script}","args":{{}}}}"#);
            while !is_over.load(Ordering::Relaxed) {
                let answer = client.request("POST", "/api/v1/runs?wait=30", Some(&body))?;
                anyhow::ensure!(answer.status == 201, "{script}: answered {}", answer.status);
            }
            Ok(())
        });
        thread::sleep(Duration::from_millis(200));
        let figures = round(server);
        is_over.store(true, Ordering::Relaxed);
        let ended = attacker.join();
        ended.map_err(|_| anyhow::anyhow!("the attacker panicked"))??;
        figures
    })
}

/// The medians of starts and of requests, in milliseconds.
fn round(server: &Server) -> anyhow::Result<(f64, f64)> {
    let mut client = server.client()?;
    let (mut starts, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let begin = Instant::now();
        let body = r#"{"script":"true","args":{}}"#;
        let answer = client.request("POST", "/api/v1/runs?wait=30", Some(body))?;
        anyhow::ensure!(answer.status == 201, "answered {}", answer.status);
        starts.push(begin.elapsed().as_secs_f64() * 1e3);
        let begin = Instant::now();
        let answer = client.request("GET", "/api/v1/scripts", None)?;
        anyhow::ensure!(answer.status == 200, "answered {}", answer.status);
        requests.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok((median(starts), median(requests)))
}
