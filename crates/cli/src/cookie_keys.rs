//! Where the keys that sign cookies are kept: a ring in the state directory, which this program makes
//! and renews, or a key that an operator gives. Both are taken by a running server once they change.

mod given;
mod ring;
mod watch;

use std::path::{Path, PathBuf};

use anyhow::bail;
use stagedoor_app::cookie_keys::{CookieKey, CookieKeys};
use stagedoor_domain::audit::Act;
use stagedoor_domain::time::{Clock as _, Timestamp};

use crate::EXIT_OK;
use crate::args::{KeysCommand, StateOption};
use crate::database::{self, Database};
use crate::system::{KernelChance, SystemClock};

pub use given::{Given, leave_environment};
pub use watch::Kept;

/// `stagedoor keys`: works beside a running server.
pub fn keys(option: &StateOption, command: &KeysCommand) -> anyhow::Result<u8> {
    let db = database::open(option)?;
    let now = SystemClock::new().now();
    match command {
        KeysCommand::List => list(&db.dir, now)?,
        KeysCommand::Rotate { end_sessions } => rotate(&db, now, *end_sessions)?,
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

fn rotate(db: &Database, now: Timestamp, end_sessions: bool) -> anyhow::Result<()> {
    existing(&db.dir)?;
    // What cannot be recorded is not done.
    let entry = db.entry(Act::KeysRotated, "cookies");
    database::block_on(async { Ok(db.store.record(entry).await?) })?;
    let keys = ring::rotate(&db.dir, &KernelChance, now, end_sessions)?;
    println!("Key {} signs cookies from now on.", keys.newest().id());
    if end_sessions {
        println!("The earlier keys are forgotten: everybody signs in again.");
    } else {
        println!("Nobody is signed out; earlier keys go when no session of theirs is left.");
    }
    Ok(())
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
