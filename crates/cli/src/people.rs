//! `stagedoor user`: it works on the state directory, with or without a running server.

use std::collections::BTreeSet;
use std::io::Read as _;

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use stagedoor_app::password::{self, Password};
use stagedoor_domain::audit::Act;
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::time::Clock as _;
use stagedoor_store::{ChangeUserError, NewUser, Store};

use crate::EXIT_OK;
use crate::args::{StateOption, UserCommand};
use crate::database::{Database, block_on, find_user, open, parse_group, parse_user};
use crate::system::{KernelChance, SystemClock, host_name};

pub fn user(state: &StateOption, command: UserCommand) -> anyhow::Result<u8> {
    let db = open(state)?;
    block_on(async move {
        match command {
            UserCommand::Add { name, groups, .. } => add(&db, &name, &groups).await,
            UserCommand::List => list(&db.store).await,
            UserCommand::Groups { name, groups } => set_groups(&db, &name, &groups).await,
            UserCommand::Disable { name } => set_disabled(&db, &name, true).await,
            UserCommand::Enable { name } => set_disabled(&db, &name, false).await,
            UserCommand::SignOut { name } => sign_out(&db, &name).await,
            UserCommand::Passwd { name, .. } => set_password(&db, &name).await,
            UserCommand::Delete { name, yes } => delete(&db, &name, yes).await,
        }
    })?;
    Ok(EXIT_OK)
}

async fn add(db: &Database, name: &str, groups: &[String]) -> anyhow::Result<()> {
    let name = parse_user(name)?;
    let groups = parse_groups(groups)?;
    let password_hash = hash_from_stdin(&name)?;
    let new = NewUser {
        name: name.clone(),
        password_hash,
        groups,
    };
    let groups = say_groups(&new.groups);
    let entry = db
        .entry(Act::UserAdded, name.as_str())
        .with("groups", groups);
    let store = db.store.recorded(entry);
    store.add_user(new, SystemClock::new().now()).await?;
    println!("User {name} is made.");
    if !db.store.has_admin().await? {
        println!(
            "Nobody is in the group `admins` yet: open the link that `stagedoor serve` printed, or add one here."
        );
    }
    Ok(())
}

async fn set_groups(db: &Database, name: &str, groups: &[String]) -> anyhow::Result<()> {
    let record = find_user(&db.store, name).await?;
    let groups = parse_groups(groups)?;
    let entry = db
        .entry(Act::GroupsSet, name)
        .with("groups", say_groups(&groups));
    let store = db.store.recorded(entry);
    let changed = store.set_groups(record.user.id, groups).await;
    changed.map_err(|error| not_changed(name, error))?;
    println!("User {name} has these groups now; who was signed in signs in again.");
    Ok(())
}

/// A user's name before what is wrong.
pub fn not_changed(name: &str, error: ChangeUserError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("could not change {name}"))
}

async fn delete(db: &Database, name: &str, yes: bool) -> anyhow::Result<()> {
    let record = find_user(&db.store, name).await?;
    let tokens = db.store.list_tokens(Some(record.user.id)).await?.len();
    if !yes {
        bail!(
            "nothing was changed. Deleting {name} ends their sessions and {tokens} tokens; their \
             runs stay in the history, and what runs goes on. Repeat the command with --yes"
        );
    }
    let store = db.recorded(Act::UserRemoved, name);
    let deleted = store.delete_user(record.user.id).await;
    deleted.map_err(|error| not_changed(name, error))?;
    println!("User {name} is deleted; their runs stay in the history.");
    Ok(())
}

fn say_groups(groups: &BTreeSet<GroupName>) -> String {
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    names.join(", ")
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
        let note = match (record.disabled, record.is_external) {
            (false, false) => "",
            (true, false) => "  (disabled)",
            (false, true) => "  (external)",
            (true, true) => "  (external, disabled)",
        };
        println!(
            "{:<20} {}{note}",
            record.user.name.as_str(),
            groups.join(", ")
        );
    }
    Ok(())
}

async fn set_disabled(db: &Database, name: &str, disabled: bool) -> anyhow::Result<()> {
    let record = find_user(&db.store, name).await?;
    let act = if disabled {
        Act::UserDisabled
    } else {
        Act::UserEnabled
    };
    let store = db.recorded(act, name);
    let changed = store.set_disabled(record.user.id, disabled).await;
    changed.map_err(|error| not_changed(name, error))?;
    println!(
        "User {name} is {}.",
        if disabled { "disabled" } else { "enabled" }
    );
    Ok(())
}

async fn sign_out(db: &Database, name: &str) -> anyhow::Result<()> {
    let record = find_user(&db.store, name).await?;
    let store = db.recorded(Act::SessionsEnded, name);
    match store.end_sessions_of(record.user.id).await? {
        0 => println!("User {name} was not signed in."),
        1 => println!("User {name} is signed out."),
        count => println!("User {name} is signed out, in {count} places."),
    }
    Ok(())
}

async fn set_password(db: &Database, name: &str) -> anyhow::Result<()> {
    let record = find_user(&db.store, name).await?;
    let hash = hash_from_stdin(&record.user.name)?;
    let became = if record.is_external { "local" } else { "" };
    let entry = db.entry(Act::PasswordChanged, name).with("became", became);
    let store = db.store.recorded(entry);
    store.set_password(record.user.id, hash).await?;
    println!("User {name} has a new password; their sessions are ended.");
    if record.is_external {
        println!(
            "Their account is local from now on: the sign-in command is not asked about them, and the groups that \
             it named are taken away. Give it groups with: stagedoor user groups {name} --group GROUP"
        );
    }
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
    let hosts: Vec<String> = host_name().into_iter().collect();
    password::judge(&password, name.as_str(), &hosts)?;
    password::hash_now(&password, &KernelChance).context("could not hash the password")
}
