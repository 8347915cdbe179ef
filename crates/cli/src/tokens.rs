//! `stagedoor token`.

use anyhow::{anyhow, bail};
use stagedoor_app::session_key::{new_api_token, token_hash};
use stagedoor_domain::access::{Actions, Scope};
use stagedoor_domain::audit::Act;
use stagedoor_domain::name::check_token_name;
use stagedoor_domain::network::{BadNetwork, Network};
use stagedoor_domain::pattern::{parse_patterns, say_patterns};
use stagedoor_domain::quantity::parse_duration;
use stagedoor_domain::time::{Clock as _, Timestamp};
use stagedoor_store::{AddTokenError, NewToken, Store, TokenId, TokenRecord};

use crate::EXIT_OK;
use crate::args::{NewTokenOptions, StateOption, TokenCommand};
use crate::database::{Database, block_on, find_user, open};
use crate::system::{KernelChance, SystemClock};

pub fn token(state: &StateOption, command: TokenCommand) -> anyhow::Result<u8> {
    let db = open(state)?;
    block_on(async move {
        match command {
            TokenCommand::Create(options) => create(&db, options).await,
            TokenCommand::List { user } => list(&db.store, user.as_deref()).await,
            TokenCommand::Revoke { id } => {
                let store = db.recorded(Act::TokenRevoked, format!("token {id}"));
                if store.revoke_token(TokenId(id)).await? {
                    println!("Token {id} is ended.");
                    Ok(())
                } else {
                    bail!("there is no token {id}; `stagedoor token list` shows them")
                }
            }
        }
    })?;
    Ok(EXIT_OK)
}

async fn create(db: &Database, options: NewTokenOptions) -> anyhow::Result<()> {
    let record = find_user(&db.store, &options.user).await?;
    if record.disabled {
        bail!(
            "{0} is disabled, and so would be the token; unlock the account first: stagedoor user enable {0}",
            record.user.name
        );
    }
    let now = SystemClock::new().now();
    let expires_at = match options.expires.as_str() {
        "never" => None,
        text => Some(now.plus(parse_duration(text)?)),
    };
    let (scope, addresses) = (scope(&options)?, networks(&options.from)?);
    check_token_name(&options.name)?;
    let token = new_api_token(&KernelChance);
    let user = options.user;
    let said = format!(
        "This token is shown once. It acts as {user}, {}. It may {}, and never more than {user} may.",
        until(expires_at),
        say_scope(&scope, &addresses)
    );
    let entry = db
        .entry(Act::TokenCreated, user.as_str())
        .with("may", say_scope(&scope, &addresses));
    let new = NewToken {
        hash: token_hash(&token),
        user: record.user.id,
        name: options.name,
        expires_at,
        scope,
        addresses,
    };
    let added = db.store.recorded(entry).add_token(new, now).await;
    let id = added.map_err(|error| match error {
        AddTokenError::TooMany => anyhow!(
            "{error}: `stagedoor token list --user {user}` shows them, `stagedoor token revoke ID` ends one"
        ),
        AddTokenError::Store(error) => error.into(),
    })?;
    eprintln!("{said} It is number {0}: stagedoor token revoke {0}", id.0);
    println!("{token}");
    Ok(())
}

fn scope(options: &NewTokenOptions) -> anyhow::Result<Scope> {
    let mut scope = Scope::all_scripts();
    if !options.may.is_empty() {
        scope.actions = Actions::parse(&options.may.join(","))?;
    }
    if scope.actions.admin && !options.scripts.is_empty() {
        bail!(
            "`admin` is not about scripts: leave --scripts out, or make a second token without `admin` for them"
        );
    }
    if !options.scripts.is_empty() {
        scope.scripts = parse_patterns(&options.scripts.join(" "))?;
    }
    if scope.actions.words().next().is_none() {
        bail!("a token that may nothing is of no use; name actions with --may");
    }
    Ok(scope)
}

fn networks(texts: &[String]) -> anyhow::Result<Vec<Network>> {
    let parse = |text: &String| {
        let read = text.parse();
        read.map_err(|error: BadNetwork| {
            anyhow!("`{text}` {error}; write 10.0.0.0/8, fd00::/8 or one address")
        })
    };
    texts.iter().map(parse).collect()
}

fn say_scope(scope: &Scope, addresses: &[Network]) -> String {
    let mut said = format!("{} ({})", scope.actions, say_patterns(&scope.scripts, ", "));
    if !addresses.is_empty() {
        let from: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        said.push_str(" from ");
        said.push_str(&from.join(", "));
    }
    said
}

async fn list(store: &Store, user: Option<&str>) -> anyhow::Result<()> {
    let owner = match user {
        Some(name) => Some(find_user(store, name).await?.user.id),
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
        println!(
            "{:>4}  {:<20} {:<20} {}, {}\n      may {}{}",
            token.id.0,
            owner,
            token.name,
            until(token.expires_at),
            last_used(&token),
            say_scope(&token.scope, &token.addresses),
            exposed(&token)
        );
    }
    Ok(())
}

fn last_used(token: &TokenRecord) -> String {
    match (token.last_used, &token.last_address) {
        (None, _) => "never used".to_owned(),
        (Some(at), None) => format!("last used {}", at.rfc3339()),
        (Some(at), Some(from)) => format!("last used {} from {from}", at.rfc3339()),
    }
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
