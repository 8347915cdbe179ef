//! The command line. Help texts are written for somebody who sees Stagedoor for the first time.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// What `--version` prints: version, commit and the database that is compiled in.
fn version() -> &'static str {
    use std::sync::OnceLock;
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        format!(
            "{} ({}), SQLite {}",
            env!("CARGO_PKG_VERSION"),
            env!("BUILT_COMMIT"),
            stagedoor_store::database_version()
        )
    })
}

/// The secure door to your scripts: a folder of scripts becomes web forms, a JSON API and a command line.
#[derive(Debug, Parser)]
#[command(name = "stagedoor", version = version(), after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Start here:
  stagedoor serve examples      serve the folder `examples` on http://127.0.0.1:7373
  stagedoor check examples      find mistakes in the definitions without serving

Exit codes: 0 done · 1 it did not work, the message says why · 2 the command line is wrong ·
70 the process that starts scripts ended";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a folder of scripts
    #[command(after_help = SERVE_HELP)]
    Serve(ServeOptions),
    /// Check the definitions of a folder: every error with file, line and the mend
    Check {
        /// The folder of scripts
        #[arg(default_value = ".")]
        dir: PathBuf,
        #[command(flatten)]
        state: StateOption,
    },
    /// Print every address that the server answers, with who may use it
    Routes {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Manage who may sign in
    User {
        #[command(flatten)]
        state: StateOption,
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Manage groups: who is in them, and what they are called
    Group {
        #[command(flatten)]
        state: StateOption,
        #[command(flatten)]
        folder: FolderOption,
        #[command(subcommand)]
        command: GroupCommand,
    },
    /// Manage what groups may do, beside the grants of stagedoor.toml
    Grant {
        #[command(flatten)]
        state: StateOption,
        #[command(flatten)]
        folder: FolderOption,
        #[command(subcommand)]
        command: GrantCommand,
    },
    /// Say whether somebody may do something, and which rule decides
    #[command(
        after_help = "Example:\n  stagedoor may ann run ops/backup\n\nExit codes: 0 yes · 1 no, or it could not be told; the text says which"
    )]
    May {
        #[command(flatten)]
        state: StateOption,
        #[command(flatten)]
        folder: FolderOption,
        #[command(flatten)]
        question: MayOptions,
    },
    /// Manage the tokens with which programs call the API
    Token {
        #[command(flatten)]
        state: StateOption,
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// See who is blocked because signing in failed too often, and let them try again
    Blocked {
        #[command(flatten)]
        state: StateOption,
        #[command(subcommand)]
        command: BlockedCommand,
    },
    /// Read the audit log, check that nobody touched it, and hand it on
    AuditLog {
        #[command(flatten)]
        state: StateOption,
        #[command(subcommand)]
        command: AuditLogCommand,
    },
    /// Manage the keys that sign the cookies of sessions
    Keys {
        #[command(flatten)]
        state: StateOption,
        #[command(subcommand)]
        command: KeysCommand,
    },
}

const SERVE_HELP: &str = "\
The first start prints a link that makes the first account; it works once, for 24 hours.
Ctrl-C ends the server and lets running scripts go on: the next `serve` takes them over.
A second Ctrl-C stops them too.";

#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// The folder of scripts
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Address and port to listen on, may be repeated; by default port 7373 of this machine only
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<String>,
    /// Settings file [default: stagedoor.toml in the folder, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub state: StateOption,
    /// Also publish executables without a definition, to admins only
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Args)]
pub struct StateOption {
    /// Folder for the database, output and keys [default: /var/lib/stagedoor as root, else ~/.local/state/stagedoor]
    #[arg(id = "state", long = "state", value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct FolderOption {
    /// The folder of scripts
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    pub folder: PathBuf,
    /// Settings file [default: stagedoor.toml in the folder, if it is there]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account; the password is read from standard input
    #[command(
        after_help = "Example:\n  printf %s 'four words are better' | stagedoor user add ann --group ops --password-stdin"
    )]
    Add {
        /// Small letters, digits, dot, dash, underscore
        name: String,
        /// A group, may be repeated; `admins` may do everything
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Read the password from standard input (required, so that it never stands in a command)
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// List the accounts
    List,
    /// Lock an account: it cannot sign in, and its sessions and tokens end at once
    Disable {
        /// Whose
        name: String,
    },
    /// Set the groups of an account; those not named are left
    Groups {
        /// Whose
        name: String,
        /// A group, may be repeated; `admins` may do everything
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Delete an account; its sessions and tokens end, its runs stay in the history
    Delete {
        /// Whose
        name: String,
        /// Really
        #[arg(long)]
        yes: bool,
    },
    /// Unlock an account
    Enable {
        /// Whose
        name: String,
    },
    /// Sign an account out everywhere; `keys rotate --end-sessions` does so for all
    SignOut {
        /// Whom
        name: String,
    },
    /// Set a new password, read from standard input; ends the account's sessions
    Passwd {
        /// Whose
        name: String,
        /// Read the password from standard input (required, so that it never stands in a command)
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum AuditLogCommand {
    /// Check that no record was changed, removed or moved; says which was the first
    #[command(
        after_help = "Example:\n  stagedoor audit-log verify\n  stagedoor audit-log verify --end 120:9f3c…   nothing up to record 120 was written anew\n\nExit codes: 0 everything is as it was written · 1 it is not, or it could not be read, or the record of --end was removed by age"
    )]
    Verify {
        /// The end that an earlier `verify` printed, kept elsewhere: its record must still be there
        #[arg(long, value_name = "NUMBER:HASH")]
        end: Option<String>,
    },
    /// Show records, newest first
    #[command(
        after_help = "Example:\n  stagedoor audit-log list --since 7d --act sign_in --outcome refused"
    )]
    List {
        /// Not older than this: 12h, 30d
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// By this user, or by a token of theirs
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Only this act, such as `sign_in`
        #[arg(long, value_name = "ACT")]
        act: Option<String>,
        /// Only those that ended so: done, refused or failed
        #[arg(long, value_name = "OUTCOME")]
        outcome: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Write the whole log for another program, oldest record first
    #[command(
        after_help = "Example:\n  stagedoor audit-log export --format zeek --output stagedoor_audit.log"
    )]
    Export {
        /// `json`: one object on each line; `zeek`: tab-separated, with Zeek's header
        #[arg(long, default_value = "json")]
        format: ExportFormat,
        /// Into this new file, for its owner alone [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What a log is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    Json,
    Zeek,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it once
    #[command(
        after_help = "Example:\n  stagedoor token create --user ci --may run --scripts 'ops/*' --from 10.0.0.0/8 --expires 30d\n  curl -H 'Authorization: Bearer sd_…' http://127.0.0.1:7373/api/v1/scripts"
    )]
    Create(NewTokenOptions),
    /// List the tokens, without their texts
    List {
        /// Of this account only
        #[arg(long)]
        user: Option<String>,
    },
    /// End a token at once
    Revoke {
        /// The number that `token list` shows
        id: i64,
    },
}

#[derive(Debug, Subcommand)]
pub enum BlockedCommand {
    /// List what is blocked, from where and until when
    List,
    /// End a block at once, or all of them
    Lift {
        /// What `blocked list` shows in its first column
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All of them
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the keys with their ages, without the keys themselves
    List,
    /// Sign with a new key from now on; a running server takes it within seconds
    Rotate {
        /// Forget the earlier keys too, as after one was seen by others: everybody signs in again
        #[arg(long)]
        end_sessions: bool,
    },
}

#[derive(Debug, Args)]
pub struct NewTokenOptions {
    /// The account that the token acts as; it may never more than this account may
    #[arg(long)]
    pub user: String,
    /// What it is for, shown in the list
    #[arg(long, default_value = "")]
    pub name: String,
    /// What it may at most: view, run, stop, output, schedule, admin [default: all but admin]
    #[arg(long, value_name = "ACTIONS", value_delimiter = ',')]
    pub may: Vec<String>,
    /// With which scripts: a name, `folder/*` or `*` [default: *]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub scripts: Vec<String>,
    /// From which networks or addresses it may be sent, such as 10.0.0.0/8 [default: all]
    #[arg(long, value_name = "NETWORKS", value_delimiter = ',')]
    pub from: Vec<String>,
    /// How long it works: 12h, 30d; `never` is possible
    #[arg(long, default_value = "30d")]
    pub expires: String,
}

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List the groups: members, grants, and where files name them
    List,
    /// Give a group another name, with its members and the grants of the store
    Rename {
        /// The present name
        old: String,
        /// The new one; it may not be in use
        new: String,
    },
    /// Put an account into a group
    Add {
        /// Which
        group: String,
        /// Whom
        user: String,
    },
    /// Take an account out of a group
    Remove {
        /// Which
        group: String,
        /// Whom
        user: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// Let a group do something; a running server knows it at the next request
    #[command(
        after_help = "Examples:\n  stagedoor grant add --group ops --scripts 'backup/*' --may view,run\n  stagedoor grant add --group wardens --may admin"
    )]
    Add {
        /// To whom; `everyone` is every signed-in user
        #[arg(long)]
        group: String,
        /// With which scripts: a name, `folder/*` or `*`
        #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
        scripts: Vec<String>,
        /// view, run, stop, output, schedule; or `admin` alone, without --scripts
        #[arg(long, value_name = "ACTIONS", value_delimiter = ',', required = true)]
        may: Vec<String>,
    },
    /// List the grants, those of stagedoor.toml too
    List,
    /// Take a grant of the store away; one of stagedoor.toml is removed there
    Remove {
        /// The number that `grant list` shows
        id: i64,
    },
}

#[derive(Debug, Args)]
pub struct MayOptions {
    /// Who
    pub user: String,
    /// view, run, stop, output, schedule or admin
    pub action: String,
    /// With which script; not for `admin`
    pub script: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
