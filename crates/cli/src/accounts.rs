//! Which accounts server and scripts run as.
//!
//! Started by an ordinary user, everything is that user. Started as root, the server drops to an
//! account of its own and scripts run as another one.

use anyhow::{Context as _, bail};
use stagedoor_config::Settings;
use stagedoor_domain::sandbox::Permit;
use stagedoor_runner::{Account, Permitted};

/// The server's account when stagedoor.toml names none and there is no account `stagedoor`.
const SERVER_UID: u32 = 7373;
/// The scripts' account when there is no account `stagedoor-run`.
const SCRIPTS_UID: u32 = 7374;

/// Who is who.
pub struct Accounts {
    /// The uid of the server once it has dropped.
    pub server_uid: u32,
    /// What to become before the first request; none when not started as root.
    pub server: Option<Account>,
    /// What scripts run as; none means as the server.
    pub scripts: Option<Account>,
    /// What a definition may name instead.
    pub others: Vec<Permitted>,
}

impl Accounts {
    /// Decides by who started the process and by the settings.
    pub fn choose(settings: &Settings) -> anyhow::Result<Self> {
        let me = rustix::process::geteuid();
        if !me.is_root() {
            for name in Permit::accounts(&settings.permits) {
                tracing::warn!(
                    account = name,
                    "stagedoor.toml permits scripts to run as another account, and only a server that was started as root can do that: they are refused"
                );
            }
            return Ok(Self {
                server_uid: me.as_raw(),
                server: None,
                scripts: None,
                others: Vec::new(),
            });
        }
        let server = find(settings.user.as_deref(), "stagedoor", SERVER_UID)?;
        let scripts = find(settings.run_user.as_deref(), "stagedoor-run", SCRIPTS_UID)?;
        if server.uid == 0 {
            bail!(
                "the server may not run as root: name another account with `user` in stagedoor.toml"
            );
        }
        if scripts.uid == 0 && !settings.allow_root_scripts {
            bail!(
                "scripts may not run as root: name another account with `run_user`, or set `allow_root_scripts = true`"
            );
        }
        if scripts.uid == server.uid {
            bail!(
                "server and scripts need two accounts, or scripts could read the server's files: change `user` or `run_user`"
            );
        }
        let others = Permit::accounts(&settings.permits).into_iter();
        let others = others
            .map(|name| permitted(name, server.uid))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            others,
            server_uid: server.uid,
            server: Some(server),
            scripts: Some(scripts),
        })
    }
}

/// An account of a `[[permit]]`. That one is missing is no reason not to serve the scripts that run as
/// another: the runner refuses those that name it, and says why.
fn permitted(name: &str, server: u32) -> anyhow::Result<Permitted> {
    let account =
        Account::named(name).with_context(|| format!("could not look up the account `{name}`"))?;
    match account.as_ref().map(|account| account.uid) {
        Some(0) => bail!(
            "no script may run as `{name}`, which is root: take it out of `run_as` in stagedoor.toml"
        ),
        Some(uid) if uid == server => bail!(
            "no script may run as `{name}`, which is the server's account, or it could read the server's files: take it out of `run_as` in stagedoor.toml"
        ),
        found => {
            if found.is_none() {
                tracing::warn!(
                    account = name,
                    "stagedoor.toml permits scripts to run as an account that this machine does not have: they are refused"
                );
            }
            Ok(Permitted {
                name: name.to_owned(),
                account,
            })
        }
    }
}

fn find(named: Option<&str>, usual: &str, number: u32) -> anyhow::Result<Account> {
    if let Some(uid) = named.and_then(|name| name.parse().ok()) {
        return Account::numbered(uid)
            .with_context(|| format!("could not look up the account {uid}"));
    }
    let name = named.unwrap_or(usual);
    match Account::named(name).with_context(|| format!("could not look up the account `{name}`"))? {
        Some(account) => Ok(account),
        None if named.is_some() => bail!("there is no account `{name}` on this machine"),
        None => Account::numbered(number).context("could not look up an account"),
    }
}
