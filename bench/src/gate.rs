//! Microseconds that the strict parser of requests takes for one head, as a browser sends it.

use std::hint::black_box;
use std::time::Instant;

use stagedoor_web::Framing;

use crate::stats::median;

/// What it may cost.
const BAR: f64 = 5.0;
const HEADS: u32 = 20_000;

/// A page that is asked for by a link.
const HEAD: &[u8] = b"GET /scripts/operations/back-up?from=catalog HTTP/1.1\r\n\
    Host: scripts.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: de,en-US;q=0.7,en;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://scripts.example.org/\r\n\
    DNT: 1\r\n\
    Connection: keep-alive\r\n\
    Cookie: __Host-stagedoor-7373=kYyPq0n5tXx2mZ7c4r1v9sB3dF6gHjKlQwErTyUiOpAsDfGhJkLzXcVbNmQ1W2E3R4T5Y6U7\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-User: ?1\r\n\
    Priority: u=0, i\r\n\r\n";

/// On one connection, in one piece and in two.
pub fn measure(rounds: usize) -> anyhow::Result<String> {
    let (mut whole, mut halves) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        whole.push(microseconds(&[HEAD])?);
        halves.push(microseconds(&[HEAD.split_at(HEAD.len() / 2).0, HEAD])?);
    }
    Ok(format!(
        "  {} bytes of a browser's head  {:.2} µs, in two pieces {:.2} µs (bar: {BAR} µs)",
        HEAD.len(),
        median(whole),
        median(halves),
    ))
}

/// Each piece begins where the head begins, as the parser is shown it.
fn microseconds(pieces: &[&[u8]]) -> anyhow::Result<f64> {
    let mut framing = Framing::default();
    let mut passed = 0;
    let begin = Instant::now();
    for _ in 0..HEADS {
        for piece in pieces {
            passed += framing.follow(black_box(piece)).pass;
        }
    }
    let took = begin.elapsed();
    let all = HEAD.len() * HEADS as usize;
    anyhow::ensure!(passed == all, "{passed} of {all} bytes passed");
    Ok(took.as_secs_f64() * 1e6 / f64::from(HEADS))
}
