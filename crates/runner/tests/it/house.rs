//! A folder of scripts with a runner of its own.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::invocation::{Invocation, Word};
use stagedoor_domain::sandbox::{ProcessLimits, Sandbox};
use stagedoor_domain::script::{Fingerprint, Launch};
use stagedoor_runner::{
    Account, Connection, ExitRecord, Permitted, Plan, Refusal, Report, Reports, Runner,
    RunnerOptions, Started, StopKind,
};
use tempfile::TempDir;

/// Nobody waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who scripts run as in these tests.
pub fn script_uid() -> u32 {
    if is_root() {
        65534
    } else {
        rustix::process::geteuid().as_raw()
    }
}

pub struct House {
    pub base: TempDir,
    pub runner: Runner,
    pub reports: Reports,
    next: Option<Report>,
    pub pid: u32,
    pub held: u32,
}

/// How an attempt ended, with everything it wrote.
#[derive(Debug)]
pub struct Done {
    pub record: ExitRecord,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub pid: u32,
}

impl Done {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

pub fn new_base() -> TempDir {
    let base = tempfile::Builder::new()
        .prefix("stagedoor-")
        .tempdir()
        .expect("a folder");
    set_mode(base.path(), 0o755);
    fs::create_dir(base.path().join("scripts")).expect("made");
    fs::create_dir(base.path().join("state")).expect("made");
    set_mode(&base.path().join("state"), 0o700);
    set_mode(&base.path().join("scripts"), 0o755);
    base
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode set");
}

pub fn options(base: &Path) -> RunnerOptions {
    let root = base.join("scripts");
    RunnerOptions {
        socket: base.join("state/runner.sock"),
        root_dir: OwnedFd::from(fs::File::open(&root).expect("the folder of scripts")),
        root: root.clone(),
        scratch: base.join("scratch"),
        run_account: is_root().then(|| Account {
            uid: 65534,
            gid: 65534,
            groups: vec![65534],
        }),
        others: Vec::new(),
        allow_root_scripts: false,
        some_go_without: false,
        hidden: vec![base.join("stagedoor.toml"), root.join("stagedoor.toml")],
        server_uid: None,
    }
}

pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_stagedoor-test-runner"))
}

impl House {
    pub fn open() -> Self {
        Self::in_base(new_base())
    }

    pub fn in_base(base: TempDir) -> Self {
        let connection = Runner::ensure(binary(), &options(base.path())).expect("a runner");
        Self::with(base, connection)
    }

    /// The folder of the attempt that began as this one.
    pub fn attempt(&self, number: u32) -> PathBuf {
        self.base.path().join(format!("scratch/attempt-{number}"))
    }

    /// One that cannot make cgroups, because it sees no hierarchy of them. None, with the reason printed,
    /// where that cannot be arranged.
    pub fn without_cgroups() -> Option<Self> {
        Self::without_cgroups_for(Vec::new())
    }

    /// The same, and scripts may run as these accounts, too.
    pub fn without_cgroups_for(others: Vec<Permitted>) -> Option<Self> {
        if !is_root() {
            println!("skipped: an ordinary user's runner makes no cgroups anyway");
            return None;
        }
        let hide =
            "/usr/bin/unshare --mount /bin/sh -c 'umount -l /sys/fs/cgroup && exec \"$@\"' sh";
        Self::behind_for(hide, others)
    }

    /// One whose runner is started by these words of a shell. None, with the reason printed, where that
    /// cannot be done.
    pub fn behind(words: &str) -> Option<Self> {
        Self::behind_for(words, Vec::new())
    }

    fn behind_for(words: &str, others: Vec<Permitted>) -> Option<Self> {
        let base = new_base();
        let (own, wrapper) = (binary().display(), base.path().join("wrapper"));
        fs::write(&wrapper, format!("#!/bin/sh\nexec {words} {own} \"$@\"\n")).expect("written");
        set_mode(&wrapper, 0o755);
        let options = RunnerOptions {
            others,
            ..options(base.path())
        };
        match Runner::ensure(&wrapper, &options) {
            Ok(connection) => Some(Self::with(base, connection)),
            Err(error) => {
                println!("skipped: no runner starts behind `{words}`: {error}");
                None
            }
        }
    }

    pub fn with(base: TempDir, connection: Connection) -> Self {
        let (pid, held) = (connection.pid().expect("a pid"), connection.held());
        let (runner, reports) = connection.attach().expect("attached");
        Self {
            base,
            runner,
            reports,
            next: None,
            pid,
            held,
        }
    }

    /// The server dies, as far as the runner can see, and another one takes its place.
    pub fn next_server(&mut self) {
        let connection = Runner::ensure(binary(), &options(self.base.path())).expect("a runner");
        assert_eq!(connection.pid(), Some(self.pid), "the same runner");
        self.held = connection.held();
        (self.runner, self.reports) = connection.attach().expect("attached");
    }

    pub fn scripts(&self) -> PathBuf {
        self.base.path().join("scripts")
    }

    /// Writes a script and gives a plan for its first attempt.
    pub fn script(&self, file: &str, content: &str) -> Plan {
        let path = self.scripts().join(file);
        fs::write(&path, content).expect("written");
        set_mode(&path, 0o755);
        let mut plan = plan(Launch::File {
            file: file.to_owned(),
            interpreter: Vec::new(),
        });
        plan.fingerprint = Some(fingerprint(&path));
        plan
    }

    /// The next report as it comes.
    pub async fn plain_report(&mut self) -> Report {
        let report = tokio::time::timeout(PATIENCE, self.reports.recv());
        report.await.expect("a report in time")
    }

    /// The next report; of what ran and printed nothing, as of any other, first that it has started.
    pub async fn report(&mut self) -> Report {
        if let Some(report) = self.next.take() {
            return report;
        }
        match self.plain_report().await {
            Report::Ran {
                run,
                epoch,
                pid,
                started_at,
                enforced,
                record,
            } => {
                self.next = Some(Report::Exited { run, epoch, record });
                let at_its_end = || rustix::pipe::pipe().expect("a pipe").0;
                Report::Started(Started {
                    run,
                    epoch,
                    pid,
                    started_at,
                    enforced,
                    stdout: at_its_end(),
                    stderr: at_its_end(),
                    pidfd: at_its_end(),
                })
            }
            report => report,
        }
    }

    /// The next report that is not the end of the take-over.
    pub async fn news(&mut self) -> Report {
        loop {
            match self.report().await {
                Report::Complete { .. } => {}
                report => return report,
            }
        }
    }

    pub async fn started(&mut self) -> Started {
        match self.news().await {
            Report::Started(started) => started,
            other => panic!("not started: {other:?}"),
        }
    }

    pub async fn exited(&mut self) -> ExitRecord {
        match self.news().await {
            Report::Exited { record, .. } => record,
            other => panic!("not exited: {other:?}"),
        }
    }

    pub async fn refusal(&mut self, plan: Plan) -> Refusal {
        self.runner.start(plan).await.expect("sent");
        match self.news().await {
            Report::Refused { reason, .. } => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub async fn start(&mut self, plan: Plan) -> Started {
        self.runner.start(plan).await.expect("sent");
        self.started().await
    }

    /// Has an attempt killed.
    pub async fn kill(&self, run: RunId, epoch: Epoch) {
        let told = self.runner.stop(run, epoch, StopKind::Kill, "over").await;
        told.expect("sent");
    }

    /// Runs to the end and forgets.
    pub async fn run(&mut self, plan: Plan) -> Done {
        let (run, epoch) = (plan.run, plan.epoch);
        let started = self.start(plan).await;
        let pid = started.pid;
        let (out, err) = (started.stdout, started.stderr);
        let stdout = tokio::task::spawn_blocking(move || read_all(out));
        let stderr = tokio::task::spawn_blocking(move || read_all(err));
        let record = self.exited().await;
        let (stdout, stderr) = (stdout.await.expect("read"), stderr.await.expect("read"));
        self.runner.forget(&[(run, epoch)]).await.expect("sent");
        Done {
            record,
            stdout,
            stderr,
            pid,
        }
    }
}

/// The runner ends what still runs, and itself.
impl Drop for House {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        // It removes its socket last; what it still has in the folder is to be gone by then.
        let socket = self.base.path().join("state/runner.sock");
        for _ in 0..500 {
            if !socket.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub fn read_all(fd: OwnedFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    fs::File::from(fd)
        .read_to_end(&mut bytes)
        .expect("read to the end");
    bytes
}

pub fn new_run() -> RunId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes[12..].copy_from_slice(&std::process::id().to_be_bytes());
    RunId::from_bytes(bytes)
}

pub fn plan(launch: Launch) -> Plan {
    Plan {
        run: new_run(),
        epoch: Epoch(1),
        launch,
        folder: String::new(),
        working_directory: None,
        fingerprint: None,
        invocation: Invocation::default(),
        env: Vec::new(),
        timeout: Some(Duration::from_mins(1)),
        stop_grace: Duration::from_secs(10),
        sandbox: Sandbox::default(),
        process_limits: ProcessLimits::default(),
        run_as: None,
    }
}

pub fn command(argv: &[&str]) -> Plan {
    plan(Launch::Command {
        argv: argv.iter().map(ToString::to_string).collect(),
    })
}

pub fn texts(words: &[&str]) -> Vec<Word> {
    words
        .iter()
        .map(|word| Word::Text((*word).to_owned()))
        .collect()
}

pub fn fingerprint(path: &Path) -> Fingerprint {
    use std::os::unix::fs::MetadataExt;
    let data = fs::metadata(path).expect("a file");
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Fingerprint {
        dev: data.dev(),
        ino: data.ino(),
        size: data.len(),
        mtime_ns: nanos(data.mtime(), data.mtime_nsec()),
        ctime_ns: nanos(data.ctime(), data.ctime_nsec()),
    }
}

/// Processes, zombies apart, whose session or process group this is.
pub fn processes_of(session: u32) -> usize {
    let session = session.to_string();
    let is_of = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        fields.len() > 3 && fields[0] != "Z" && (fields[2] == session || fields[3] == session)
    };
    fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|e| is_of(e).then_some(()))
        .count()
}

/// The version of Landlock that the kernel has, asked past the runner; below 1 there is none.
pub fn landlock_version() -> i64 {
    const ASK: &str = "import ctypes; print(ctypes.CDLL(None).syscall(444, 0, 0, 1))";
    let asked = std::process::Command::new("/usr/bin/python3")
        .args(["-c", ASK])
        .output()
        .expect("Python");
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    said.trim().parse().expect("a number")
}

/// Waits until it holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
