//! Who may sign in, and what they may do: accounts, groups, grants and tokens.

use clap::{Args, Subcommand};

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
    #[command(
        after_help = "Example:\n  printf %s 'four words are better' | stagedoor user passwd ann --password-stdin"
    )]
    Passwd {
        /// Whose
        name: String,
        /// Read the password from standard input (required, so that it never stands in a command)
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List the groups: members, grants, and where files name them
    List,
    /// Give a group another name, with its members and the grants of the store
    #[command(after_help = "Example:\n  stagedoor group rename ops operators")]
    Rename {
        /// The present name
        old: String,
        /// The new one; it may not be in use
        new: String,
    },
    /// Put an account into a group
    #[command(after_help = "Example:\n  stagedoor group add ops ann")]
    Add {
        /// Which
        group: String,
        /// Whom
        user: String,
    },
    /// Take an account out of a group
    #[command(after_help = "Example:\n  stagedoor group remove ops ann")]
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
    #[command(after_help = "Example:\n  stagedoor grant remove 3")]
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
    #[command(after_help = "Example:\n  stagedoor token revoke 3")]
    Revoke {
        /// The number that `token list` shows
        id: i64,
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
