//! `stagedoor grant`.

use anyhow::bail;
use stagedoor_app::groups::idle_grants;
use stagedoor_domain::access::{Actions, Gives, Grants};
use stagedoor_domain::audit::Act;
use stagedoor_domain::pattern::parse_patterns;
use stagedoor_domain::time::Clock as _;
use stagedoor_store::{GrantId, Store};

use crate::EXIT_OK;
use crate::args::{FolderOption, GrantCommand, StateOption};
use crate::database::{Database, Folder, block_on, open, parse_group, read_folder};
use crate::groups::inhabited;
use crate::system::SystemClock;

pub fn grant(
    state: &StateOption,
    folder: &FolderOption,
    command: GrantCommand,
) -> anyhow::Result<u8> {
    match command {
        GrantCommand::Add {
            group,
            scripts,
            may,
        } => {
            let gives = gives(&scripts, &may)?;
            let db = open(state)?;
            block_on(add(&db, &group, gives))?;
        }
        GrantCommand::List => {
            // Before the rights of root are given up, which the folder may ask for.
            let folder = read_folder(folder)?;
            let db = open(state)?;
            block_on(list(&db.store, folder))?;
        }
        GrantCommand::Remove { id } => {
            let db = open(state)?;
            let store = db.recorded(Act::GrantRemoved, format!("grant {id}"));
            if !block_on(async { Ok(store.remove_grant(GrantId(id)).await?) })? {
                bail!("there is no grant {id}; `stagedoor grant list` shows them");
            }
            println!("Grant {id} is taken away.");
        }
    }
    Ok(EXIT_OK)
}

fn gives(scripts: &[String], may: &[String]) -> anyhow::Result<Gives> {
    let actions = Actions::parse(&may.join(","))?;
    if actions.admin {
        if !actions.verbs.is_empty() || !scripts.is_empty() {
            bail!("`admin` is not about scripts: write --may admin alone, without --scripts");
        }
        return Ok(Gives::Admin);
    }
    if actions.verbs.is_empty() || scripts.is_empty() {
        bail!("say what and with which scripts, as in --may view,run --scripts 'backup/*'");
    }
    Ok(Gives::Scripts {
        scripts: parse_patterns(&scripts.join(" "))?,
        may: actions.verbs,
    })
}

async fn add(db: &Database, group: &str, gives: Gives) -> anyhow::Result<()> {
    let group = parse_group(group)?;
    let said = gives.said_to(&group);
    let entry = db
        .entry(Act::GrantAdded, group.as_str())
        .with("grant", said.as_str());
    let store = db.store.recorded(entry);
    let GrantId(id) = store
        .add_grant(group, gives, SystemClock::new().now())
        .await?;
    println!("Grant {id}: {said}.");
    Ok(())
}

async fn list(store: &Store, folder: Folder) -> anyhow::Result<()> {
    let Folder {
        grants, scripts, ..
    } = folder;
    let stored = store.grants().await?.grants;
    let all = Grants(grants.0.into_iter().chain(stored).collect());
    for grant in &all.0 {
        println!("{}: {grant}", grant.origin);
    }
    if all.0.is_empty() {
        println!("No grants: only admins, and whom the scripts' own `access` names, may anything.");
    }
    let inhabited = inhabited(store).await?;
    for idle in idle_grants(&all, &scripts, Some(&inhabited)) {
        println!("warning: {idle}");
    }
    Ok(())
}
