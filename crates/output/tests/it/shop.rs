//! An output folder to test with, and what feeds it.

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::{Clock, Timestamp};
use stagedoor_output::{Outputs, PumpEvent, Selection, Stream, View};
use std::fmt::Write as _;
use std::io::{PipeReader, PipeWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

pub const NO_CAP: u64 = u64::MAX;
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const EPOCH: Epoch = Epoch(1);

/// The clock of the machine.
pub struct RealClock(Instant);

impl RealClock {
    #[expect(clippy::disallowed_methods, reason = "these tests run in real time")]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "these tests run in real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        Timestamp::from_millis(i64::try_from(since.as_millis()).expect("before year 292 million"))
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub struct Shop {
    pub dir: TempDir,
    pub outputs: Outputs,
    pub events: UnboundedReceiver<PumpEvent>,
}

pub fn run(number: u8) -> RunId {
    RunId::from_bytes([number; 16])
}

/// A command to be started by the test.
#[expect(
    clippy::disallowed_methods,
    reason = "the processes whose output is tested"
)]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

pub fn sh(script: &str) -> Command {
    let mut command = command("sh");
    command.args(["-c", script]);
    command
}

impl Shop {
    pub fn open() -> Self {
        Self::open_in(tempfile::tempdir().expect("folder"))
    }

    pub fn open_in(dir: TempDir) -> Self {
        let (outputs, events) =
            Outputs::open(dir.path(), 2, Arc::new(RealClock::new())).expect("opened");
        Self {
            dir,
            outputs,
            events,
        }
    }

    /// As after the death of a server: the folder is opened anew.
    pub fn reopen(self) -> Self {
        let Self {
            dir,
            outputs,
            events,
        } = self;
        drop((outputs, events));
        Self::open_in(dir)
    }

    pub fn attach(&self, run: RunId, stream: Stream, pipe: PipeReader, cap: u64) {
        self.outputs
            .attach(run, EPOCH, stream, pipe.into(), cap)
            .expect("attached");
    }

    /// Two pipes, attached.
    pub fn pipes(&self, run: RunId, cap: u64) -> (PipeWriter, PipeWriter) {
        let (out_reader, out) = std::io::pipe().expect("pipe");
        let (err_reader, err) = std::io::pipe().expect("pipe");
        self.attach(run, Stream::Stdout, out_reader, cap);
        self.attach(run, Stream::Stderr, err_reader, cap);
        (out, err)
    }

    pub fn view(&self, run: RunId) -> View {
        self.outputs.view(run, EPOCH).expect("view")
    }

    /// The next event, which must come.
    pub fn event(&mut self) -> PumpEvent {
        let deadline = RealClock::new();
        loop {
            match self.events.try_recv() {
                Ok(event) => return event,
                Err(_) if deadline.monotonic() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("no event: {error}"),
            }
        }
    }

    /// Waits for the end of an attempt and gives its sizes.
    pub fn closed(&mut self) -> (u64, u64) {
        match self.event() {
            PumpEvent::Closed { stdout, stderr, .. } => (stdout, stderr),
            other => panic!("not closed but {other:?}"),
        }
    }

    /// Runs a command to its end with both streams attached.
    pub fn run_to_end(&mut self, run: RunId, mut command: Command) -> (u64, u64) {
        let (out, err) = self.pipes(run, NO_CAP);
        let mut child = command.stdout(out).stderr(err).spawn().expect("started");
        drop(command);
        child.wait().expect("waited");
        self.closed()
    }

    /// Prints pieces in this order and ends the attempt.
    pub fn print(&mut self, run: RunId, pieces: &[(Stream, &[u8])]) {
        let (mut out, mut err) = self.pipes(run, NO_CAP);
        let view = self.view(run);
        for (stream, piece) in pieces {
            let pipe = if *stream == Stream::Stdout {
                &mut out
            } else {
                &mut err
            };
            let size = view.size(*stream) + piece.len() as u64;
            pipe.write_all(piece).expect("written");
            wait_until(|| view.size(*stream) == size);
        }
        drop((out, err));
        self.closed();
    }

    pub fn path(&self, run: RunId, ending: &str) -> PathBuf {
        let id = run.to_string();
        self.dir
            .path()
            .join(&id[..6])
            .join(format!("{id}.{}.{ending}", EPOCH.0))
    }

    /// Puts a segment where an ended attempt would have left it.
    pub fn put(&self, run: RunId, stream: Stream, bytes: &[u8]) {
        let ending = if stream == Stream::Stdout {
            "out"
        } else {
            "err"
        };
        let path = self.path(run, ending);
        std::fs::create_dir_all(path.parent().expect("folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }

    pub fn segment(&self, run: RunId, ending: &str) -> Vec<u8> {
        read(&self.path(run, ending))
    }
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

pub fn wait_until(mut done: impl FnMut() -> bool) {
    let clock = RealClock::new();
    while !done() {
        assert!(clock.monotonic() < PATIENCE, "waited in vain");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Numbered lines: the prefix and the number.
pub fn numbered(prefix: &str, numbers: impl Iterator<Item = u32>) -> String {
    let mut text = String::new();
    for number in numbers {
        writeln!(text, "{prefix}{number}").expect("text");
    }
    text
}

/// All lines as texts, read window by window.
pub fn texts(view: &View, selection: Selection) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = Some(0);
    while let Some(from) = next {
        let window = view.lines(selection, from, 500).expect("lines");
        texts.extend(window.lines.iter().map(|line| line.text().to_owned()));
        assert!(
            window.next.is_none_or(|next| next > from),
            "no way on from {from}"
        );
        next = window.next;
    }
    texts
}
