//! The life of a run: a pure state machine.
//!
//! Every report names the epoch it belongs to. A report of another epoch changes nothing, and the
//! first terminal record wins. A process that may have started is never started again by itself,
//! unless its script says that this is harmless.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::Epoch;
use crate::quantity::{say_duration, say_size};
use crate::sandbox::{ProcessLimits, USUAL_PROCESSES};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for a free slot.
    Queued,
    /// Handed to the runner; nobody knows yet whether a process exists.
    Starting,
    /// Its process runs.
    Running,
    /// It was told to end.
    Stopping,
    /// It has an outcome.
    Ended,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With an exit code that means success.
    Succeeded,
    /// With another exit code.
    Failed,
    /// By a signal that Stagedoor did not send.
    Signalled,
    /// It ran longer than its `timeout`.
    TimedOut,
    /// Someone stopped it.
    Cancelled,
    /// It wrote more than its limit, or went beyond another one of its definition.
    OverLimit,
    /// It was never started, for a reason that is recorded.
    Refused,
    /// Nobody can tell how, or whether, it ended.
    Lost,
}

/// Why a run was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Someone asked for it.
    Asked,
    /// It wrote more than its limit.
    Output,
}

macro_rules! words {
    ($type:ident, $($variant:ident = $word:literal),+ $(,)?) => {
        impl $type {
            /// Every value with its word in the API and the store.
            pub const ALL: &'static [(&'static str, $type)] = &[$(($word, $type::$variant)),+];

            /// The word in the API and the store.
            pub fn word(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }

            /// From the word; anything else is `None`.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().find(|(w, _)| *w == word).map(|(_, value)| *value)
            }
        }
    };
}

words!(
    State,
    Queued = "queued",
    Starting = "starting",
    Running = "running",
    Stopping = "stopping",
    Ended = "ended",
);
words!(
    Outcome,
    Succeeded = "succeeded",
    Failed = "failed",
    Signalled = "signalled",
    TimedOut = "timed_out",
    Cancelled = "cancelled",
    OverLimit = "over_limit",
    Refused = "refused",
    Lost = "lost",
);
words!(StopCause, Asked = "asked", Output = "output");

/// A limit that a run went beyond, with its value. As text: what it was, and where to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Limit {
    /// How long it may run.
    #[error("It may run for {} (`timeout` in its definition).", say_duration(*.0))]
    Time(Duration),
    /// Bytes of one stream of its output.
    #[error("Each stream of its output may have {} (`limits.output` in its definition, or in stagedoor.toml).", say_size(*.0))]
    Output(u64),
    /// Bytes of a file.
    #[error("A file that it writes may have {} (`limits.file_size` in its definition).", say_size(*.0))]
    FileSize(u64),
    /// Processor time of a process.
    #[error("A process of it may use {} of a processor's time (`limits.cpu` in its definition).", say_duration(*.0))]
    Cpu(Duration),
    /// Bytes of memory of all that it starts.
    #[error("All that it starts may together use {} of memory (`limits.memory` in its definition).", say_size(*.0))]
    Memory(u64),
    /// Processes and threads of all that it starts.
    #[error(
        "It may have {0} processes and threads at once (`limits.processes` in its definition)."
    )]
    Processes(u64),
}

/// Which bounds of a whole run the system had to enforce.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// It killed a process, because there was no more memory for all of them.
    pub memory: bool,
    /// It refused one more process.
    pub processes: bool,
}

impl Limit {
    /// The limit of these that such an end tells of. A shell whose command was ended by a signal gives
    /// 128 and its number as its own exit code.
    pub fn behind(exit: &Exit, met: Met, limits: &ProcessLimits) -> Option<Self> {
        if exit.code == Some(0) {
            return None;
        }
        let usual = limits.processes.unwrap_or(USUAL_PROCESSES);
        let memory = limits.memory.filter(|_| met.memory).map(Self::Memory);
        let processes = met.processes.then_some(Self::Processes(usual));
        memory
            .or(processes)
            .or_else(|| Self::by_signal(exit, limits))
    }

    fn by_signal(exit: &Exit, limits: &ProcessLimits) -> Option<Self> {
        let signal = exit.signal.or(exit.code.map(|code| code - 128))?;
        match signal {
            SIGXFSZ => limits.file_size.map(Self::FileSize),
            SIGXCPU => limits.cpu.map(Self::Cpu),
            _ => None,
        }
    }
}

/// Its numbers are the same on every Linux that is served.
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;
const SIGSYS: i32 = 31;

/// How the main process of an attempt ended, as the runner saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The runner ended it because its time was over.
    pub timed_out: bool,
    /// The runner had sent it a signal before it ended.
    pub stopped: bool,
    /// What it went beyond, where that is known.
    pub limit: Option<Limit>,
}

/// How a run ended, in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In one word.
    pub outcome: Outcome,
    /// For people, where the outcome alone does not say enough.
    pub reason: Option<String>,
    /// As the runner saw it; none when no process was seen to end.
    pub exit: Option<Exit>,
}

/// What is known of a run's life. A value: [`step`] makes the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Where it stands.
    pub state: State,
    /// The attempt that counts.
    pub epoch: Epoch,
    /// Set once it was told to end.
    pub stop: Option<StopCause>,
    /// Set with [`State::Ended`].
    pub ending: Option<Ending>,
    /// The script says that starting it twice is harmless.
    pub idempotent: bool,
    /// Exit codes that mean success.
    pub success_exit: Vec<i32>,
}

impl Life {
    /// A run that was just accepted.
    pub fn accepted(idempotent: bool, success_exit: Vec<i32>) -> Self {
        Self {
            state: State::Queued,
            epoch: Epoch::default(),
            stop: None,
            ending: None,
            idempotent,
            success_exit,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A slot is free for it.
    Claimed,
    /// Its process exists.
    Started(Epoch),
    /// The runner did not start it, and says why.
    Refused(Epoch, String),
    /// It is certain that the runner never got this attempt.
    NeverStarted(Epoch),
    /// The runner that had this attempt is gone, and nobody can tell what became of it.
    Unknown(Epoch),
    /// It is to end.
    Stop(StopCause),
    /// Its main process ended and its output is complete.
    Exited(Epoch, Exit),
}

/// What is to be done about it, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Hand this attempt to the runner, after the record is on disk.
    Start(Epoch),
    /// Put it in the queue again.
    Requeue,
    /// Tell the runner to end the attempt: TERM, and KILL after the grace.
    Stop(Epoch),
    /// Tell the runner to kill an attempt that should not exist.
    Kill(Epoch),
    /// Write the new life to the store.
    Record,
    /// Its slot is free for another run.
    Release,
    /// The runner need not keep this attempt any longer; only after the record is on disk.
    Forget(Epoch),
}

/// The next life of a run, and what to do. Total: every event is answered in every state.
#[must_use]
pub fn step(life: &Life, event: &Event) -> (Life, Vec<Effect>) {
    match event {
        Event::Claimed => claimed(life),
        Event::Started(epoch) => started(life, *epoch),
        Event::Refused(epoch, reason) => refused(life, *epoch, reason),
        Event::NeverStarted(epoch) => never_started(life, *epoch),
        Event::Unknown(epoch) => unknown(life, *epoch),
        Event::Stop(cause) => stop(life, *cause),
        Event::Exited(epoch, exit) => exited(life, *epoch, *exit),
    }
}

fn unchanged(life: &Life) -> (Life, Vec<Effect>) {
    (life.clone(), Vec::new())
}

fn is_live(life: &Life, epoch: Epoch) -> bool {
    life.epoch == epoch
        && matches!(
            life.state,
            State::Starting | State::Running | State::Stopping
        )
}

fn end(life: &Life, ending: Ending, forget: Option<Epoch>) -> (Life, Vec<Effect>) {
    let next = Life {
        state: State::Ended,
        ending: Some(ending),
        ..life.clone()
    };
    // The slot first: the next run need not wait for this one's record.
    let mut effects = vec![Effect::Release, Effect::Record];
    effects.extend(forget.map(Effect::Forget));
    (next, effects)
}

fn without_process(outcome: Outcome, reason: Option<String>) -> Ending {
    Ending {
        outcome,
        reason,
        exit: None,
    }
}

fn claimed(life: &Life) -> (Life, Vec<Effect>) {
    if life.state != State::Queued {
        return unchanged(life);
    }
    let epoch = life.epoch.next();
    let next = Life {
        state: State::Starting,
        epoch,
        ..life.clone()
    };
    (next, vec![Effect::Record, Effect::Start(epoch)])
}

fn started(life: &Life, epoch: Epoch) -> (Life, Vec<Effect>) {
    match life.state {
        State::Starting if life.epoch == epoch && life.stop.is_some() => (
            Life {
                state: State::Stopping,
                ..life.clone()
            },
            vec![Effect::Stop(epoch), Effect::Record],
        ),
        State::Starting if life.epoch == epoch => (
            Life {
                state: State::Running,
                ..life.clone()
            },
            vec![Effect::Record],
        ),
        State::Running | State::Stopping if life.epoch == epoch => unchanged(life),
        // A process that no record vouches for: it may not go on beside the one that counts.
        _ => (life.clone(), vec![Effect::Kill(epoch)]),
    }
}

fn refused(life: &Life, epoch: Epoch, reason: &str) -> (Life, Vec<Effect>) {
    if life.state == State::Starting && life.epoch == epoch {
        let ending = without_process(Outcome::Refused, Some(reason.to_owned()));
        end(life, ending, Some(epoch))
    } else {
        (life.clone(), vec![Effect::Forget(epoch)])
    }
}

fn never_started(life: &Life, epoch: Epoch) -> (Life, Vec<Effect>) {
    if life.state != State::Starting || life.epoch != epoch {
        return unchanged(life);
    }
    if life.stop.is_some() {
        return end(life, without_process(Outcome::Cancelled, None), None);
    }
    let next = Life {
        state: State::Queued,
        ..life.clone()
    };
    (next, vec![Effect::Record, Effect::Release, Effect::Requeue])
}

fn unknown(life: &Life, epoch: Epoch) -> (Life, Vec<Effect>) {
    if !is_live(life, epoch) {
        return unchanged(life);
    }
    if life.idempotent && life.stop.is_none() {
        let next = Life {
            state: State::Queued,
            ..life.clone()
        };
        return (next, vec![Effect::Record, Effect::Release, Effect::Requeue]);
    }
    let reason = match life.state {
        State::Starting => {
            "The process that starts scripts ended just as this run was handed to it. \
             It is not known whether the script started."
        }
        _ => {
            "The process that watches scripts ended while this run was going on. \
             The script had started; it is not known how it ended."
        }
    };
    end(
        life,
        without_process(Outcome::Lost, Some(reason.to_owned())),
        None,
    )
}

fn stop(life: &Life, cause: StopCause) -> (Life, Vec<Effect>) {
    if life.stop.is_some() {
        return unchanged(life);
    }
    let next = Life {
        stop: Some(cause),
        ..life.clone()
    };
    match life.state {
        State::Queued => end(&next, without_process(Outcome::Cancelled, None), None),
        // Whether a process exists is not known yet: the stop waits for the answer.
        State::Starting => (next, vec![Effect::Record]),
        State::Running => (
            Life {
                state: State::Stopping,
                ..next
            },
            // First, because a full disk must not keep a run going.
            vec![Effect::Stop(life.epoch), Effect::Record],
        ),
        State::Stopping | State::Ended => unchanged(life),
    }
}

fn exited(life: &Life, epoch: Epoch, exit: Exit) -> (Life, Vec<Effect>) {
    if !is_live(life, epoch) {
        return (life.clone(), vec![Effect::Forget(epoch)]);
    }
    let ending = Ending {
        outcome: judge(life, exit),
        reason: exit
            .limit
            .map(|limit| limit.to_string())
            .or_else(|| forbidden(exit)),
        exit: Some(exit),
    };
    end(life, ending, Some(epoch))
}

/// What people cannot know of a signal that the kernel sends where a filter of system calls says so.
fn forbidden(exit: Exit) -> Option<String> {
    (exit.signal == Some(SIGSYS)).then(|| {
        "The kernel ended it for a system call that is not allowed. A program that was built for another \
         kind of processor than this machine's, a 32-bit one for example, ends so in a sandbox."
            .to_owned()
    })
}

fn judge(life: &Life, exit: Exit) -> Outcome {
    match (life.stop, exit.code, exit.signal) {
        _ if exit.timed_out => Outcome::TimedOut,
        (Some(StopCause::Output), ..) => Outcome::OverLimit,
        // Also where the record of that wish was lost: the runner signals nothing of its own accord.
        _ if exit.stopped => Outcome::Cancelled,
        _ if exit.limit.is_some() => Outcome::OverLimit,
        (_, Some(code), _) if life.success_exit.contains(&code) => Outcome::Succeeded,
        (_, Some(_), _) => Outcome::Failed,
        (_, None, Some(_)) => Outcome::Signalled,
        (_, None, None) => Outcome::Lost,
    }
}

#[cfg(test)]
mod tests;
