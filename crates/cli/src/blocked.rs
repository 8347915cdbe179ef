//! `stagedoor blocked`: who cannot sign in for a while, with or without a running server.

use anyhow::bail;
use stagedoor_app::throttle::{place_id, what};
use stagedoor_domain::audit::Act;
use stagedoor_domain::time::{Clock as _, Timestamp};
use stagedoor_store::{FailureRecord, Store};

use crate::EXIT_OK;
use crate::args::{BlockedCommand, StateOption};
use crate::database::{self, Database, block_on};
use crate::system::SystemClock;

pub fn blocked(state: &StateOption, command: &BlockedCommand) -> anyhow::Result<u8> {
    let db = database::open(state)?;
    block_on(async move {
        let now = SystemClock::new().now();
        match command {
            BlockedCommand::List => list(&db.store, now).await,
            BlockedCommand::Lift { id, .. } => lift(&db, id.as_deref(), now).await,
        }
    })?;
    Ok(EXIT_OK)
}

/// Blocks that run; those that go on longest first.
async fn running(store: &Store, now: Timestamp) -> anyhow::Result<Vec<FailureRecord>> {
    let mut blocked = store.failures().await?;
    let runs = |record: &FailureRecord| record.blocked_until.is_some_and(|until| now < until);
    blocked.retain(|record| !record.lifted && runs(record));
    blocked.sort_by_key(|record| std::cmp::Reverse(record.blocked_until));
    Ok(blocked)
}

async fn list(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    let blocked = running(store, now).await?;
    if blocked.is_empty() {
        println!("Nobody is blocked.");
        return Ok(());
    }
    let users = store.list_users().await?;
    for record in blocked {
        let user = users
            .iter()
            .find(|known| Some(known.user.id) == record.user);
        let what = what(record.place.kind, user.map(|known| &known.user.name));
        let until = record.blocked_until.unwrap_or_default().rfc3339();
        let (id, network) = (place_id(&record.place), &record.place.network);
        println!("{id}  {network:<26} until {until}  {what}");
    }
    Ok(())
}

/// A server beside this command takes notice at the next try from there.
async fn lift(db: &Database, id: Option<&str>, now: Timestamp) -> anyhow::Result<()> {
    let mut blocked = running(&db.store, now).await?;
    if let Some(id) = id {
        blocked.retain(|record| place_id(&record.place) == id);
        if blocked.is_empty() {
            bail!("nothing that is blocked has the id {id}; `stagedoor blocked list` shows them");
        }
    }
    let users = db.store.list_users().await?;
    for record in &blocked {
        let user = users
            .iter()
            .find(|known| Some(known.user.id) == record.user);
        let name = user.map_or("", |known| known.user.name.as_str());
        let entry = db.entry(Act::BlockLifted, name);
        let entry = entry.with("kind", record.place.kind.as_str());
        let entry = entry.with("network", record.place.network.as_str());
        let places = vec![record.place.clone()];
        db.store.recorded(entry).lift_failures(places).await?;
    }
    match blocked.len() {
        0 => println!("Nobody is blocked."),
        1 => println!("One block is lifted."),
        many => println!("{many} blocks are lifted."),
    }
    Ok(())
}
