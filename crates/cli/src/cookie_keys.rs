//! Where the keys that sign cookies are kept: a ring in the state directory, which this program makes
//! and renews, or a key that an operator gives. Both are taken by a running server once they change.

mod given;
mod ring;
mod watch;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use stagedoor_app::cookie_keys::{CookieKey, CookieKeys};
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::time::{Clock as _, Timestamp};
use stagedoor_store::Store;

use crate::EXIT_OK;
use crate::args::{KeysCommand, StateOption};
use crate::state;
use crate::system::{KernelChance, SystemClock};

pub use given::{Given, leave_environment};
pub use watch::Kept;

/// `stagedoor keys`: works beside a running server.
pub fn keys(option: &StateOption, command: &KeysCommand) -> anyhow::Result<u8> {
    let by = Origin::command_line(rustix::process::getuid().as_raw());
    let dir = state::enter(option)?;
    let now = SystemClock::new().now();
    match command {
        KeysCommand::List => list(&dir, now)?,
        KeysCommand::Rotate { end_sessions } => rotate(&dir, by, now, *end_sessions)?,
    }
    Ok(EXIT_OK)
}

fn list(dir: &Path, now: Timestamp) -> anyhow::Result<()> {
    for (place, key) in existing(dir)?.iter().enumerate() {
        let use_of = if place == 0 {
            "signs cookies"
        } else {
            "knows the cookies that it signed, until no session of then is left"
        };
        println!("{}  made {}  {use_of}", key.id(), made(key, now));
    }
    Ok(())
}

fn rotate(dir: &Path, by: Origin, now: Timestamp, end_sessions: bool) -> anyhow::Result<()> {
    existing(dir)?;
    record(dir, Entry::new(Act::KeysRotated, by, now).on("cookies"))?;
    let keys = ring::rotate(dir, &KernelChance, now, end_sessions)?;
    println!("Key {} signs cookies from now on.", keys.newest().id());
    if end_sessions {
        println!("The earlier keys are forgotten: everybody signs in again.");
    } else {
        println!("Nobody is signed out; earlier keys go when no session of theirs is left.");
    }
    Ok(())
}

/// Before the act: what cannot be recorded is not done.
fn record(dir: &Path, entry: Entry) -> anyhow::Result<()> {
    let store = Store::open_beside(dir)
        .with_context(|| format!("could not open the database in {}", dir.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(store.record(entry))?)
}

fn existing(dir: &Path) -> anyhow::Result<CookieKeys> {
    match ring::read(dir)? {
        Some(keys) => Ok(keys),
        None => bail!(
            "there are no cookie keys in {}: `stagedoor serve` makes the first one, unless it is given one \
             with STAGEDOOR_COOKIE_KEY_FILE; then rotate that file",
            dir.display()
        ),
    }
}

fn made(key: &CookieKey, now: Timestamp) -> String {
    let days = now.since(key.made()).as_secs() / 86_400;
    let ago = match days {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    };
    format!("{} ({ago})", key.made().rfc3339())
}

/// Where keys come from.
#[derive(Debug, Clone)]
enum Source {
    /// The ring in this state directory.
    Ring(PathBuf),
    /// A file of an operator.
    File(PathBuf),
    /// Given once, at the start.
    Fixed,
}
