//! One server of a loop: started from some copy of the binary, hit, and replaced.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::stage::Stage;
use crate::http;
use crate::program;

/// How long a start or an end may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(2);

pub struct Server {
    child: Child,
    born: Instant,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts one, and does not wait for anything.
    pub fn start(stage: &Stage, binary: &Path) -> Self {
        let mut child = program::command(binary)
            .arg("serve")
            .arg(&stage.scripts)
            .arg("--state")
            .arg(stage.state())
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("stagedoor starts");
        let stderr = child.stderr.take().expect("its messages");
        let log = Arc::<Mutex<String>>::default();
        let copy = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = copy.lock().expect("the log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            child,
            born: now(),
            log,
        }
    }

    /// Its address once it answers that it is ready, and how long that took.
    pub fn ready(&mut self) -> (String, Duration) {
        loop {
            if let Some(url) = self.address() {
                let answer = http::attempt(&format!("{url}/readyz"), &[], None);
                if answer.is_some_and(|answer| answer.status == 200) {
                    return (url, self.born.elapsed());
                }
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none(),
                "the server ended with {ended:?}:\n{}",
                self.log()
            );
            assert!(
                self.born.elapsed() < PATIENCE,
                "the server is not ready:\n{}",
                self.log()
            );
            thread::sleep(STEP);
        }
    }

    fn address(&self) -> Option<String> {
        let log = self.log();
        let (_, rest) = log.split_once("listening on http://")?;
        let end = rest.find([' ', '"', '\n', '\\', ','])?;
        Some(format!("http://{}", &rest[..end]))
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Waits for a word of its log, which may come a moment after its end.
    pub fn until_logged(&self, word: &str) {
        let since = now();
        while !self.log().contains(word) {
            assert!(since.elapsed() < PATIENCE, "no word of it:\n{}", self.log());
            thread::sleep(STEP);
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
    }

    /// Waits until it has ended by a KILL.
    pub fn wait_killed(&mut self) {
        let code = self.wait();
        assert_eq!(code, None, "it ended by itself:\n{}", self.log());
    }

    /// Asks it to end, and waits.
    pub fn terminate(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        assert_eq!(self.wait(), Some(0), "{}", self.log());
    }

    /// Waits until it has ended; its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let begin = now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "the server does not end:\n{}",
                self.log()
            );
            thread::sleep(STEP);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the last server's log:\n{}", self.log());
        }
    }
}

/// The clock that durations are measured with.
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "this program measures from outside"
    )]
    Instant::now()
}
