//! A kernel that answers a running process with an error, for as long as a test wants: what cannot
//! be had otherwise without disturbing the whole machine, or not be lifted again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::program::as_root;

/// `strace` stands between the process and the kernel.
pub struct Refusing(Child);

impl Refusing {
    /// These system calls of a process and all its threads fail with this error from now on, and do
    /// nothing. None, with the reason printed, where that cannot be arranged.
    pub fn calls(pid: u32, calls: &str, error: &str) -> Option<Self> {
        Self::inject(pid, calls, &format!("error={error}"))
    }

    /// These system calls begin so much later.
    pub fn delaying(pid: u32, calls: &str, by: Duration) -> Option<Self> {
        Self::inject(pid, calls, &format!("delay_enter={}", by.as_micros()))
    }

    #[expect(clippy::disallowed_methods, reason = "starts strace")]
    fn inject(pid: u32, calls: &str, what: &str) -> Option<Self> {
        if !as_root() {
            println!("skipped: only root may stand between a confined server and the kernel");
            return None;
        }
        let tracer = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:{what}")])
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut tracer = match tracer {
            Ok(tracer) => tracer,
            Err(problem) => {
                println!("skipped: strace cannot be started: {problem}");
                return None;
            }
        };
        let mut said = BufReader::new(tracer.stderr.take().expect("its messages"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a message");
        if !line.contains("attached") {
            println!("skipped: strace cannot attach: {line}");
            let _ = tracer.wait();
            return None;
        }
        // Nobody reads what else it says, and it must not wait for that.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Some(Self(tracer))
    }
}

impl Drop for Refusing {
    /// It lets go of the process, which goes on.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
