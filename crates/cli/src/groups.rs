//! `stagedoor group`.

use std::collections::BTreeSet;

use stagedoor_app::groups::{KnownGroup, Mention, known_groups, mentions};
use stagedoor_domain::access::Grants;
use stagedoor_domain::audit::Act;
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_store::Store;

use crate::EXIT_OK;
use crate::args::{FolderOption, GroupCommand, StateOption};
use crate::database::{Database, Folder, block_on, find_user, open, parse_group, read_folder};
use crate::people::not_changed;

pub fn group(
    state: &StateOption,
    folder: &FolderOption,
    command: GroupCommand,
) -> anyhow::Result<u8> {
    match command {
        GroupCommand::List => {
            let folder = read_folder(folder)?;
            folder.tell();
            let db = open(state)?;
            block_on(list(&db.store, &folder))?;
        }
        GroupCommand::Rename { old, new } => {
            let folder = read_folder(folder)?;
            folder.tell();
            let db = open(state)?;
            block_on(rename(&db, &folder, &old, &new))?;
        }
        GroupCommand::Add { group, user } => {
            let db = open(state)?;
            block_on(join(&db, &group, &user))?;
        }
        GroupCommand::Remove { group, user } => {
            let db = open(state)?;
            block_on(leave(&db, &group, &user))?;
        }
    }
    Ok(EXIT_OK)
}

async fn join(db: &Database, group: &str, user: &str) -> anyhow::Result<()> {
    let (group, record) = (parse_group(group)?, find_user(&db.store, user).await?);
    let entry = db
        .entry(Act::GroupsSet, user)
        .with("joined", group.as_str());
    let joined = db
        .store
        .recorded(entry)
        .join_group(record.user.id, group.clone())
        .await;
    if joined.map_err(|error| not_changed(user, error))? {
        println!("{user} is in {group} now.");
    } else {
        println!("{user} was in {group} already.");
    }
    Ok(())
}

async fn leave(db: &Database, group: &str, user: &str) -> anyhow::Result<()> {
    let (group, record) = (parse_group(group)?, find_user(&db.store, user).await?);
    let entry = db.entry(Act::GroupsSet, user).with("left", group.as_str());
    let left = db
        .store
        .recorded(entry)
        .leave_group(record.user.id, group.clone())
        .await;
    if left.map_err(|error| not_changed(user, error))? {
        println!("{user} is not in {group} any more.");
    } else {
        println!("{user} was not in {group}.");
    }
    Ok(())
}

async fn rename(db: &Database, folder: &Folder, old: &str, new: &str) -> anyhow::Result<()> {
    let (from, to) = (parse_group(old)?, parse_group(new)?);
    let entry = db.entry(Act::GroupRenamed, old).with("to", new);
    let renamed = db
        .store
        .recorded(entry)
        .rename_group(from.clone(), to.clone())
        .await?;
    println!(
        "{old} is called {new} now: {} accounts, {} grants of the store.",
        renamed.members, renamed.grants
    );
    let said = mentions(&folder.grants, &folder.scripts);
    let (left, given): (Vec<Mention>, Vec<Mention>) = said
        .into_iter()
        .filter(|m| m.group == from || m.group == to)
        .partition(|m| m.group == from);
    if !given.is_empty() {
        println!("Files name `{new}`, so its members have these rights now:");
    }
    for mention in given {
        println!("  {}", mention.place);
    }
    if !left.is_empty() {
        println!("Files still say `{old}`, which nobody is in any more. Change them by hand:");
    }
    for mention in left {
        println!("  {}", mention.place);
    }
    Ok(())
}

async fn list(store: &Store, folder: &Folder) -> anyhow::Result<()> {
    let grants = folder.grants.0.iter().cloned();
    let all = Grants(grants.chain(store.grants().await?.grants).collect());
    let groups = known_groups(store.list_users().await?, &all, &folder.scripts);
    if groups.is_empty() {
        println!("No groups. One exists by being named: stagedoor group add ops ann");
    }
    for (group, KnownGroup { members, places }) in groups {
        let members: Vec<&str> = members.iter().map(UserName::as_str).collect();
        let members = match members.as_slice() {
            _ if group.as_str() == GroupName::EVERYONE => "every signed-in user".to_owned(),
            [] => "nobody".to_owned(),
            some => some.join(", "),
        };
        println!("{:<20} {members}", group.as_str());
        for place in places {
            println!("{:<20} named by {place}", "");
        }
    }
    Ok(())
}

/// Groups that an account is in.
pub async fn inhabited(store: &Store) -> anyhow::Result<BTreeSet<GroupName>> {
    let users = store.list_users().await?;
    Ok(users
        .into_iter()
        .flat_map(|record| record.user.groups)
        .collect())
}
