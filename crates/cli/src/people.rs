//! `stagedoor user`: it works on the state directory, with or without a running server.

use std::collections::BTreeSet;
use std::io::Read as _;

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use stagedoor_app::password::{self, Password};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::time::Clock as _;
use stagedoor_store::{ChangeUserError, NewUser, Store};

use crate::EXIT_OK;
use crate::args::{StateOption, UserCommand};
use crate::database::{block_on, find_user, open, parse_group, parse_user};
use crate::system::{KernelChance, SystemClock};

pub fn user(state: &StateOption, command: UserCommand) -> anyhow::Result<u8> {
    let store = open(state)?;
    block_on(async move {
        match command {
            UserCommand::Add { name, groups, .. } => add(&store, &name, &groups).await,
            UserCommand::List => list(&store).await,
            UserCommand::Groups { name, groups } => set_groups(&store, &name, &groups).await,
            UserCommand::Disable { name } => set_disabled(&store, &name, true).await,
            UserCommand::Enable { name } => set_disabled(&store, &name, false).await,
            UserCommand::Passwd { name, .. } => set_password(&store, &name).await,
            UserCommand::Delete { name, yes } => delete(&store, &name, yes).await,
        }
    })?;
    Ok(EXIT_OK)
}

async fn add(store: &Store, name: &str, groups: &[String]) -> anyhow::Result<()> {
    let name = parse_user(name)?;
    let groups = parse_groups(groups)?;
    let password_hash = hash_from_stdin(&name)?;
    let new = NewUser {
        name: name.clone(),
        password_hash,
        groups,
    };
    store.add_user(new, SystemClock::new().now()).await?;
    println!("User {name} is made.");
    if !store.has_admin().await? {
        println!(
            "Nobody is in the group `admins` yet: open the link that `stagedoor serve` printed, or add one here."
        );
    }
    Ok(())
}

async fn set_groups(store: &Store, name: &str, groups: &[String]) -> anyhow::Result<()> {
    let record = find_user(store, name).await?;
    let groups = parse_groups(groups)?;
    let changed = store.set_groups(record.user.id, groups).await;
    changed.map_err(|error| not_changed(name, error))?;
    println!("User {name} has these groups now.");
    Ok(())
}

/// A user's name before what is wrong.
pub fn not_changed(name: &str, error: ChangeUserError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("could not change {name}"))
}

async fn delete(store: &Store, name: &str, yes: bool) -> anyhow::Result<()> {
    let record = find_user(store, name).await?;
    let tokens = store.list_tokens(Some(record.user.id)).await?.len();
    if !yes {
        bail!(
            "nothing was changed. Deleting {name} ends their sessions and {tokens} tokens; their \
             runs stay in the history, and what runs goes on. Repeat the command with --yes"
        );
    }
    let deleted = store.delete_user(record.user.id).await;
    deleted.map_err(|error| not_changed(name, error))?;
    println!("User {name} is deleted; their runs stay in the history.");
    Ok(())
}

fn parse_groups(groups: &[String]) -> anyhow::Result<BTreeSet<GroupName>> {
    groups.iter().map(|group| parse_group(group)).collect()
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let users = store.list_users().await?;
    if users.is_empty() {
        println!("No accounts yet. `stagedoor serve` prints a link that makes the first one.");
    }
    for record in users {
        let groups: Vec<&str> = record.user.groups.iter().map(GroupName::as_str).collect();
        let note = if record.disabled { "  (disabled)" } else { "" };
        println!(
            "{:<20} {}{note}",
            record.user.name.as_str(),
            groups.join(", ")
        );
    }
    Ok(())
}

async fn set_disabled(store: &Store, name: &str, disabled: bool) -> anyhow::Result<()> {
    let record = find_user(store, name).await?;
    let changed = store.set_disabled(record.user.id, disabled).await;
    changed.map_err(|error| not_changed(name, error))?;
    println!(
        "User {name} is {}.",
        if disabled { "disabled" } else { "enabled" }
    );
    Ok(())
}

async fn set_password(store: &Store, name: &str) -> anyhow::Result<()> {
    let record = find_user(store, name).await?;
    let hash = hash_from_stdin(&record.user.name)?;
    store.set_password(record.user.id, hash).await?;
    store.end_sessions_of(record.user.id).await?;
    println!("User {name} has a new password; their sessions are ended.");
    Ok(())
}

fn hash_from_stdin(name: &UserName) -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(4096)
        .read_to_string(&mut text)
        .context("could not read the password")?;
    let text = text.strip_suffix('\n').map(str::to_owned).unwrap_or(text);
    let password: Password = SecretString::from(text);
    password::judge(&password, name.as_str())?;
    password::hash_now(&password, &KernelChance).context("could not hash the password")
}
