//! Pages of the history with few runs and with many: a page must not cost more when there is
//! more behind it.
//!
//! Two servers, filled through the store's own code and asked in turn, so that what else the
//! machine does counts for both.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use serde_json::Value;
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::time::{Chance, Timestamp};
use stagedoor_store::{RunRecord, Store};

use crate::http::Client;
use crate::server::Server;
use crate::stats::median;

/// Pages of each kind.
const ROUNDS: usize = 41;
/// Rows that share transactions while filling.
const AT_ONCE: u64 = 2_000;
/// The first run of the history, in milliseconds since 1970; one each second follows.
const BEGIN: i64 = 1_600_000_000_000;
/// Users who are in the history only.
const OTHERS: u64 = 6;
/// Scripts that only a user's own runs show, and one whose output everyone may see.
const SCRIPTS: [&str; 4] = ["true", "shared", "ticker", "flood"];

/// A server with so many runs.
struct Filled {
    server: Server,
    runs: u64,
    /// The token of who is no admin.
    ordinary: String,
}

/// The same, and who asks.
struct Side {
    _server: Server,
    runs: u64,
    admin: Client,
    ordinary: Client,
}

/// Prints a line for each kind of page: the medians, and what they are to each other.
pub fn compare(binary: &str, few: u64, many: u64) -> anyhow::Result<()> {
    let (small, large) = (Filled::new(binary, few)?, Filled::new(binary, many)?);
    // Connected only now: a connection on which nothing comes is closed.
    let (mut small, mut large) = (small.ask()?, large.ask()?);
    println!("\nA page of 50 of the history, medians of {ROUNDS}, interleaved");
    println!(
        "{:<30} {:>8}  {:>14}  {:>14}  {:>5}",
        "asked", "by", small.runs, large.runs, "ratio"
    );
    for (name, filter) in filters() {
        for by in ["admin", "ordinary"] {
            let (few, many) = pages(&mut small, &mut large, by, filter)?;
            let (a, b) = (median(few.millis), median(many.millis));
            println!(
                "{name:<30} {by:>8}  {a:>7.2} ms {:>3}  {b:>7.2} ms {:>3}  {:>5.2}",
                few.items,
                many.items,
                b / a
            );
        }
    }
    Ok(())
}

/// What may be asked, as it stands in a query. `{middle}` and `{later}` are times.
fn filters() -> [(&'static str, &'static str); 14] {
    [
        ("everything", ""),
        ("beyond the middle", "&to={middle}"),
        ("an hour", "&from={middle}&to={later}"),
        ("a script", "&script=shared"),
        ("a user", "&user=ordinary"),
        ("ended", "&state=ended"),
        ("running", "&state=running"),
        ("succeeded (most)", "&outcome=succeeded"),
        ("failed (1 of 10)", "&outcome=failed"),
        ("lost (few)", "&outcome=lost"),
        ("a script, succeeded", "&script=shared&outcome=succeeded"),
        ("a script, lost", "&script=shared&outcome=lost"),
        ("a user, failed", "&user=ordinary&outcome=failed"),
        ("a user and a script", "&user=ordinary&script=true"),
    ]
}

struct Pages {
    millis: Vec<f64>,
    items: usize,
}

fn pages(
    small: &mut Side,
    large: &mut Side,
    by: &str,
    filter: &str,
) -> anyhow::Result<(Pages, Pages)> {
    let none = || Pages {
        millis: Vec::with_capacity(ROUNDS),
        items: 0,
    };
    let (mut few, mut many) = (none(), none());
    for _ in 0..ROUNDS {
        small.page(by, filter, &mut few)?;
        large.page(by, filter, &mut many)?;
    }
    Ok((few, many))
}

impl Filled {
    fn new(binary: &str, runs: u64) -> anyhow::Result<Self> {
        let (server, _) = Server::start(binary)?;
        let ordinary = server.add_user("ordinary", "others")?;
        let begin = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(insert(&server.state(), runs))?;
        println!(
            "{runs} runs inserted in {:.0} s",
            begin.elapsed().as_secs_f64()
        );
        Ok(Self {
            server,
            runs,
            ordinary,
        })
    }

    fn ask(self) -> anyhow::Result<Side> {
        Ok(Side {
            runs: self.runs,
            admin: self.server.client()?,
            ordinary: Client::connect(self.server.address, &self.ordinary)?,
            _server: self.server,
        })
    }
}

impl Side {
    fn page(&mut self, by: &str, filter: &str, pages: &mut Pages) -> anyhow::Result<()> {
        let middle = at(self.runs / 2);
        let filter = filter
            .replace("{middle}", &middle.rfc3339())
            .replace("{later}", &middle.plus(Duration::from_hours(1)).rfc3339());
        let client = match by {
            "admin" => &mut self.admin,
            _ => &mut self.ordinary,
        };
        let begin = Instant::now();
        let answer = client.request("GET", &format!("/api/v1/runs?limit=50{filter}"), None)?;
        pages.millis.push(begin.elapsed().as_secs_f64() * 1e3);
        anyhow::ensure!(answer.status == 200, "{filter}: {}", answer.status);
        let page: Value = serde_json::from_slice(&answer.body)?;
        pages.items = page
            .get("items")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        Ok(())
    }
}

fn at(number: u64) -> Timestamp {
    let seconds = Duration::from_secs(number);
    Timestamp::from_millis(BEGIN).plus(seconds)
}

async fn insert(state: &Path, runs: u64) -> anyhow::Result<()> {
    let store = Store::open(state)?;
    let mut users = Vec::new();
    for name in ["bench", "ordinary"] {
        let name = UserName::parse(name)?;
        let known = store.user_by_name(&name).await?;
        users.push((known.context("a user is missing")?.user.id, name));
    }
    for number in 0..OTHERS {
        let id = UserId(i64::try_from(1_000 + number)?);
        users.push((id, UserName::parse(&format!("gone{number}"))?));
    }
    let scripts = SCRIPTS.map(ScriptName::parse);
    let scripts: Vec<ScriptName> = scripts.into_iter().collect::<Result<_, _>>()?;
    let chance = Counting(AtomicU64::new(1));
    for first in (0..runs).step_by(usize::try_from(AT_ONCE)?) {
        let batch: Vec<RunRecord> = (first..runs.min(first + AT_ONCE))
            .filter_map(|number| run(number, &users, &scripts, &chance))
            .collect();
        try_join_all(batch.iter().map(|run| store.insert_run(run))).await?;
    }
    Ok(())
}

/// The same mixture however many there are.
fn run(
    number: u64,
    users: &[(UserId, UserName)],
    scripts: &[ScriptName],
    chance: &Counting,
) -> Option<RunRecord> {
    let pick = scramble(number);
    let of = |count: usize, shift: u32| usize::try_from(pick >> shift).map(|pick| pick % count);
    let (user, user_name) = users.get(of(users.len(), 8).ok()?)?.clone();
    let created_at = at(number);
    let outcome = match number % 100 {
        0..90 => Outcome::Succeeded,
        99 if number % 1_000 == 599 => Outcome::Lost,
        _ => Outcome::Failed,
    };
    Some(RunRecord {
        id: RunId::new(created_at, chance),
        script: scripts.get(of(scripts.len(), 24).ok()?)?.clone(),
        user,
        user_name,
        args: serde_json::Map::new(),
        secrets: None,
        state: State::Ended,
        epoch: Epoch(1),
        stop: None,
        outcome: Some(outcome),
        reason: None,
        exit_code: Some(i32::from(outcome != Outcome::Succeeded)),
        signal: None,
        leftovers: 0,
        enforced: None,
        stdout_bytes: 100,
        stderr_bytes: 0,
        created_at,
        started_at: Some(created_at),
        ended_at: Some(created_at),
        request_key: None,
        request_digest: None,
        fingerprint: None,
    })
}

/// Bytes that differ each time; nobody has to be surprised by them.
struct Counting(AtomicU64);

impl Chance for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = scramble(self.0.fetch_add(1, Ordering::Relaxed)).to_le_bytes();
            chunk
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = from);
        }
    }
}

/// `SplitMix64`.
fn scramble(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
