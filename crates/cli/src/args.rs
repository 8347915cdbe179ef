//! The command line. Help texts are written for somebody who sees Stagedoor for the first time.

mod people;
mod records;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub use people::{
    GrantCommand, GroupCommand, MayOptions, NewTokenOptions, TokenCommand, UserCommand,
};
pub use records::{AuditLogCommand, BlockedCommand, ExportFormat, KeysCommand, SecretCommand};

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
    #[command(after_help = CHECK_HELP)]
    Check(CheckOptions),
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
    /// Manage the secrets that scripts get by `credentials`; a value is set, and never shown again
    Secret {
        #[command(flatten)]
        state: StateOption,
        #[command(flatten)]
        folder: FolderOption,
        #[command(subcommand)]
        command: SecretCommand,
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
    /// Manage the keys that sign cookies, and the key that seals stored secrets
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

const CHECK_HELP: &str = "\
Examples:
  stagedoor check /srv/scripts
  sudo stagedoor check --explain ops/backup /srv/scripts   for a server that root starts

Exit codes: 0 no errors, or the script would run · 1 errors, or the script would be refused";

#[derive(Debug, Clone, Args)]
pub struct CheckOptions {
    /// The folder of scripts
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Say what would hold this script on this machine if the account that asks started `serve`, and what not and why
    #[arg(long, value_name = "SCRIPT")]
    pub explain: Option<String>,
    /// Settings file [default: stagedoor.toml in the folder, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub state: StateOption,
}

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

/// What the help of the command that these words name ends with: examples, mostly.
pub fn example(words: impl Iterator<Item = String>) -> Option<String> {
    let whole = Arguments::command();
    let mut named = &whole;
    for word in words {
        named = named.find_subcommand(word).unwrap_or(named);
    }
    named.get_after_help().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
