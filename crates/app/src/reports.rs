//! Listens to the runner and to the pumps, and turns what they say into events of runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::run::{Event, Exit, Limit, Met, State, StopCause};
use stagedoor_domain::script::Script;
use stagedoor_output::{NotTaken, PumpEvent, Stream};
use stagedoor_runner::{ExitRecord, Report, Reports, Started, StopKind};
use tokio::sync::mpsc;

use crate::app::{App, Fatal};
use crate::live::{Facts, LiveRun};
use crate::recover::say_what_becomes_of;

/// Pause before a pipe that could not be handed to the pumps is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) async fn listen(
    app: App,
    mut reports: Reports,
    mut pump_events: mpsc::UnboundedReceiver<PumpEvent>,
) {
    loop {
        tokio::select! {
            // A few of these follow from each report, so that they cannot keep reports waiting.
            biased;
            Some(event) = pump_events.recv() => handle_pump_event(&app, event),
            report = reports.recv() => match report {
                Report::Gone => return runner_gone(&app),
                report => handle_report(&app, report),
            },
        }
    }
}

pub(crate) fn handle_report(app: &App, report: Report) {
    let Some(report) = app.inner.external.hear(report) else {
        return;
    };
    match report {
        Report::Started(started) => process_started(app, started),
        Report::Refused { run, epoch, reason } => match app.live_run(run) {
            Some(live) => app.happen(&live, &Event::Refused(epoch, reason.to_string())),
            None => app.let_go(run, epoch),
        },
        Report::Exited { run, epoch, record } => match expects(app, run, epoch) {
            Some(live) => process_ended(app, &live, epoch, record),
            None => app.let_go(run, epoch),
        },
        Report::Ran {
            run,
            epoch,
            started_at,
            enforced,
            record,
            ..
        } => match expects(app, run, epoch) {
            Some(live) => {
                live.facts().begun(started_at, enforced);
                ran_silently(app, &live, epoch, record);
            }
            None => app.let_go(run, epoch),
        },
        Report::Complete { .. } => {}
        Report::Gone => runner_gone(app),
    }
}

fn process_started(app: &App, started: Started) {
    let Started {
        run,
        epoch,
        started_at,
        enforced,
        stdout,
        stderr,
        ..
    } = started;
    let Some(live) = expects(app, run, epoch) else {
        tracing::warn!(%run, epoch = epoch.0, "killed a process that no record vouches for");
        // Not waited for either.
        let app = app.clone();
        tokio::spawn(async move { app.stop_attempt(run, epoch, StopKind::Kill).await });
        return;
    };
    live.facts().begun(started_at, enforced);
    keep_output(app, &live, epoch, Stream::Stdout, stdout);
    keep_output(app, &live, epoch, Stream::Stderr, stderr);
    app.happen(&live, &Event::Started(epoch));
    if app.queue().executes(run) {
        app.start_what_may();
    }
}

/// The live run, if this is the attempt that counts.
fn expects(app: &App, run: RunId, epoch: Epoch) -> Option<Arc<LiveRun>> {
    let live = app.live_run(run)?;
    let counts = counts(&live.facts(), epoch);
    counts.then_some(live)
}

fn counts(facts: &Facts, epoch: Epoch) -> bool {
    facts.life.epoch == epoch
        && matches!(
            facts.life.state,
            State::Starting | State::Running | State::Stopping
        )
}

/// Hands a pipe to the pumps. Where that fails (no descriptor is free, no file can be made) the
/// script waits at its full pipe until it works; what is still in the pipe when the run has ended is dropped.
fn keep_output(app: &App, live: &Arc<LiveRun>, epoch: Epoch, stream: Stream, pipe: OwnedFd) {
    let Err(NotTaken { error, pipe }) = attach(app, live, epoch, stream, pipe) else {
        return;
    };
    tracing::error!(run = %live.id, %error, "output cannot be kept; the script waits");
    live.facts().pipes_waiting += 1;
    let (app, live) = (app.clone(), Arc::clone(live));
    tokio::spawn(async move {
        let mut waiting = pipe;
        loop {
            tokio::time::sleep(RETRY).await;
            match attach(&app, &live, epoch, stream, waiting) {
                Ok(is_taken) => {
                    live.facts().pipes_waiting -= 1;
                    finish_if_ended(&app, &live, epoch);
                    if is_taken {
                        tracing::info!(run = %live.id, "output is kept again");
                    }
                    return;
                }
                Err(not_taken) => waiting = not_taken.pipe,
            }
        }
    });
}

/// The run must not end in between, which happens under the same lock: who masks its output then has to
/// meet this pipe. What comes after the end is not kept; then the answer is false.
fn attach(
    app: &App,
    live: &LiveRun,
    epoch: Epoch,
    stream: Stream,
    pipe: OwnedFd,
) -> Result<bool, NotTaken> {
    let cap = output_cap(app, live);
    let facts = live.facts();
    if !counts(&facts, epoch) {
        tracing::warn!(run = %live.id, ?stream, "this run has ended before its output could be taken");
        return Ok(false);
    }
    let attached = app.inner.outputs.attach(live.id, epoch, stream, pipe, cap);
    attached.map(|()| true)
}

/// Most bytes of each stream.
fn output_cap(app: &App, live: &LiveRun) -> u64 {
    let limit = live.script.as_ref().and_then(|script| script.limits.output);
    limit.unwrap_or(app.options().output_cap)
}

/// The main process ended. The run ends when its output is complete too.
fn process_ended(app: &App, live: &Arc<LiveRun>, epoch: Epoch, record: ExitRecord) {
    let is_complete = {
        let mut facts = live.facts();
        facts.exit = Some((epoch, record));
        facts.output.is_some_and(|(of, ..)| of == epoch)
    };
    if is_complete {
        end(app, live, epoch);
    } else {
        finish_if_ended(app, live, epoch);
    }
}

/// It has ended, and there is no output to wait for.
fn ran_silently(app: &App, live: &Arc<LiveRun>, epoch: Epoch, record: ExitRecord) {
    {
        let mut facts = live.facts();
        facts.exit = Some((epoch, record));
        facts.output = Some((epoch, 0, 0));
    }
    end(app, live, epoch);
}

/// Tells the pumps that the process has ended, once they have both of its pipes: what they do not
/// have then counts as empty.
fn finish_if_ended(app: &App, live: &LiveRun, epoch: Epoch) {
    let is_due = {
        let facts = live.facts();
        facts.exit.is_some() && facts.pipes_waiting == 0
    };
    if is_due {
        app.inner.outputs.finish(live.id, epoch);
    }
}

fn handle_pump_event(app: &App, event: PumpEvent) {
    match event {
        PumpEvent::Closed {
            run,
            epoch,
            stdout,
            stderr,
            lost,
        } => {
            let Some(live) = expects(app, run, epoch) else {
                return;
            };
            let has_ended = {
                let mut facts = live.facts();
                facts.output = Some((epoch, stdout, stderr));
                facts.lost = lost;
                facts.exit.is_some()
            };
            if has_ended {
                end(app, &live, epoch);
            }
        }
        PumpEvent::OverLimit { run, epoch, .. } => {
            if let Some(live) = expects(app, run, epoch) {
                app.happen(&live, &Event::Stop(StopCause::Output));
            }
        }
        PumpEvent::Stalled {
            run, file, error, ..
        } => {
            tracing::error!(%run, file, %error, "output cannot be written; the script waits");
        }
        PumpEvent::Resumed { run, .. } => tracing::info!(%run, "output is written again"),
    }
}

fn end(app: &App, live: &Arc<LiveRun>, epoch: Epoch) {
    let (exit, is_unrecorded_limit) = {
        let facts = live.facts();
        let cap = output_cap(app, live);
        let exit = facts.exit.as_ref().map(|(_, record)| {
            let (script, stop) = (live.script.as_deref(), facts.life.stop);
            let exit = Exit {
                code: record.exit_code,
                signal: record.signal,
                timed_out: record.timed_out,
                stopped: record.stopped,
                limit: None,
            };
            Exit {
                limit: limit_behind(script, stop, &exit, record.met, cap),
                ..exit
            }
        });
        let is_full = facts
            .output
            .is_some_and(|(_, stdout, stderr)| stdout.max(stderr) >= cap);
        let is_stopped = exit.is_some_and(|exit| exit.stopped) && facts.life.stop.is_none();
        (exit, is_stopped && is_full)
    };
    // A server that had it stopped for its output may have died before it could note that.
    if is_unrecorded_limit {
        app.happen(live, &Event::Stop(StopCause::Output));
    }
    if let Some(exit) = exit {
        app.happen(live, &Event::Exited(epoch, exit));
    }
}

/// The limit that ended it, if one did and its script is still known.
fn limit_behind(
    script: Option<&Script>,
    stop: Option<StopCause>,
    exit: &Exit,
    met: Met,
    cap: u64,
) -> Option<Limit> {
    let script = script?;
    match stop {
        _ if exit.timed_out => script.timeout.map(Limit::Time),
        Some(StopCause::Output) => Some(Limit::Output(cap)),
        _ if exit.stopped => None,
        _ => Limit::behind(exit, met, &script.process_limits),
    }
}

/// Nobody can tell any more how the running scripts end.
fn runner_gone(app: &App) {
    if app.inner.is_leaving.load(Ordering::Acquire) {
        return;
    }
    // First, so that nothing that is queued again is handed to a runner that is not there.
    app.inner.fatal.send_replace(Some(Fatal::RunnerGone));
    let runs: Vec<_> = app.live().values().cloned().collect();
    for run in runs {
        let (epoch, state) = {
            let facts = run.facts();
            (facts.life.epoch, facts.life.state)
        };
        app.happen(&run, &Event::Unknown(epoch));
        if !matches!(state, State::Queued | State::Ended) {
            say_what_becomes_of(&run);
        }
    }
}
