//! What a script may do beside what its account may: `sandbox` and the machine's part of `limits`,
//! and what of it was enforced.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How closely a script is held. Later ones hold closer.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Only what holds for every script; for what must gain privileges, with `sudo` say.
    None,
    /// No privileges to gain, no calls that scripts do not need, no reach into other processes.
    #[default]
    Standard,
    /// Also a system that cannot be written, no network, and no namespaces of its own.
    Strict,
}

impl Level {
    /// Every level with its word in definitions and in the API.
    pub const ALL: [(&'static str, Self); 3] = [
        ("none", Self::None),
        ("standard", Self::Standard),
        ("strict", Self::Strict),
    ];

    /// The word in definitions and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Standard => "standard",
            Self::Strict => "strict",
        }
    }

    /// From the word; anything else is `None`.
    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == word);
        found.map(|(_, level)| *level)
    }
}

/// What of the network a script reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Network {
    /// What the machine reaches.
    #[default]
    All,
    /// Nothing, this machine's own addresses neither.
    Off,
    /// By TCP, only these ports of whatever host, sorted. UDP is left, because names are looked up
    /// by it.
    Ports(Vec<u16>),
}

/// A script's `sandbox`, resolved: what its level implies stands here already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sandbox {
    /// How closely.
    pub level: Level,
    /// What of the network.
    pub network: Network,
    /// Absolute paths that may be read, beside the system's programs and the script's own folders;
    /// none means whatever the account may read.
    pub read: Option<Vec<String>>,
    /// Absolute paths that may be written, beside the run's own folders; none means whatever the
    /// account may write.
    pub write: Option<Vec<String>>,
    /// Refused where this machine cannot hold all of it.
    pub required: bool,
}

/// Processes and threads that a run may have where its definition says nothing of it, and the machine can
/// count them for each run: enough for most, and few enough to stop.
pub const USUAL_PROCESSES: u64 = 4096;

/// The part of `limits` that the machine keeps, for each run. None means no bound of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessLimits {
    /// Bytes of memory of the run; where the machine cannot count that, of one process, as far as it holds
    /// data of its own.
    pub memory: Option<u64>,
    /// Processor time of one process.
    pub cpu: Option<Duration>,
    /// Processes and threads of the run at once; where the machine cannot count that, of the account.
    pub processes: Option<u64>,
    /// Bytes of one file.
    pub file_size: Option<u64>,
    /// Descriptors of one process.
    pub open_files: Option<u64>,
    /// From -20 (first) to 19 (last).
    pub nice: Option<i8>,
}

/// What stagedoor.toml lets the definitions below a folder ask for: `[[permit]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Relative to the root of the catalog; empty for the root. Folders below it are meant, too.
    pub folder: String,
    /// The loosest level; what needs no permit where it says nothing of it.
    pub level: Level,
    /// The names of accounts that they may run as.
    pub run_as: Vec<String>,
    /// The most processes that a run of theirs may have, beyond [`USUAL_PROCESSES`].
    pub processes: Option<u64>,
}

/// Stands for every account. No definition and no setting can write it.
const EVERY_ACCOUNT: &str = "*";

impl Permit {
    /// For who does not know what is permitted, and is not to complain of it.
    pub fn of_everything() -> Self {
        Self {
            folder: String::new(),
            level: Level::None,
            run_as: vec![EVERY_ACCOUNT.to_owned()],
            processes: Some(u64::MAX),
        }
    }

    /// The loosest level that a script of this folder may ask for.
    pub fn loosest(permits: &[Self], folder: &str) -> Level {
        let covering = permits.iter().filter(|permit| permit.covers(folder));
        let levels = covering.map(|permit| permit.level);
        levels.min().unwrap_or_default().min(Level::default())
    }

    /// Whether a script of this folder may run as this account.
    pub fn may_run_as(permits: &[Self], folder: &str, account: &str) -> bool {
        let covering = permits.iter().filter(|permit| permit.covers(folder));
        let mut names = covering.flat_map(|permit| &permit.run_as);
        names.any(|name| name == account || name == EVERY_ACCOUNT)
    }

    /// The most processes that a run of this folder may ask for.
    pub fn most_processes(permits: &[Self], folder: &str) -> u64 {
        let covering = permits.iter().filter(|permit| permit.covers(folder));
        let most = covering.filter_map(|permit| permit.processes);
        most.max().unwrap_or_default().max(USUAL_PROCESSES)
    }

    /// Every account that some script may run as.
    pub fn accounts(permits: &[Self]) -> BTreeSet<&str> {
        let names = permits.iter().flat_map(|permit| &permit.run_as);
        names.map(String::as_str).collect()
    }

    /// Whether it is for the scripts of this folder.
    pub fn covers(&self, folder: &str) -> bool {
        let below = folder.strip_prefix(self.folder.as_str());
        self.folder.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// One thing that can be enforced. Stored and sent by its place: new ones are added behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// No setuid bit or file capability gives it anything.
    Privileges,
    /// Calls that scripts do not need are refused.
    Calls,
    /// So are those for namespaces, mounts and other processes' memory.
    StrictCalls,
    /// It can neither signal nor look into processes that are not its own.
    Processes,
    /// Only the named paths, the system's and its own can be read.
    Read,
    /// Only the named paths and its own can be written.
    Write,
    /// Sockets of the network are refused.
    NetworkOff,
    /// TCP reaches the named ports only.
    NetworkPorts,
    /// What it starts cannot leave its cgroup, and ends with it.
    Tree,
    /// `memory` of its limits.
    Memory,
    /// `cpu` of its limits.
    Cpu,
    /// `processes` of its limits.
    ProcessCount,
    /// `file_size` of its limits.
    FileSize,
    /// `open_files` of its limits.
    OpenFiles,
    /// `nice` of its limits.
    Nice,
    /// What was checked is what runs: nobody else can have changed it in between.
    Pinned,
    /// Stagedoor's own files and the folders of other runs are out of its reach.
    Hidden,
    /// `memory` of its limits, for all that it starts together.
    RunMemory,
    /// `processes` of its limits, for all that it starts together.
    RunProcesses,
    /// One share of the processors for all that it starts together.
    RunProcessors,
}

impl Measure {
    /// What it means, for people: the second half of a sentence that begins with "The script".
    pub fn says(self) -> &'static str {
        match self {
            Self::Privileges => "cannot gain privileges by a setuid program",
            Self::Calls => "cannot use parts of the system that scripts do not need",
            Self::StrictCalls => "cannot make namespaces, mount, or trace a process",
            Self::Processes => "cannot signal, limit or look into processes that it did not start",
            Self::Read => {
                "can read only its own folders, the system's programs and the paths in `sandbox.read` and `sandbox.write`"
            }
            Self::Write => "can write only in its own folders and the paths in `sandbox.write`",
            Self::NetworkOff => "cannot use the network",
            Self::NetworkPorts => "can connect by TCP only to the ports in `sandbox.network`",
            Self::Tree => "cannot leave a process behind",
            Self::Memory => "is held to `limits.memory`, each process by itself",
            Self::Cpu => "is held to `limits.cpu`, each process by itself",
            Self::ProcessCount => {
                "is held to `limits.processes`, together with what else its account runs"
            }
            Self::FileSize => "is held to `limits.file_size`, each file by itself",
            Self::OpenFiles => "is held to `limits.open_files`, each process by itself",
            Self::Nice => "yields to others as `limits.nice` says",
            Self::Pinned => "is the file that was checked",
            Self::Hidden => "cannot reach Stagedoor's own files or the folders of other runs",
            Self::RunMemory => "is held to `limits.memory`, with all that it starts",
            Self::RunProcesses => "is held to `limits.processes`, with all that it starts",
            Self::RunProcessors => {
                "gets no more of the processors than another that wants them, however many processes it starts"
            }
        }
    }
}

/// What was enforced with an attempt, and what of the wish was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforced {
    /// The level that was asked for.
    pub level: Level,
    /// What holds, in the order of [`Measure`].
    pub held: Vec<Measure>,
    /// What was asked for and does not hold, with the reason for people.
    pub missing: Vec<(Measure, String)>,
    /// The account that it ran as, by its name if it has one. None in what was recorded before accounts
    /// were.
    #[serde(default)]
    pub account: Option<String>,
}

impl Enforced {
    /// Nothing yet.
    pub fn of(level: Level) -> Self {
        Self {
            level,
            ..Self::default()
        }
    }

    /// Notes that this holds, or why not.
    pub fn note(&mut self, measure: Measure, result: Result<(), String>) {
        match result {
            Ok(()) => {
                let place = self.held.partition_point(|held| *held < measure);
                self.held.insert(place, measure);
            }
            Err(why) => self.missing.push((measure, why)),
        }
    }

    /// Does it hold?
    pub fn holds(&self, measure: Measure) -> bool {
        self.held.contains(&measure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_for_its_folder_and_what_is_below() {
        let permit = |folder: &str, level| Permit {
            folder: folder.to_owned(),
            level,
            run_as: Vec::new(),
            processes: (level == Level::None).then_some(9_000),
        };
        let permits = [permit("ops", Level::None), permit("db/old", Level::Strict)];
        let loosest = |folder| Permit::loosest(&permits, folder);
        assert_eq!(
            (loosest("ops"), loosest("ops/x/y")),
            (Level::None, Level::None)
        );
        let most = |folder| Permit::most_processes(&permits, folder);
        assert_eq!(
            (most("ops/x"), most("db/old"), most("")),
            (9_000, 4_096, 4_096)
        );
        assert_eq!(
            (loosest("opsy"), loosest("")),
            (Level::Standard, Level::Standard)
        );
        assert_eq!(
            loosest("db/old"),
            Level::Standard,
            "a permit forbids nothing"
        );
        assert_eq!(
            Permit::loosest(&[permit("", Level::None)], "any"),
            Level::None
        );
    }

    #[test]
    fn who_does_not_know_what_is_permitted_finds_no_fault_with_any_wish() {
        let unknown = [Permit::of_everything()];
        for folder in ["", "ops/x"] {
            assert_eq!(Permit::loosest(&unknown, folder), Level::None);
            assert!(Permit::may_run_as(&unknown, folder, "backup"));
            assert_eq!(Permit::most_processes(&unknown, folder), u64::MAX);
        }
        assert!(!Permit::may_run_as(&[], "ops/x", "backup"));
    }

    #[test]
    fn an_account_is_permitted_by_name_for_a_folder_and_what_is_below() {
        let permit = |folder: &str, names: &[&str]| Permit {
            folder: folder.to_owned(),
            level: Level::default(),
            run_as: names.iter().map(ToString::to_string).collect(),
            processes: None,
        };
        let permits = [
            permit("ops", &["backup", "deploy"]),
            permit("db", &["backup"]),
        ];
        let may = |folder, account| Permit::may_run_as(&permits, folder, account);
        assert!(may("ops", "deploy") && may("ops/x", "backup") && may("db", "backup"));
        assert!(!may("db", "deploy") && !may("opsy", "backup") && !may("", "backup"));
        assert!(!may("ops", "Backup") && !may("ops", "root"));
        let all: Vec<&str> = Permit::accounts(&permits).into_iter().collect();
        assert_eq!(all, ["backup", "deploy"]);
    }

    #[test]
    fn what_was_recorded_before_accounts_were_is_read() {
        let old = r#"{"level":"strict","held":["privileges"],"missing":[]}"#;
        let read: Enforced = serde_json::from_str(old).expect("read");
        assert_eq!((read.level, read.account), (Level::Strict, None));
    }

    #[test]
    fn a_level_is_read_from_its_word_and_later_ones_hold_closer() {
        for (word, level) in Level::ALL {
            assert_eq!((Level::parse(word), level.word()), (Some(level), word));
        }
        assert_eq!(Level::parse("Strict"), None);
        assert!(Level::None < Level::Standard && Level::Standard < Level::Strict);
        assert_eq!(Level::default(), Level::Standard);
    }
}
