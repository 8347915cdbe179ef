//! What the state directory keeps of what happened, its keys, and stored secrets.

use std::path::PathBuf;

use clap::Subcommand;

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
        after_help = "Examples:\n  stagedoor audit-log export > audit.jsonl\n  stagedoor audit-log export --format zeek --output stagedoor_audit.log"
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
pub enum BlockedCommand {
    /// List what is blocked, from where and until when
    List,
    /// End a block at once, or all of them
    #[command(
        after_help = "Examples:\n  stagedoor blocked list\n  stagedoor blocked lift 4f1c09ab27d0   the one with this id\n  stagedoor blocked lift --all"
    )]
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
    /// Sign cookies with a new key from now on, or seal the stored secrets with one; a running server takes it
    #[command(
        after_help = "Examples:\n  stagedoor keys rotate             cookies; nobody is signed out\n  stagedoor keys rotate --secrets   every stored secret is sealed again, and the old key forgotten"
    )]
    Rotate {
        /// Forget the earlier keys too, as after one was seen by others: everybody signs in again
        #[arg(long)]
        end_sessions: bool,
        /// The key of the stored secrets instead of the one that signs cookies
        #[arg(long, conflicts_with = "end_sessions")]
        secrets: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Set a secret, for the first time or anew; the value is read from standard input
    #[command(
        after_help = "Examples:\n  stagedoor secret set ops/db < password.txt\n  stagedoor secret set ops/db   asks on the terminal, and shows nothing\n\nOne line end behind the value is no part of it. At most 64 KiB."
    )]
    Set {
        /// What definitions call it: letters, digits, dot, dash, underscore; `/` between folders
        name: String,
    },
    /// List the secrets: when and by whom each was set, and which scripts list it
    List,
    /// Remove a secret; scripts that list it are refused
    #[command(after_help = "Example:\n  stagedoor secret rm ops/db")]
    Rm {
        /// Which
        name: String,
    },
}
