//! `stagedoor user` and `stagedoor token`: they work on the state directory, with or without a
//! running server.

use std::collections::BTreeSet;
use std::future::Future;
use std::io::Read as _;

use anyhow::{Context as _, anyhow, bail};
use secrecy::SecretString;
use stagedoor_app::password::{self, Password};
use stagedoor_app::session_key::{new_api_token, token_hash};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::quantity::parse_duration;
use stagedoor_domain::time::{Clock as _, Timestamp};
use stagedoor_store::{NewToken, NewUser, Store, TokenId, TokenRecord, UserRecord};

use crate::EXIT_OK;
use crate::args::{StateOption, TokenCommand, UserCommand};
use crate::state;
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
        }
    })
}

pub fn token(state: &StateOption, command: TokenCommand) -> anyhow::Result<u8> {
    let store = open(state)?;
    block_on(async move {
        match command {
            TokenCommand::Create {
                user,
                name,
                expires,
            } => create(&store, &user, name, &expires).await,
            TokenCommand::List { user } => list_tokens(&store, user.as_deref()).await,
            TokenCommand::Revoke { id } => {
                if store.revoke_token(TokenId(id)).await? {
                    println!("Token {id} is ended.");
                    Ok(())
                } else {
                    bail!("there is no token {id}; `stagedoor token list` shows them")
                }
            }
        }
    })
}

fn open(option: &StateOption) -> anyhow::Result<Store> {
    let dir = state::enter(option)?;
    state::place::check_database(&dir)?;
    Store::open_beside(&dir)
        .with_context(|| format!("could not open the database in {}", dir.display()))
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)?;
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
    let record = find(store, name).await?;
    let groups = parse_groups(groups)?;
    if !groups
        .iter()
        .any(|group| group.as_str() == GroupName::ADMINS)
    {
        keep_an_admin(store, &record).await?;
    }
    store.set_groups(record.user.id, groups).await?;
    println!("User {name} has these groups now; their sessions are ended.");
    Ok(())
}

/// Nobody could let anybody in any more.
async fn keep_an_admin(store: &Store, leaving: &UserRecord) -> anyhow::Result<()> {
    let users = store.list_users().await?;
    let stays = |record: &UserRecord| {
        record.user.id != leaving.user.id && !record.disabled && record.user.is_admin()
    };
    if leaving.user.is_admin() && !leaving.disabled && !users.iter().any(stays) {
        bail!(
            "{} is the only administrator; make another one first",
            leaving.user.name
        );
    }
    Ok(())
}

fn parse_groups(groups: &[String]) -> anyhow::Result<BTreeSet<GroupName>> {
    let parse = |group: &String| {
        GroupName::parse(group).with_context(|| format!("`{group}` is not a group's name"))
    };
    groups.iter().map(parse).collect()
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
    let record = find(store, name).await?;
    if disabled {
        keep_an_admin(store, &record).await?;
    }
    store.set_disabled(record.user.id, disabled).await?;
    if disabled {
        store.end_sessions_of(record.user.id).await?;
    }
    println!(
        "User {name} is {}.",
        if disabled { "disabled" } else { "enabled" }
    );
    Ok(())
}

async fn set_password(store: &Store, name: &str) -> anyhow::Result<()> {
    let record = find(store, name).await?;
    let hash = hash_from_stdin(&record.user.name)?;
    store.set_password(record.user.id, hash).await?;
    store.end_sessions_of(record.user.id).await?;
    println!("User {name} has a new password; their sessions are ended.");
    Ok(())
}

async fn create(store: &Store, user: &str, name: String, expires: &str) -> anyhow::Result<()> {
    let record = find(store, user).await?;
    let now = SystemClock::new().now();
    let expires_at = match expires {
        "never" => None,
        text => Some(now.plus(parse_duration(text)?)),
    };
    let token = new_api_token(&KernelChance);
    let new = NewToken {
        hash: token_hash(&token),
        user: record.user.id,
        name,
        expires_at,
    };
    store.add_token(new, now).await?;
    eprintln!(
        "This token is shown once. It acts as {user}, {}.",
        until(expires_at)
    );
    println!("{token}");
    Ok(())
}

async fn list_tokens(store: &Store, user: Option<&str>) -> anyhow::Result<()> {
    let owner = match user {
        Some(name) => Some(find(store, name).await?.user.id),
        None => None,
    };
    let tokens = store.list_tokens(owner).await?;
    if tokens.is_empty() {
        println!("No tokens. Make one: stagedoor token create --user NAME --expires 30d");
    }
    let users = store.list_users().await?;
    for token in tokens {
        let owner = users.iter().find(|record| record.user.id == token.user);
        let owner = owner.map_or("?", |record| record.user.name.as_str());
        let last_used = token.last_used.map_or_else(
            || "never used".to_owned(),
            |at| format!("last used {}", at.rfc3339()),
        );
        println!(
            "{:>4}  {:<20} {:<20} {}, {last_used}{}",
            token.id.0,
            owner,
            token.name,
            until(token.expires_at),
            exposed(&token)
        );
    }
    Ok(())
}

fn exposed(token: &TokenRecord) -> String {
    token.exposed_at.map_or_else(String::new, |at| {
        format!(
            "\n      EXPOSED: sent over plain HTTP at {}; run: stagedoor token revoke {}",
            at.rfc3339(),
            token.id.0
        )
    })
}

fn until(expires_at: Option<Timestamp>) -> String {
    expires_at.map_or_else(
        || "without end".to_owned(),
        |at| format!("until {}", at.rfc3339()),
    )
}

async fn find(store: &Store, name: &str) -> anyhow::Result<UserRecord> {
    let record = store.user_by_name(&parse_user(name)?).await?;
    record.ok_or_else(|| anyhow!("there is no user `{name}`; `stagedoor user list` shows them"))
}

fn parse_user(name: &str) -> anyhow::Result<UserName> {
    UserName::parse(name).with_context(|| format!("`{name}` is not a user's name"))
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
