//! Which accounts scripts run as: the usual one, and those that a plan may name. All are settled when
//! the runner starts; the server only names one of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::executable::is_hidden;
use super::settings::RunnerArgs;
use crate::account::{Account, Credentials};
use crate::protocol::Refusal;

/// What scripts of one account have in common.
pub(super) struct RunAs {
    /// As people know the account; its number where it has no name.
    pub(super) name: String,
    /// Whom the child becomes; none means that it stays the runner's own account.
    pub(super) account: Option<Account>,
    pub(super) credentials: Option<Rc<Credentials>>,
    /// The account may not enter a folder above the root.
    pub(super) is_hidden: bool,
    /// The plan named it.
    pub(super) is_asked_for: bool,
}

impl RunAs {
    fn of(account: Option<Account>, root: &Path) -> Self {
        let own = rustix::process::geteuid().as_raw();
        let uid = account.as_ref().map_or(own, |account| account.uid);
        // Where the database does not answer, the number is still true.
        let name = Account::name_of(uid).ok().flatten();
        let credentials = account
            .as_ref()
            .map(|account| Rc::new(account.credentials()));
        let stranger = account.as_ref().filter(|account| account.uid != 0);
        Self {
            name: name.unwrap_or_else(|| uid.to_string()),
            is_hidden: stranger.is_some_and(|account| is_hidden(root, account)),
            credentials,
            account,
            is_asked_for: false,
        }
    }

    /// Its number, unless it is the runner's own account.
    pub(super) fn uid(&self) -> Option<u32> {
        self.account.as_ref().map(|account| account.uid)
    }
}

/// Everybody whom a script may run as.
pub(super) struct Accounts {
    usual: Rc<RunAs>,
    /// By the name in a definition; none where the machine had no such account.
    others: BTreeMap<String, Option<Rc<RunAs>>>,
}

impl Accounts {
    /// Those of the command line, whoever wrote it: no plan may name root or the server's account.
    pub(super) fn open(args: &RunnerArgs) -> io::Result<Self> {
        let usual = Rc::new(RunAs::of(usual(args)?, &args.root));
        let mut others = BTreeMap::new();
        for permitted in &args.others {
            if let Some(account) = &permitted.account {
                check(&permitted.name, account, args.server_uid)?;
            }
            let other = permitted.account.clone().map(|account| {
                Rc::new(RunAs {
                    name: permitted.name.clone(),
                    is_asked_for: true,
                    ..RunAs::of(Some(account), &args.root)
                })
            });
            others.insert(permitted.name.clone(), other);
        }
        Ok(Self { usual, others })
    }

    /// Whom this plan's script runs as.
    pub(super) fn of(&self, asked: Option<&str>) -> Result<Rc<RunAs>, Refusal> {
        let Some(name) = asked else {
            return Ok(Rc::clone(&self.usual));
        };
        match self.others.get(name) {
            Some(Some(other)) => Ok(Rc::clone(other)),
            Some(None) => Err(Refusal::Account(format!(
                "there was no account `{name}` on this machine when Stagedoor was started: make it (useradd --system {name}), then start `stagedoor serve` again"
            ))),
            None if !rustix::process::geteuid().is_root() => Err(Refusal::Account(format!(
                "its definition says `run_as = \"{name}\"`, and only a server that was started as root can start scripts as another account: start `stagedoor serve` as root, or take `run_as` out"
            ))),
            None => Err(Refusal::Account(format!(
                "stagedoor.toml did not permit scripts to run as `{name}` when the server was started: permit it with `run_as` of a `[[permit]]`, then start `stagedoor serve` again"
            ))),
        }
    }

    /// Those who are neither root nor the runner: none of them may change a script, because it would
    /// then run as another one of them.
    pub(super) fn strangers(&self) -> impl Iterator<Item = (&str, &Account)> {
        let others = self.others.values().flatten();
        std::iter::once(&self.usual)
            .chain(others)
            .filter_map(|who| {
                let account = who.account.as_ref().filter(|account| account.uid != 0)?;
                Some((who.name.as_str(), account))
            })
    }

    /// Whether no script runs as the runner's own account.
    pub(super) fn all_are_strangers(&self) -> bool {
        self.usual.uid().is_some_and(|uid| uid != 0)
    }

    /// Whether some script becomes another account than the runner's.
    pub(super) fn change(&self) -> bool {
        self.all().next().is_some()
    }

    /// Every account that a script becomes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Account> {
        let others = self.others.values().flatten();
        let all = std::iter::once(&self.usual).chain(others);
        all.filter_map(|who| who.account.as_ref())
    }
}

/// Who scripts run as that name nobody; none means the runner's own account.
fn usual(args: &RunnerArgs) -> io::Result<Option<Account>> {
    let own = rustix::process::geteuid();
    match &args.account {
        Some(account) if account.uid == own.as_raw() && !own.is_root() => Ok(None),
        Some(_) if !own.is_root() => Err(io::Error::other(
            "only root can run scripts as another account",
        )),
        Some(account) if account.uid != 0 || args.allow_root_scripts => Ok(Some(account.clone())),
        None if !own.is_root() || args.allow_root_scripts => Ok(None),
        _ => Err(io::Error::other(
            "scripts would run as root: name an account for them, or set allow_root_scripts",
        )),
    }
}

fn check(name: &str, account: &Account, server: Option<u32>) -> io::Result<()> {
    let why = if !rustix::process::geteuid().is_root() {
        "only root can run scripts as another account"
    } else if account.uid == 0 {
        "it is root"
    } else if Some(account.uid) == server {
        "it is the server's account"
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!(
        "no script may run as `{name}`: {why}"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::settings::Permitted;
    use super::*;

    fn args(account: Option<u32>, allow_root_scripts: bool) -> RunnerArgs {
        RunnerArgs {
            socket: "/s".into(),
            root: "/r".into(),
            root_on_stdin: false,
            scratch: "/x".into(),
            account: account.map(Account::alone),
            others: Vec::new(),
            allow_root_scripts,
            some_go_without: false,
            hidden: Vec::new(),
            server_uid: Some(7373),
        }
    }

    fn with(name: &str, uid: Option<u32>) -> RunnerArgs {
        RunnerArgs {
            others: vec![Permitted {
                name: name.into(),
                account: uid.map(Account::alone),
            }],
            ..args(rustix::process::geteuid().is_root().then_some(7374), false)
        }
    }

    #[test]
    fn scripts_never_run_as_root_unless_that_is_allowed() {
        let account = |args| usual(&args).map(|account| account.map(|a| a.uid)).ok();
        if rustix::process::geteuid().is_root() {
            assert_eq!(account(args(Some(7374), false)), Some(Some(7374)));
            assert_eq!(account(args(None, false)), None);
            assert_eq!(account(args(Some(0), false)), None);
            assert_eq!(account(args(Some(0), true)), Some(Some(0)));
            assert_eq!(account(args(None, true)), Some(None));
        } else {
            assert_eq!(account(args(None, false)), Some(None));
            assert_eq!(account(args(Some(0), true)), None);
        }
    }

    #[test]
    fn a_plan_names_a_permitted_account_and_no_other() {
        if !rustix::process::geteuid().is_root() {
            let Err(error) = Accounts::open(&with("backup", Some(34))) else {
                panic!("only root can");
            };
            assert!(error.to_string().contains("only root"), "{error}");
            return;
        }
        let accounts = Accounts::open(&with("backup", Some(34))).expect("accounts");
        let uid = |asked| accounts.of(asked).map(|who| who.uid()).ok().flatten();
        assert_eq!((uid(None), uid(Some("backup"))), (Some(7374), Some(34)));
        for other in ["root", "7374", "34", "Backup", ""] {
            let refused = accounts.of(Some(other)).err();
            assert!(
                matches!(&refused, Some(Refusal::Account(why)) if why.contains("permit")),
                "{other}: {refused:?}"
            );
        }
        let strangers: Vec<u32> = accounts
            .strangers()
            .map(|(_, account)| account.uid)
            .collect();
        assert_eq!(strangers, [7374, 34]);
    }

    #[test]
    fn root_and_the_servers_account_can_be_permitted_by_nobody() {
        for uid in [0, 7373] {
            assert!(Accounts::open(&with("other", Some(uid))).is_err(), "{uid}");
        }
    }

    #[test]
    fn an_account_that_was_not_there_is_refused_by_its_name() {
        let accounts = Accounts::open(&with("gone", None)).expect("accounts");
        let refused = accounts.of(Some("gone")).err();
        assert!(
            matches!(&refused, Some(Refusal::Account(why)) if why.contains("no account `gone`")),
            "{refused:?}"
        );
    }
}
