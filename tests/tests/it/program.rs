//! The real binary on a state directory of its own, started and ended as an operator does.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);
/// How long the drain and the last runs may take at the end.
const END: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);

/// A running server.
pub struct Program {
    home: Arc<Home>,
    scripts: PathBuf,
    child: Child,
    log: Arc<Mutex<String>>,
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

/// What outlives a server: its state directory, and a folder for scripts.
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// Everybody may enter it, because a server that began as root goes on as another account.
    pub fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))
            .expect("chmod");
        Arc::new(Self { dir })
    }

    /// The state directory; the program makes it.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Where everything of this home lies.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A folder with these files, each executable.
    pub fn scripts(&self, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.dir.path().join("scripts");
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder"))
                .expect("mkdir");
            std::fs::write(&path, text).expect("a script");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        }
        folder
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `target/debug/stagedoor`, beside which this test was built; or what `TESTED_BINARY` says.
pub fn binary() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "says where the program to test lies"
    )]
    let named = std::env::var_os("TESTED_BINARY").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let this = std::env::current_exe().expect("the path of this test");
        this.ancestors()
            .nth(2)
            .expect("this test lies in target/debug/deps")
            .join("stagedoor")
    });
    assert!(
        path.exists(),
        "{} is not there: run `cargo build` first, or `make test`",
        path.display()
    );
    path
}

/// The folder `examples`, of the repository or of the copy that `TESTED_TREE` names.
pub fn examples() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "says where the copy of the examples lies"
    )]
    let copy = std::env::var_os("TESTED_TREE").map(PathBuf::from);
    copy.unwrap_or_else(crate::tree::root).join("examples")
}

/// `stagedoor` with these words, to its end; it is killed when it does not end.
pub fn stagedoor(words: &[&str], stdin: &str) -> Output {
    let mut child = command(&binary())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stagedoor starts");
    let mut input = child.stdin.take().expect("its input");
    input
        .write_all(stdin.as_bytes())
        .expect("it reads its input");
    drop(input);
    let pid = Pid::from_child(&child);
    let (done, waiting) = mpsc::channel();
    let watch = thread::spawn(move || {
        if waiting.recv_timeout(START).is_err() {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().expect("it ends");
    let _ = done.send(());
    watch.join().expect("the watch");
    output
}

/// The program without settings from the environment of whoever runs the tests.
pub fn command(binary: &Path) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test is started here"
    )]
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STAGEDOOR_") {
            command.env_remove(name);
        }
    }
    command
}

impl Program {
    /// Serves `examples/`.
    pub fn with_examples() -> Self {
        Self::serve(Home::new(), &examples())
    }

    /// Serves these scripts.
    pub fn with_scripts(files: &[(&str, &str)]) -> Self {
        let home = Home::new();
        let folder = home.scripts(files);
        Self::serve(home, &folder)
    }

    /// Serves a folder on a home, which may have been used before.
    pub fn serve(home: Arc<Home>, scripts: &Path) -> Self {
        Self::serve_with(home, scripts, &["--listen", "127.0.0.1:0"], "http://")
    }

    /// The same with these words on the command line; `scheme` is that of its addresses.
    pub fn serve_with(home: Arc<Home>, scripts: &Path, words: &[&str], scheme: &str) -> Self {
        Self::start(home, scripts, words, scheme, &[])
    }

    /// The same with these variables.
    pub fn serve_in(home: Arc<Home>, scripts: &Path, variables: &[(&str, &str)]) -> Self {
        let words = ["--listen", "127.0.0.1:0"];
        Self::start(home, scripts, &words, "http://", variables)
    }

    fn start(
        home: Arc<Home>,
        scripts: &Path,
        words: &[&str],
        scheme: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let mut child = command(&binary())
            .envs(variables.iter().copied())
            .arg("serve")
            .arg(scripts)
            .arg("--state")
            .arg(home.state())
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("stagedoor starts");
        let log = Arc::default();
        collect(child.stderr.take().expect("its messages"), Arc::clone(&log));
        let mut program = Self {
            home,
            scripts: scripts.to_path_buf(),
            child,
            log,
            url: String::new(),
        };
        program.url = program.said(&format!("listening on {scheme}"), START);
        program
    }

    /// What stands in the log behind these words, up to the next blank or quote, once it is there.
    pub fn said(&mut self, words: &str, at_most: Duration) -> String {
        for _ in 0..at_most.as_millis() / STEP.as_millis() {
            let log = self.log();
            if let Some((_, rest)) = log.split_once(words)
                && let Some(end) = rest.find([' ', '"', '\n', '\\', ','])
            {
                let scheme = words.rfind("http").map_or("", |at| &words[at..]);
                return format!("{scheme}{}", &rest[..end]);
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{log}");
            thread::sleep(STEP);
        }
        panic!("the server did not say {words:?}:\n{}", self.log());
    }

    /// Waits until these words stand in the log.
    pub fn until_logged(&self, words: &str, at_most: Duration) {
        for _ in 0..at_most.as_millis() / STEP.as_millis() {
            if self.log().contains(words) {
                return;
            }
            thread::sleep(STEP);
        }
        panic!("the server did not say {words:?}:\n{}", self.log());
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to read its settings again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// The link that makes the first account.
    pub fn setup_link(&mut self) -> String {
        self.said("create the first account: http://", START)
    }

    /// All that it has written to its log.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.home.state()
    }

    /// The folder that is served.
    pub fn scripts(&self) -> &Path {
        &self.scripts
    }

    /// `stagedoor WORDS --state …`, which must succeed; what it printed.
    pub fn manage(&self, words: &[&str], stdin: &str) -> String {
        let state = self.state();
        let mut all = words.to_vec();
        all.extend(["--state", state.to_str().expect("a path of text")]);
        let output = stagedoor(&all, stdin);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "stagedoor {words:?}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Ends the server at once, as a crash would, and starts another one on the same state.
    pub fn crash_and_restart(self) -> Self {
        self.crash_and_spoil(|_| ())
    }

    /// The same, and something happens to the state directory meanwhile.
    pub fn crash_and_spoil(mut self, spoil: impl FnOnce(&Path)) -> Self {
        self.signal(Signal::KILL);
        self.child.wait().expect("it ends");
        spoil(&self.state());
        Self::serve(Arc::clone(&self.home), &self.scripts.clone())
    }

    /// Asks it once to end, and waits; the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait(END)
    }

    /// Waits until it has ended by itself; the exit code.
    pub fn ended(mut self) -> Option<i32> {
        self.wait(END)
    }

    fn wait(&mut self, at_most: Duration) -> Option<i32> {
        for _ in 0..at_most.as_millis() / STEP.as_millis() {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            thread::sleep(STEP);
        }
        None
    }
}

impl Drop for Program {
    /// Ctrl-C twice: end, and end the runs too. So that no test leaves a process behind.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(Signal::INT);
        thread::sleep(Duration::from_millis(100));
        self.signal(Signal::INT);
        if self.wait(END).is_none() {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

fn collect(from: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut log = log.lock().expect("the log");
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// Whether the tests run as root, where scripts have an account of their own.
pub fn as_root() -> bool {
    is_root()
}
