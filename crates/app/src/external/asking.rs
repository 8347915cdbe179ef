//! Has the runner start the command, as an attempt that belongs to no run, and reads what it says.
//!
//! An attempt that nobody waits for any more is killed and forgotten like every one that no record
//! vouches for: so is one that a server left which died meanwhile.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::invocation::Invocation;
use stagedoor_domain::sandbox::{ProcessLimits, Sandbox};
use stagedoor_domain::script::Launch;
use stagedoor_runner::{ExitRecord, Plan, Report, StopKind};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::ExternalCommand;
use super::complaint::{Complaints, LONGEST_COMPLAINT};
use super::no_answer::NoAnswer;
use crate::app::App;
use crate::password::{Busy, Share, Shares};
use crate::people::bound_address;

/// Commands that run at once.
const AT_ONCE: usize = 4;
/// Sign-ins that may wait for one.
const WAITING: usize = 32;
/// Of these, from one address.
const PER_ADDRESS: usize = 2;
/// Most bytes of an answer.
const LARGEST: u64 = 64 << 10;
/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(1);
/// What the runner may take beside that, before the server gives up by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// The exit code that says that a password is wrong.
const NO: i32 = 1;
/// There is no second try.
const EPOCH: Epoch = Epoch(1);

/// Commands that are being asked.
pub(crate) struct External {
    permits: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    busy: Shares,
    heard: Mutex<HashMap<RunId, mpsc::UnboundedSender<Report>>>,
    /// How many stand in `heard`, so that reports of runs need not look there.
    asked: AtomicUsize,
    pub(super) complaints: Complaints,
}

impl Default for External {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            busy: Shares::default(),
            heard: Mutex::default(),
            asked: AtomicUsize::new(0),
            complaints: Complaints::default(),
        }
    }
}

impl External {
    fn heard(&self) -> MutexGuard<'_, HashMap<RunId, mpsc::UnboundedSender<Report>>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a report that is about a command; gives back any other.
    pub(crate) fn hear(&self, report: Report) -> Option<Report> {
        if self.asked.load(Ordering::Relaxed) == 0 {
            return Some(report);
        }
        let run = match &report {
            Report::Started(started) => started.run,
            Report::Refused { run, .. } | Report::Exited { run, .. } | Report::Ran { run, .. } => {
                *run
            }
            Report::Complete { .. } | Report::Gone => return Some(report),
        };
        match self.heard().get(&run) {
            Some(waiting) => waiting.send(report).err().map(|unsent| unsent.0),
            None => Some(report),
        }
    }
}

/// Somebody who waits for the reports of one command.
struct Hearing {
    app: App,
    run: RunId,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Hearing {
    fn new(app: &App) -> Self {
        let run = RunId::new(app.clock().now(), app.chance());
        let (sender, reports) = mpsc::unbounded_channel();
        let external = &app.inner.external;
        external.heard().insert(run, sender);
        external.asked.fetch_add(1, Ordering::Relaxed);
        let app = app.clone();
        Self { app, run, reports }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let external = &self.app.inner.external;
        external.heard().remove(&self.run);
        external.asked.fetch_sub(1, Ordering::Relaxed);
    }
}

impl App {
    /// Asks the command in turn. It is asked to the end, even when nobody waits for it any more.
    pub(super) async fn ask(
        &self,
        command: Arc<ExternalCommand>,
        question: Vec<u8>,
        address: IpAddr,
    ) -> Result<Result<Vec<u8>, NoAnswer>, Busy> {
        let external = &self.inner.external;
        let share = Share::take(&external.busy, bound_address(address), PER_ADDRESS)?;
        let place = Arc::clone(&external.queue).try_acquire_owned();
        let place = place.map_err(|_| Busy)?;
        let permit = Arc::clone(&external.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Busy)?;
        let app = self.clone();
        let asked = tokio::spawn(async move {
            let _held = (permit, place, share);
            app.ask_now(&command, question).await
        });
        asked.await.map_err(|_| Busy)
    }

    async fn ask_now(
        &self,
        command: &ExternalCommand,
        question: Vec<u8>,
    ) -> Result<Vec<u8>, NoAnswer> {
        let mut hearing = Hearing::new(self);
        let run = hearing.run;
        let started = self.inner.runner.start(plan(run, command, question)).await;
        started.map_err(|error| NoAnswer::NotStarted(error.to_string()))?;
        let longest = command.timeout + GRACE + PATIENCE;
        let said = tokio::time::timeout(longest, to_the_end(&mut hearing.reports)).await;
        drop(hearing);
        let said = said.unwrap_or(Err(NoAnswer::TooLate));
        match &said {
            Ok(_) | Err(NoAnswer::NotStarted(_)) => self.let_go(run, EPOCH),
            // Its end is heard like that of any attempt that nobody waits for.
            Err(_) => self.stop_attempt(run, EPOCH, StopKind::Kill).await,
        }
        let Said {
            bytes,
            record,
            complaint,
        } = said?;
        match (record.exit_code, record.signal) {
            _ if record.timed_out => Err(NoAnswer::TooLate),
            (Some(0), None) => Ok(bytes),
            (Some(NO), _) => Err(NoAnswer::Wrong),
            (Some(code), _) => Err(NoAnswer::Exit { code, complaint }),
            (None, signal) => Err(NoAnswer::Signal {
                signal: signal.unwrap_or_default(),
                complaint,
            }),
        }
    }
}

fn plan(run: RunId, command: &ExternalCommand, question: Vec<u8>) -> Plan {
    Plan {
        run,
        epoch: EPOCH,
        launch: Launch::Command {
            argv: command.argv.clone(),
        },
        folder: String::new(),
        working_directory: Some("/".to_owned()),
        fingerprint: None,
        invocation: Invocation {
            args: Vec::new(),
            env: Vec::new(),
            stdin: question,
            files: Vec::new(),
        },
        env: Vec::new(),
        timeout: Some(command.timeout),
        stop_grace: GRACE,
        sandbox: Sandbox::default(),
        process_limits: ProcessLimits::default(),
        run_as: None,
    }
}

/// What it wrote and how it ended.
struct Said {
    bytes: Vec<u8>,
    record: ExitRecord,
    complaint: Vec<u8>,
}

async fn to_the_end(reports: &mut mpsc::UnboundedReceiver<Report>) -> Result<Said, NoAnswer> {
    let mut reading: Option<JoinHandle<io::Result<Vec<u8>>>> = None;
    let mut complaining: Option<JoinHandle<Vec<u8>>> = None;
    let (mut said, mut ended) = (None, None);
    loop {
        tokio::select! {
            report = reports.recv() => match report {
                Some(Report::Started(started)) if reading.is_none() => {
                    reading = Some(tokio::task::spawn_blocking(|| read(started.stdout)));
                    complaining = Some(tokio::task::spawn_blocking(|| beginning(started.stderr)));
                }
                Some(Report::Refused { reason, .. }) => {
                    return Err(NoAnswer::NotStarted(reason.to_string()));
                }
                Some(Report::Exited { record, .. }) => ended = Some(record),
                Some(Report::Ran { record, .. }) => {
                    let (bytes, complaint) = (Vec::new(), Vec::new());
                    return Ok(Said { bytes, record, complaint });
                }
                Some(_) => {}
                None => return Err(NoAnswer::NotStarted("the server ends".to_owned())),
            },
            read = finished(&mut reading), if said.is_none() => {
                let bytes = read.map_err(NoAnswer::Unread)?;
                if bytes.len() as u64 > LARGEST {
                    return Err(NoAnswer::TooMuch);
                }
                said = Some(bytes);
            }
        }
        if let (Some(bytes), Some(record)) = (&mut said, &mut ended) {
            return Ok(Said {
                bytes: std::mem::take(bytes),
                record: std::mem::take(record),
                complaint: complaint(complaining).await,
            });
        }
    }
}

async fn finished(reading: &mut Option<JoinHandle<io::Result<Vec<u8>>>>) -> io::Result<Vec<u8>> {
    match reading {
        Some(reading) => reading.await.unwrap_or_else(|lost| Err(lost.into())),
        None => std::future::pending().await,
    }
}

/// All of it, or a little more than it may say. Ends when the command ends, which the runner sees to.
fn read(pipe: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(pipe).take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

async fn complaint(complaining: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    let Some(complaining) = complaining else {
        return Vec::new();
    };
    // Whoever holds the pipe still is not waited for.
    let read = tokio::time::timeout(GRACE, complaining).await;
    read.ok().and_then(Result::ok).unwrap_or_default()
}

/// The beginning of it; the rest is read and forgotten.
fn beginning(pipe: OwnedFd) -> Vec<u8> {
    let (mut bytes, mut pipe) = (Vec::new(), File::from(pipe));
    let _ = Read::by_ref(&mut pipe)
        .take(LONGEST_COMPLAINT)
        .read_to_end(&mut bytes);
    let _ = io::copy(&mut pipe, &mut io::sink());
    bytes
}
