//! A script: an executable that is declared, with everything its definition says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::name::{CredentialName, ScriptName, SecretName};
use crate::param::{Param, Texts};
use crate::sandbox::{ProcessLimits, Sandbox};

/// A declared executable. Made by the catalog only; every value is already resolved.
#[derive(Debug, Clone)]
pub struct Script {
    /// `folder/name`.
    pub name: ScriptName,
    /// Shown; made from the name when the author gave none.
    pub title: String,
    /// Markdown.
    pub description: Option<String>,
    /// A text file below the folder, relative to the root of the catalog.
    pub docs: Option<String>,
    /// A word or an emoji.
    pub icon: Option<String>,
    /// For search.
    pub tags: Vec<String>,
    /// Sorts before the title.
    pub order: i64,
    /// Not listed, still reachable for who may.
    pub hidden: bool,
    /// How its output is shown.
    pub output_format: OutputFormat,
    /// Refused with this reason.
    pub disabled: Option<String>,
    /// What is started.
    pub launch: Launch,
    /// The folder of the definition, relative to the root of the catalog; empty for the root.
    pub folder: String,
    /// Absolute, or none for the script's folder.
    pub working_directory: Option<String>,
    /// Constants for the environment.
    pub env: Vec<(String, String)>,
    /// Names passed on from the server's environment.
    pub inherit_env: Vec<String>,
    /// Stored secrets that it gets as files.
    pub credentials: Vec<Credential>,
    /// None means that it may run for ever.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    pub stop_grace: Duration,
    /// May be started again when nobody knows whether it ran.
    pub idempotent: bool,
    /// Exit codes that mean success.
    pub success_exit: Vec<i32>,
    /// A question before the run.
    pub confirm: Option<String>,
    /// Who may do what.
    pub access: Access,
    /// How many, how much.
    pub limits: Limits,
    /// What the machine bounds for each of its processes.
    pub process_limits: ProcessLimits,
    /// The name of the account that it runs as; none means the usual one.
    pub run_as: Option<String>,
    /// What it may do beside what its account may.
    pub sandbox: Sandbox,
    /// Translations, by language tag.
    pub lang: BTreeMap<String, Texts>,
    /// Free data, shown in the API.
    pub extra: serde_json::Value,
    /// In the order of declaration, which is the order of arguments.
    pub params: Vec<Param>,
    /// Where the definition stands, relative to the root of the catalog.
    pub source: Source,
    /// Which file was checked; none when a `command` outside the catalog is started.
    pub fingerprint: Option<Fingerprint>,
}

/// How output is shown. What a script printed is kept and downloaded as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// As lines of a terminal.
    #[default]
    Text,
    /// What it prints to stdout is an HTML page, shown in a frame where nothing of it runs
    /// (row W8b). stderr is text all the same.
    Html,
}

impl OutputFormat {
    /// The word in definitions and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Launch {
    /// `./file` in the script's folder, with an interpreter before it if there is one.
    File {
        /// The file's name in [`Script::folder`].
        file: String,
        /// Absolute path and arguments of the interpreter; empty means the file starts itself.
        interpreter: Vec<String>,
    },
    /// A command: the first word is an absolute path.
    Command {
        /// At least one word.
        argv: Vec<String>,
    },
}

/// A stored secret that a script gets as `$CREDENTIALS_DIRECTORY/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The file.
    pub name: CredentialName,
    /// What the value is stored as.
    pub secret: SecretName,
}

/// Where a definition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Relative to the root of the catalog.
    pub file: String,
    /// First line of the definition, from 1.
    pub line: usize,
}

/// Limits that Stagedoor itself keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Runs of this script at once.
    pub running: Option<u32>,
    /// Runs of this script that wait.
    pub queued: Option<u32>,
    /// Bytes of output per stream; the server's default when none.
    pub output: Option<u64>,
}

/// Which file was checked. The kernel sets `ctime` on every change of content, owner or mode, so
/// an equal fingerprint is the same file, unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Content changed, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Anything changed, in nanoseconds since 1970.
    pub ctime_ns: i128,
}

#[cfg(test)]
impl Script {
    /// One that says nothing but its name.
    pub(crate) fn for_tests(name: &str) -> Self {
        Self {
            name: ScriptName::parse(name).expect("a name"),
            title: name.to_owned(),
            description: None,
            docs: None,
            icon: None,
            tags: Vec::new(),
            order: 0,
            hidden: false,
            output_format: OutputFormat::Text,
            disabled: None,
            launch: Launch::Command { argv: Vec::new() },
            folder: String::new(),
            working_directory: None,
            env: Vec::new(),
            inherit_env: Vec::new(),
            credentials: Vec::new(),
            timeout: None,
            stop_grace: Duration::ZERO,
            idempotent: false,
            success_exit: Vec::new(),
            confirm: None,
            access: Access::default(),
            limits: Limits::default(),
            process_limits: ProcessLimits::default(),
            run_as: None,
            sandbox: Sandbox::default(),
            lang: BTreeMap::new(),
            extra: serde_json::Value::Null,
            params: Vec::new(),
            source: Source {
                file: String::new(),
                line: 1,
            },
            fingerprint: None,
        }
    }
}
