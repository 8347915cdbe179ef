//! `stagedoor secret`: works beside a running server, whose next starts get what is set here. A value
//! comes in, and none ever goes out.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use stagedoor_app::secrets::{self, NamedSecret, SetSecretError};
use stagedoor_catalog::Snapshot;
use stagedoor_config::Environment;
use stagedoor_domain::audit::Act;
use stagedoor_domain::name::{ScriptName, SecretName};
use stagedoor_domain::secret::{LARGEST_SECRET, SecretValue};
use stagedoor_domain::time::Clock as _;
use zeroize::Zeroizing;

use crate::EXIT_OK;
use crate::args::{FolderOption, SecretCommand, StateOption};
use crate::ask::ask;
use crate::database::{Database, Folder, block_on, find, open, read_folder};
use crate::keys::{self, Given, SECRETS};
use crate::state::owner_of;
use crate::system::{KernelChance, SystemClock};

pub fn secret(
    state: &StateOption,
    folder: &FolderOption,
    command: &SecretCommand,
) -> anyhow::Result<u8> {
    match command {
        SecretCommand::Set { name } => {
            let name = parse(name)?;
            let now = SystemClock::new().now();
            // Before the rights of root are given up, which an operator's file may ask for.
            let server = owner_of(&find(state)?)?;
            let given = Given::of(&SECRETS, &Environment::of_process(), server, now)?;
            let value = value_of(&name)?;
            let db = open(state)?;
            block_on(set(&db, given, NamedSecret { name, value }))?;
        }
        SecretCommand::List => {
            let folder = known(folder);
            let db = open(state)?;
            block_on(list(&db, folder))?;
        }
        SecretCommand::Rm { name } => {
            let name = parse(name)?;
            let folder = known(folder);
            let db = open(state)?;
            block_on(remove(&db, name, folder))?;
        }
    }
    Ok(EXIT_OK)
}

fn parse(name: &str) -> anyhow::Result<SecretName> {
    SecretName::parse(name).with_context(|| format!("`{name}` is not the name of a secret"))
}

/// Standard input, to its end; on a terminal one line, which is not shown.
fn value_of(name: &SecretName) -> anyhow::Result<SecretValue> {
    let value = if std::io::stdin().is_terminal() {
        ask(&format!(
            "Value of {name}, which is not shown, then Enter: "
        ))?
    } else {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST_SECRET + 2));
        std::io::stdin()
            .take(LARGEST_SECRET as u64 + 2)
            .read_to_end(&mut bytes)
            .context("could not read the value")?;
        bytes
    };
    SecretValue::of_text(value).context("nothing was set: standard input is not a value")
}

async fn set(db: &Database, given: Option<Given>, secret: NamedSecret) -> anyhow::Result<()> {
    let now = SystemClock::new().now();
    let source = keys::at_hand(given, &db.dir, &db.store, now).await?;
    let name = secret.name.clone();
    let entry = db.entry(Act::SecretSet, name.as_str());
    let by = entry.by.clone();
    let store = db.store.recorded(entry);
    let set = secrets::set(&store, &source, secret, &by, (now, Arc::new(KernelChance))).await;
    set.map_err(|error| match error {
        SetSecretError::OtherKey(_) => anyhow!(
            "{error}. Where `stagedoor serve` is given the key with {0}, name its file with {0} here, or set the \
             secret on the page /admin/secrets",
            SECRETS.file_variable
        ),
        error => error.into(),
    })?;
    println!("Secret {name} is set. Runs that start from now on get it.");
    Ok(())
}

/// Secrets may be looked at from wherever one is: then it is not known who lists them.
fn known(option: &FolderOption) -> Option<Folder> {
    match read_folder(option) {
        Ok(folder) if folder.is_empty() => {
            folder.tell();
            None
        }
        Ok(folder) => Some(folder),
        Err(error) => {
            eprintln!("note: scripts are not looked at: {error:#}");
            None
        }
    }
}

async fn list(db: &Database, folder: Option<Folder>) -> anyhow::Result<()> {
    let stored = db.store.list_secrets().await?;
    let mut listed = folder
        .as_ref()
        .map(|folder| secrets::listed_by(&folder.scripts));
    if stored.is_empty() {
        println!("No stored secrets. Set one: stagedoor secret set NAME < FILE");
    }
    for record in stored {
        let by = listed.as_mut().map(|listed| listed.remove(&record.name));
        println!(
            "{:<20} set {} by {}{}",
            record.name.as_str(),
            record.set_at.rfc3339(),
            record.set_by,
            match by {
                None => String::new(),
                Some(None) => ", listed by no script".to_owned(),
                Some(Some(scripts)) => format!(", listed by {}", say(&scripts)),
            }
        );
    }
    for (name, scripts) in listed.unwrap_or_default() {
        println!("warning: {}", secrets::missing(&name, &scripts));
    }
    Ok(())
}

async fn remove(db: &Database, name: SecretName, folder: Option<Folder>) -> anyhow::Result<()> {
    let store = db.recorded(Act::SecretRemoved, name.as_str());
    if !store.remove_secret(name.clone()).await? {
        bail!("there is no stored secret `{name}`; `stagedoor secret list` shows them");
    }
    println!("Secret {name} is removed.");
    let mut listed = folder.map_or_else(BTreeMap::new, |f| secrets::listed_by(&f.scripts));
    if let Some(scripts) = listed.remove(&name) {
        println!("warning: {}", secrets::missing(&name, &scripts));
    }
    Ok(())
}

fn say(scripts: &[ScriptName]) -> String {
    let names: Vec<&str> = scripts.iter().map(ScriptName::as_str).collect();
    names.join(", ")
}

/// For `stagedoor check`: which scripts list what is not stored.
pub async fn missing(db: &Database, scripts: &Snapshot) -> anyhow::Result<Vec<String>> {
    let mut listed = secrets::listed_by(scripts);
    for record in db.store.list_secrets().await? {
        listed.remove(&record.name);
    }
    let missing = listed.iter();
    Ok(missing
        .map(|(name, scripts)| secrets::missing(name, scripts))
        .collect())
}
