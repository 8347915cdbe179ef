//! Where the load plays: the scripts, what they note, their processes, and the crash image of the
//! database.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use super::scripts;
use crate::processes;
use crate::program::{Home, stagedoor};

pub struct Stage {
    home: Arc<Home>,
    /// Scripts may write here.
    folder: PathBuf,
    /// What is served.
    pub scripts: PathBuf,
}

impl Stage {
    pub fn new() -> Self {
        let home = Home::new();
        let folder = home.state().with_file_name("stage");
        fs::create_dir(&folder).expect("mkdir");
        // Started as root, scripts are another account.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("chmod");
        let files = scripts::files(folder.to_str().expect("text"));
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
        let scripts = home.scripts(&files);
        Self {
            home,
            folder,
            scripts,
        }
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.home.state()
    }

    /// A new folder for copies of the program.
    pub fn binaries(&self) -> PathBuf {
        let folder = self.home.state().with_file_name("bin");
        fs::create_dir(&folder).expect("mkdir");
        folder
    }

    /// How often a run's script was started.
    pub fn starts(&self, run: &str) -> usize {
        let path = self.folder.join(format!("{run}.starts"));
        fs::read_to_string(path).map_or(0, |text| text.lines().count())
    }

    /// What a run's script says it printed.
    pub fn printed(&self, run: &str, stream: &str) -> Vec<u8> {
        fs::read(self.folder.join(format!("{run}.{stream}"))).unwrap_or_default()
    }

    /// All runs that were started at least once.
    pub fn started(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).expect("a readable folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names
            .filter_map(|name| Some(name.to_str()?.strip_suffix(".starts")?.to_owned()))
            .collect()
    }

    /// The processes of this load's scripts, each with the run that it belongs to.
    pub fn processes(&self) -> BTreeMap<i32, String> {
        let mark = format!("KILL_LOOP={}", self.folder.display());
        let run_of = |pid| {
            let vars = processes::environment(pid);
            let run = vars
                .iter()
                .find_map(|v| v.strip_prefix("STAGEDOOR_RUN_ID="));
            let run = run.unwrap_or("of no run").to_owned();
            vars.contains(&mark).then_some((pid, run))
        };
        processes::numbers().filter_map(run_of).collect()
    }

    /// The runner of this state directory. It leads a session; what it forked has its words too.
    pub fn runner(&self) -> Option<i32> {
        let socket = self.state().join("runner.sock");
        let socket = socket.to_str().expect("text");
        let is_one = |pid: &i32| {
            let words = processes::command_line(*pid);
            words.get(1).is_some_and(|word| word == "runner")
                && words.iter().any(|word| word.contains(socket))
        };
        let all: Vec<i32> = processes::numbers().filter(is_one).collect();
        let leader = |pid: &i32| {
            let (parent, session, born) = lineage(*pid)?;
            (session == *pid && !all.contains(&parent)).then_some((born, *pid))
        };
        all.iter().filter_map(leader).max().map(|(_, pid)| pid)
    }

    /// Opens a copy of the database as a crash left it, and has it looked through.
    pub fn check_database(&self) {
        let copy = tempfile::tempdir().expect("a folder");
        for name in ["stagedoor.db", "stagedoor.db-wal"] {
            match fs::copy(self.state().join(name), copy.path().join(name)) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
        assert_eq!(integrity(&copy.path().join("stagedoor.db")), ["ok"]);
    }

    /// Once no server is at work: each run has its record, and the log is whole to its last line.
    pub fn check_audit_log(&self) {
        let state = self.state();
        let words = [
            "audit-log",
            "verify",
            "--state",
            state.to_str().expect("text"),
        ];
        let output = stagedoor(&words, "");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{output:?}");
        let database = Connection::open(state.join("stagedoor.db")).expect("a database");
        let count = |what: &str| -> i64 {
            let sql = format!("SELECT count(*) FROM {what}");
            database
                .query_row(&sql, [], |row| row.get(0))
                .expect("counted")
        };
        let starts = count("audit_log WHERE act = 'run_started'");
        assert_eq!(starts, count("runs"));
        assert!(starts > 0);
    }
}

fn integrity(path: &Path) -> Vec<String> {
    let database = Connection::open(path).expect("a database");
    let mut statement = database
        .prepare("PRAGMA integrity_check")
        .expect("a statement");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// Parent, session and start of a process; none when it is gone or has ended.
fn lineage(pid: i32) -> Option<(i32, i32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let field = |at: usize| fields.get(at).copied();
    if field(0) == Some("Z") {
        return None;
    }
    Some((
        field(1)?.parse().ok()?,
        field(3)?.parse().ok()?,
        field(19)?.parse().ok()?,
    ))
}

/// KILL, to a process that this test has started or caused.
pub fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

impl Drop for Stage {
    /// A test that fails leaves nothing behind either.
    fn drop(&mut self) {
        if let Some(runner) = self.runner() {
            kill(runner);
        }
        for pid in self.processes().into_keys() {
            kill(pid);
        }
    }
}
