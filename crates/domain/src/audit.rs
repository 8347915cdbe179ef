//! Entries of the audit log: who did what to what, from where, and how it ended.
//!
//! An entry says what a person will want to know later. It never holds a secret: no password, no
//! token, no argument of a run.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::access::User;
use crate::id::UserId;
use crate::name::UserName;
use crate::time::Timestamp;

/// Longest target, in bytes of UTF-8: it can be what a stranger has typed.
pub const LONGEST_TARGET: usize = 256;
/// Longest text of a detail, in bytes of UTF-8.
pub const LONGEST_DETAIL: usize = 1024;

macro_rules! words {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// Every one with its word.
            pub const ALL: &[(&'static str, Self)] = &[$(($word, Self::$variant),)*];

            /// As it is stored and filtered by.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// From its word; anything else is `None`.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, it)| *it)
            }
        }
    };
}

words! {
/// What was done. One that was tried in vain has the same word and another [`Outcome`].
Act {
    /// The server began to serve.
    ServerStarted = "server_started",
    /// The server ended in order.
    ServerStopped = "server_stopped",
    /// Settings were read again.
    SettingsReloaded = "settings_reloaded",
    /// The first account was made by the one-time link.
    SetUp = "set_up",
    /// With name and password.
    SignIn = "sign_in",
    /// Somebody ended their session.
    SignOut = "sign_out",
    /// Sessions were ended by somebody, or because they were used from elsewhere.
    SessionsEnded = "sessions_ended",
    /// The password was asked for again, before an administrative act.
    IdentityConfirmed = "identity_confirmed",
    /// An account was made.
    UserAdded = "user_added",
    /// An account was locked.
    UserDisabled = "user_disabled",
    /// An account was unlocked.
    UserEnabled = "user_enabled",
    /// An account was removed.
    UserRemoved = "user_removed",
    /// The groups of an account were set.
    GroupsSet = "groups_set",
    /// A password was set.
    PasswordChanged = "password_changed",
    /// A one-time link to choose a password was made.
    PasswordLinkMade = "password_link_made",
    /// A group was made.
    GroupAdded = "group_added",
    /// A group was given another name.
    GroupRenamed = "group_renamed",
    /// A group was removed.
    GroupRemoved = "group_removed",
    /// A grant was made.
    GrantAdded = "grant_added",
    /// A grant was removed.
    GrantRemoved = "grant_removed",
    /// A token was made.
    TokenCreated = "token_created",
    /// A token was ended.
    TokenRevoked = "token_revoked",
    /// A token was seen to cross a network in the clear.
    TokenExposed = "token_exposed",
    /// A token was used that is not good, or not good for this.
    TokenUsed = "token_used",
    /// Something was asked for that is not permitted.
    AccessDenied = "access_denied",
    /// A stored secret was set, for the first time or anew.
    SecretSet = "secret_set",
    /// A stored secret was removed.
    SecretRemoved = "secret_removed",
    /// Keys of the installation were replaced.
    KeysRotated = "keys_rotated",
    /// An address or account was put on the blocked list.
    BlockAdded = "block_added",
    /// An entry of the blocked list was lifted.
    BlockLifted = "block_lifted",
    /// A run was asked for.
    RunStarted = "run_started",
    /// A run was told to stop by somebody.
    RunStopped = "run_stopped",
    /// Old records of this log were removed, up to the one that this record names.
    LogTrimmed = "log_trimmed",
}
}

words! {
/// How an act ended.
Outcome {
    /// It was done.
    Done = "done",
    /// It was not permitted, or what was shown for it was wrong.
    Refused = "refused",
    /// It was permitted, and did not work.
    Failed = "failed",
}
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who is not signed in.
    Stranger,
    /// A signed-in person.
    User {
        /// The id in the store.
        id: UserId,
        /// The name at that time.
        name: UserName,
    },
    /// A program with a token.
    Token {
        /// The token's number, as `stagedoor token list` shows it.
        token: i64,
        /// Its owner's id.
        id: UserId,
        /// Its owner's name at that time.
        name: UserName,
    },
    /// Somebody at a terminal of this machine.
    CommandLine {
        /// The real user id, before a change of account.
        uid: u32,
    },
    /// The server by itself.
    Server,
}

impl Actor {
    /// The kind, as it is stored and exported.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::User { .. } => "user",
            Self::Token { .. } => "token",
            Self::CommandLine { .. } => "command_line",
            Self::Server => "server",
        }
    }

    /// Whose rights were used, where somebody has an account.
    pub fn user(&self) -> Option<(UserId, &UserName)> {
        match self {
            Self::User { id, name } | Self::Token { id, name, .. } => Some((*id, name)),
            Self::Stranger | Self::CommandLine { .. } | Self::Server => None,
        }
    }

    /// The token's number or the user id of the machine: what tells actors of one kind apart,
    /// beside the account.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Token { token, .. } => Some(*token),
            Self::CommandLine { uid } => Some(i64::from(*uid)),
            Self::Stranger | Self::User { .. } | Self::Server => None,
        }
    }
}

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// The client's address; none for what does not come over the network.
    pub address: Option<IpAddr>,
}

impl Origin {
    /// A signed-in person at this address.
    pub fn user(user: &User, address: IpAddr) -> Self {
        let (id, name) = (user.id, user.name.clone());
        Self {
            actor: Actor::User { id, name },
            address: Some(address.to_canonical()),
        }
    }

    /// A program at this address with this token of this user.
    pub fn token(token: i64, owner: &User, address: IpAddr) -> Self {
        let (id, name) = (owner.id, owner.name.clone());
        Self {
            actor: Actor::Token { token, id, name },
            address: Some(address.to_canonical()),
        }
    }

    /// Somebody at this address who is not signed in.
    pub fn stranger(address: IpAddr) -> Self {
        Self {
            actor: Actor::Stranger,
            address: Some(address.to_canonical()),
        }
    }

    /// Somebody at a terminal of this machine, who came as this user id.
    pub fn command_line(uid: u32) -> Self {
        Self {
            actor: Actor::CommandLine { uid },
            address: None,
        }
    }

    /// The server by itself.
    pub fn server() -> Self {
        Self {
            actor: Actor::Server,
            address: None,
        }
    }
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who, and from where.
    pub by: Origin,
    /// What.
    pub act: Act,
    /// To what: a user's name, a script, `token 3`; empty where the act says it all.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// More of it, by name; flat.
    pub detail: Map<String, Value>,
}

impl Entry {
    /// An act that is done, on nothing in particular.
    pub fn new(act: Act, by: Origin, at: Timestamp) -> Self {
        Self {
            at,
            by,
            act,
            target: String::new(),
            outcome: Outcome::Done,
            detail: Map::new(),
        }
    }

    /// On this; cut at [`LONGEST_TARGET`].
    #[must_use]
    pub fn on(mut self, target: impl Into<String>) -> Self {
        self.target = cut(target.into(), LONGEST_TARGET);
        self
    }

    /// With this detail; a text is cut at [`LONGEST_DETAIL`], and an empty one is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) if text.is_empty() => return self,
            Value::String(text) => Value::String(cut(text, LONGEST_DETAIL)),
            other => other,
        };
        self.detail.insert(name.to_owned(), value);
        self
    }

    /// It was not permitted.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.outcome = Outcome::Refused;
        self
    }

    /// It did not work.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.outcome = Outcome::Failed;
        self
    }
}

/// At most so many bytes, with a sign where something was left out.
fn cut(mut text: String, longest: usize) -> String {
    const SIGN: char = '…';
    if text.len() <= longest {
        return text;
    }
    text.truncate(text.floor_char_boundary(longest.saturating_sub(SIGN.len_utf8())));
    text.push(SIGN);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_leads_back_to_its_act_and_another_one_nowhere() {
        for (word, act) in Act::ALL {
            assert_eq!((act.word(), Act::parse(word)), (*word, Some(*act)));
        }
        assert_eq!(Act::parse("sign-in"), None);
        assert_eq!(Outcome::parse("done"), Some(Outcome::Done));
    }

    #[test]
    fn what_a_stranger_typed_is_cut_at_a_character() {
        let entry = Entry::new(Act::SignIn, Origin::server(), Timestamp::default());
        let long = entry.clone().on("ä".repeat(5000));
        assert!(long.target.len() <= LONGEST_TARGET && long.target.ends_with('…'));
        assert_eq!(entry.clone().on("ann").target, "ann");
        let detail = entry.with("why", "x".repeat(5000)).detail;
        assert_eq!(detail["why"].as_str().map(str::len), Some(LONGEST_DETAIL));
    }

    #[test]
    fn a_detail_that_says_nothing_is_left_out() {
        let entry = Entry::new(Act::UserAdded, Origin::server(), Timestamp::default());
        let detail = entry.with("groups", "").with("by", "link").detail;
        assert_eq!(detail.keys().collect::<Vec<_>>(), ["by"]);
    }
}
