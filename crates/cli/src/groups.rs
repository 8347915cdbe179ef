//! `stagedoor group`.

use std::collections::{BTreeMap, BTreeSet};

use stagedoor_app::groups::{Mention, mentions};
use stagedoor_domain::audit::Act;
use stagedoor_domain::name::GroupName;
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
            let db = open(state)?;
            block_on(list(&db.store, &folder))?;
        }
        GroupCommand::Rename { old, new } => {
            let folder = read_folder(folder)?;
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
    let mut groups: BTreeMap<GroupName, Vec<String>> = BTreeMap::new();
    for record in store.list_users().await? {
        for group in record.user.groups {
            let members = groups.entry(group).or_default();
            members.push(record.user.name.to_string());
        }
    }
    let stored = store.grants().await?.grants;
    let places = stored
        .into_iter()
        .map(|grant| (grant.group, grant.origin.to_string()));
    let files = mentions(&folder.grants, &folder.scripts).into_iter();
    let mut named: BTreeMap<GroupName, BTreeSet<String>> = BTreeMap::new();
    for (group, place) in places.chain(files.map(|m| (m.group, m.place))) {
        groups.entry(group.clone()).or_default();
        named.entry(group).or_default().insert(place);
    }
    if groups.is_empty() {
        println!("No groups. One exists by being named: stagedoor group add ops ann");
    }
    for (group, members) in groups {
        let members = match members.as_slice() {
            _ if group.as_str() == GroupName::EVERYONE => "every signed-in user".to_owned(),
            [] => "nobody".to_owned(),
            some => some.join(", "),
        };
        println!("{:<20} {members}", group.as_str());
        for place in named.get(&group).into_iter().flatten() {
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
