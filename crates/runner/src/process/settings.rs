//! What a runner is started with, as a command line: written by the server, read by the runner.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::account::Account;

/// The arguments of the hidden subcommand. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerArgs {
    /// Where the runner listens.
    pub socket: PathBuf,
    /// The root of the catalog.
    pub root: PathBuf,
    /// The root is already open as standard input, because its path may not be reachable.
    pub root_on_stdin: bool,
    /// Below this folder every attempt has its home and its temporary files. When started as
    /// root, the scripts' account must be able to enter every folder above it.
    pub scratch: PathBuf,
    /// Who scripts run as; needs root. None means the runner's own account.
    pub account: Option<Account>,
    /// Which other accounts a plan may name; needs root.
    pub others: Vec<Permitted>,
    /// Scripts may run as root.
    pub allow_root_scripts: bool,
    /// The operator permits that scripts go without a sandbox, so that none of it may be inherited.
    pub some_go_without: bool,
    /// Files that scripts are not to see, beside the folder of the socket. Those below the root of the
    /// catalog can be hidden only where scripts have an account of their own.
    pub hidden: Vec<PathBuf>,
    /// The account that the server runs as, beside root and the runner's own.
    pub server_uid: Option<u32>,
}

/// An account that the operator lets definitions name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// As a definition names it.
    pub name: String,
    /// None where the machine had no such account.
    pub account: Option<Account>,
}

/// Why a command line is not a runner's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadArgs {
    /// An option that no runner has.
    #[error("`{0}` is no option of the runner")]
    Unknown(String),
    /// An option without its value, or with one that is not understood.
    #[error("`{0}` needs a value of its kind")]
    Value(&'static str),
    /// An option that must be given.
    #[error("`{0}` is missing; the runner is started by `stagedoor serve`")]
    Missing(&'static str),
}

impl RunnerArgs {
    /// The command line without the program and its subcommand.
    pub fn to_argv(&self) -> Vec<OsString> {
        let mut argv: Vec<OsString> = Vec::new();
        let mut pair = |name: &str, value: OsString| argv.extend([name.into(), value]);
        pair("--socket", self.socket.clone().into());
        pair("--root", self.root.clone().into());
        pair("--scratch", self.scratch.clone().into());
        for path in &self.hidden {
            pair("--hide", path.clone().into());
        }
        if let Some(account) = &self.account {
            pair("--account", write_account(account).into());
        }
        for other in &self.others {
            pair("--may-run-as", write_permitted(other).into());
        }
        if let Some(uid) = self.server_uid {
            pair("--server-uid", uid.to_string().into());
        }
        if self.root_on_stdin {
            argv.push("--root-on-stdin".into());
        }
        if self.allow_root_scripts {
            argv.push("--allow-root-scripts".into());
        }
        if self.some_go_without {
            argv.push("--some-go-without".into());
        }
        argv
    }

    /// Reads what [`RunnerArgs::to_argv`] wrote, or what a unit file says.
    pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Self, BadArgs> {
        let mut argv = argv.into_iter();
        let (mut socket, mut root, mut scratch) = (None, None, None);
        let (mut account, mut server_uid) = (None, None);
        let mut others = Vec::new();
        let (mut root_on_stdin, mut allow_root_scripts) = (false, false);
        let (mut some_go_without, mut hidden) = (false, Vec::new());
        while let Some(name) = argv.next() {
            match name.to_str().unwrap_or_default() {
                "--socket" => socket = Some(path("--socket", argv.next())?),
                "--root" => root = Some(path("--root", argv.next())?),
                "--scratch" => scratch = Some(path("--scratch", argv.next())?),
                "--hide" => hidden.push(path("--hide", argv.next())?),
                "--account" => account = Some(read_account(argv.next())?),
                "--may-run-as" => others.push(read_permitted(argv.next())?),
                "--server-uid" => {
                    server_uid = Some(number(argv.next()).ok_or(BadArgs::Value("--server-uid"))?);
                }
                "--root-on-stdin" => root_on_stdin = true,
                "--allow-root-scripts" => allow_root_scripts = true,
                "--some-go-without" => some_go_without = true,
                _ => return Err(BadArgs::Unknown(name.to_string_lossy().into_owned())),
            }
        }
        Ok(Self {
            socket: socket.ok_or(BadArgs::Missing("--socket"))?,
            root: root.ok_or(BadArgs::Missing("--root"))?,
            root_on_stdin,
            scratch: scratch.ok_or(BadArgs::Missing("--scratch"))?,
            account,
            others,
            allow_root_scripts,
            some_go_without,
            hidden,
            server_uid,
        })
    }

    /// What two runners must have in common to be exchangeable, as text.
    pub(crate) fn identity(&self, root: (u64, u64)) -> Vec<String> {
        // What does not change what may be asked of it: what held a script is recorded as it was.
        let same = Self {
            root_on_stdin: false,
            some_go_without: false,
            hidden: Vec::new(),
            ..self.clone()
        };
        let argv = same.to_argv();
        let mut words: Vec<String> = argv
            .iter()
            .map(|w| w.to_string_lossy().into_owned())
            .collect();
        words.push(format!("{}:{}", root.0, root.1));
        words
    }
}

fn path(name: &'static str, value: Option<OsString>) -> Result<PathBuf, BadArgs> {
    value
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && !path.as_os_str().as_bytes().contains(&0))
        .ok_or(BadArgs::Value(name))
}

fn number(value: Option<OsString>) -> Option<u32> {
    String::from_utf8(value?.into_vec()).ok()?.parse().ok()
}

/// `uid:gid:group,group`.
fn write_account(account: &Account) -> String {
    let groups: Vec<String> = account.groups.iter().map(u32::to_string).collect();
    format!("{}:{}:{}", account.uid, account.gid, groups.join(","))
}

fn read_account(value: Option<OsString>) -> Result<Account, BadArgs> {
    value
        .and_then(|value| value.to_str().and_then(account_of))
        .ok_or(BadArgs::Value("--account"))
}

fn account_of(text: &str) -> Option<Account> {
    let mut parts = text.splitn(3, ':');
    let uid = parts.next()?.parse().ok()?;
    let gid = parts.next()?.parse().ok()?;
    let groups = parts.next()?.split(',').filter(|group| !group.is_empty());
    let groups = groups
        .map(|group| group.parse().ok())
        .collect::<Option<Vec<u32>>>()?;
    Some(Account { uid, gid, groups })
}

/// `name=uid:gid:group,group`, or the name of an account that is not there.
fn write_permitted(permitted: &Permitted) -> String {
    let name = &permitted.name;
    match &permitted.account {
        Some(account) => format!("{name}={}", write_account(account)),
        None => name.clone(),
    }
}

fn read_permitted(value: Option<OsString>) -> Result<Permitted, BadArgs> {
    let read = |text: &str| -> Option<Permitted> {
        let (name, account) = match text.split_once('=') {
            Some((name, account)) => (name, Some(account_of(account)?)),
            None => (text, None),
        };
        (!name.is_empty()).then(|| Permitted {
            name: name.to_owned(),
            account,
        })
    };
    value
        .and_then(|value| value.to_str().and_then(read))
        .ok_or(BadArgs::Value("--may-run-as"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> RunnerArgs {
        RunnerArgs {
            socket: "/state/runner.sock".into(),
            root: "/scripts".into(),
            root_on_stdin: true,
            scratch: "/run/scratch".into(),
            account: Some(Account {
                uid: 7374,
                gid: 7374,
                groups: vec![7374, 4],
            }),
            others: Vec::new(),
            allow_root_scripts: false,
            some_go_without: false,
            hidden: vec!["/scripts/stagedoor.toml".into(), "/etc/key.pem".into()],
            server_uid: Some(7373),
        }
    }

    #[test]
    fn a_command_line_reads_as_it_was_written() {
        let bare = RunnerArgs {
            account: None,
            server_uid: None,
            root_on_stdin: false,
            allow_root_scripts: true,
            some_go_without: true,
            ..args()
        };
        let alone = Account {
            uid: 1,
            gid: 2,
            groups: Vec::new(),
        };
        let permitted = |name: &str, account: Option<&Account>| Permitted {
            name: name.to_owned(),
            account: account.cloned(),
        };
        for args in [
            args(),
            bare,
            RunnerArgs {
                others: vec![permitted("backup", Some(&alone)), permitted("gone", None)],
                ..args()
            },
            RunnerArgs {
                account: Some(alone),
                ..args()
            },
        ] {
            assert_eq!(RunnerArgs::parse(args.to_argv()), Ok(args));
        }
    }

    #[test]
    fn a_wrong_command_line_says_which_word_is_wrong() {
        let parse = |words: &[&str]| RunnerArgs::parse(words.iter().map(OsString::from));
        assert_eq!(parse(&[]), Err(BadArgs::Missing("--socket")));
        assert_eq!(
            parse(&["--socket", "relative"]),
            Err(BadArgs::Value("--socket"))
        );
        assert_eq!(
            parse(&["--account", "1:2"]),
            Err(BadArgs::Value("--account"))
        );
        assert_eq!(
            parse(&["--account", "1:2:x"]),
            Err(BadArgs::Value("--account"))
        );
        for wrong in ["", "=1:2:3", "backup=", "backup=1:2"] {
            assert_eq!(
                parse(&["--may-run-as", wrong]),
                Err(BadArgs::Value("--may-run-as")),
                "{wrong}"
            );
        }
        assert_eq!(parse(&["--shell"]), Err(BadArgs::Unknown("--shell".into())));
    }

    #[test]
    fn another_root_or_account_is_another_identity() {
        let one = args().identity((1, 2));
        assert_eq!(
            one,
            RunnerArgs {
                root_on_stdin: false,
                some_go_without: true,
                hidden: Vec::new(),
                ..args()
            }
            .identity((1, 2))
        );
        assert_ne!(one, args().identity((1, 3)));
        assert_ne!(
            one,
            RunnerArgs {
                account: None,
                ..args()
            }
            .identity((1, 2))
        );
        let backup = |uid| RunnerArgs {
            others: vec![Permitted {
                name: "backup".into(),
                account: Some(Account::alone(uid)),
            }],
            ..args()
        };
        assert_ne!(one, backup(34).identity((1, 2)));
        assert_ne!(backup(35).identity((1, 2)), backup(34).identity((1, 2)));
    }
}
