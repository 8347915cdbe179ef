//! Where keys are kept: rings in the state directory, which this program makes, or keys that an
//! operator gives. Those that sign cookies are renewed by the server; those that seal stored secrets when
//! somebody asks for it.

mod cookies;
mod given;
mod kind;
mod operator_file;
mod ring;
mod secrets;

use std::path::Path;

use anyhow::bail;
use stagedoor_app::keys::{Key, Keys};
use stagedoor_domain::audit::Act;
use stagedoor_domain::time::{Clock as _, Timestamp};

use crate::EXIT_OK;
use crate::args::{KeysCommand, StateOption};
use crate::database::{self, Database};
use crate::system::{KernelChance, SystemClock};

pub use cookies::Kept;
pub use given::{Given, leave_environment};
pub use kind::{COOKIES, Kind, SECRETS};
pub use secrets::{at_hand, settled};

/// `stagedoor keys`: works beside a running server.
pub fn keys(option: &StateOption, command: &KeysCommand) -> anyhow::Result<u8> {
    let db = database::open(option)?;
    let now = SystemClock::new().now();
    match command {
        KeysCommand::List => list(&db.dir, now)?,
        KeysCommand::Rotate { secrets: true, .. } => secrets::rotate(&db, now)?,
        KeysCommand::Rotate { end_sessions, .. } => rotate(&db, now, *end_sessions)?,
    }
    Ok(EXIT_OK)
}

fn list(dir: &Path, now: Timestamp) -> anyhow::Result<()> {
    let (cookies, secrets) = (ring::read(dir, &COOKIES)?, ring::read(dir, &SECRETS)?);
    if cookies.is_none() && secrets.is_none() {
        existing(dir, &COOKIES)?;
    }
    let rows = |keys: Option<Keys>, newest, earlier| {
        for (place, key) in keys.iter().flat_map(Keys::iter).enumerate() {
            let use_of = if place == 0 { newest } else { earlier };
            println!("{}  made {}  {use_of}", key.id(), made(key, now));
        }
    };
    rows(
        cookies,
        "signs cookies",
        "knows the cookies that it signed, until no session of then is left",
    );
    rows(
        secrets,
        "seals stored secrets",
        "opens stored secrets until the rotation that was cut short is done: run it again",
    );
    Ok(())
}

fn rotate(db: &Database, now: Timestamp, end_sessions: bool) -> anyhow::Result<()> {
    existing(&db.dir, &COOKIES)?;
    // What cannot be recorded is not done.
    let entry = db.entry(Act::KeysRotated, "cookies");
    database::block_on(async { Ok(db.store.record(entry).await?) })?;
    let keys = ring::rotate(&db.dir, &COOKIES, (&KernelChance, now), end_sessions)?;
    println!("Key {} signs cookies from now on.", keys.newest().id());
    if end_sessions {
        println!("The earlier keys are forgotten: everybody signs in again.");
    } else {
        println!("Nobody is signed out; earlier keys go when no session of theirs is left.");
    }
    Ok(())
}

fn existing(dir: &Path, kind: &Kind) -> anyhow::Result<Keys> {
    match ring::read(dir, kind)? {
        Some(keys) => Ok(keys),
        None => bail!(
            "there are no {}s in {}: `stagedoor serve` makes the first one, unless it is given one \
             with {}; then rotate that file",
            kind.called,
            dir.display(),
            kind.file_variable
        ),
    }
}

fn made(key: &Key, now: Timestamp) -> String {
    let days = now.since(key.made()).as_secs() / 86_400;
    let ago = match days {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    };
    format!("{} ({ago})", key.made().rfc3339())
}
