//! Takes over what an earlier server left: every unfinished run of the store is put beside what
//! the runner still holds, and each gets the event that is true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stagedoor_catalog::Snapshot;
use stagedoor_domain::arguments::CheckedArgs;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::run::{Event, Life, State};
use stagedoor_domain::script::{Fingerprint, Script};
use stagedoor_runner::{Report, Reports, StopKind};
use stagedoor_store::{RunRecord, StoreError};
use tokio::task::JoinSet;

use crate::app::App;
use crate::live::{About, Facts, LiveRun};
use crate::reports::handle_report;
use crate::session_key::RequestKey;

/// Returns the reports, from which everything that the runner held has been read, and what is still
/// being written of attempts that it did not hold.
pub(crate) async fn recover(
    app: &App,
    mut reports: Reports,
) -> Result<(Reports, JoinSet<()>), StoreError> {
    let (mut held, starting) = held(&mut reports).await;
    // A runner that ended while it told has not told all.
    let knows_all = starting.is_some() && reports.knows_all();
    let starting = starting.unwrap_or_default();
    // Every slot that is taken counts before anything that happens here can free one.
    let mut handed_over = Vec::new();
    let mut waiting = 0;
    let scripts = app.catalog().await;
    for record in app.inner.store.unfinished_runs().await? {
        let (state, epoch) = (record.state, record.epoch);
        let run = restore(app, &scripts, record);
        app.live().insert(run.id, Arc::clone(&run));
        if matches!(state, State::Queued | State::Ended) {
            app.queue().restore_waiting(run.entry());
            waiting += 1;
        } else {
            app.queue()
                .restore_running(&run.entry(), state == State::Starting);
            handed_over.push((run, state, epoch));
        }
    }
    if waiting + handed_over.len() > 0 {
        let had_begun = handed_over.len();
        tracing::info!(
            had_begun,
            waiting,
            "an earlier server left runs without an outcome"
        );
    }
    let other_attempts: BTreeSet<RunId> = held.keys().chain(&starting).map(|key| key.0).collect();
    let mut unheld = JoinSet::new();
    for (run, state, epoch) in handed_over {
        match held.remove(&(run.id, epoch)) {
            Some(reports) => {
                for report in reports {
                    handle_report(app, report);
                }
                // The earlier server may have ended between its record and its word.
                if state == State::Stopping {
                    app.stop_attempt(run.id, epoch, StopKind::Term).await;
                }
            }
            // Its report is on the way.
            None if starting.contains(&(run.id, epoch)) => {}
            None => {
                let is_alone = !other_attempts.contains(&run.id);
                let event = if knows_all && is_alone && state == State::Starting {
                    // The server ended before it handed it over.
                    Event::NeverStarted(epoch)
                } else {
                    // The runner that had it is gone, or may be.
                    Event::Unknown(epoch)
                };
                let effects = app.decide(&run, &event);
                if matches!(event, Event::Unknown(_)) {
                    say_what_becomes_of(&run);
                }
                let app = app.clone();
                unheld.spawn(async move { app.carry_out(&run, effects).await });
            }
        }
    }
    // What no row vouches for, or an old epoch of a run, is ended or forgotten; what has ended, be it just
    // before the earlier server did, is only forgotten.
    for ((run, epoch), reports) in held {
        let has_ended = |report: &Report| matches!(report, Report::Exited { .. });
        if reports.iter().any(has_ended) {
            app.let_go(run, epoch);
            continue;
        }
        for report in reports {
            handle_report(app, report);
        }
    }
    Ok((reports, unheld))
}

/// Nobody holds its attempt any more.
pub(crate) fn say_what_becomes_of(run: &LiveRun) {
    let (id, script) = (run.id, &run.script_name);
    if run.facts().life.state == State::Queued {
        tracing::warn!(run = %id, %script, "nobody knows how this run went on; it is started once more");
    } else {
        tracing::warn!(run = %id, %script, "nobody knows how this run went on; its outcome is `lost`");
    }
}

/// Waits until all of it is written.
pub(crate) async fn account(app: App, mut unheld: JoinSet<()>) {
    while unheld.join_next().await.is_some() {}
    app.inner.is_accounted.send_replace(true);
}

/// In order of runs, so that a recovery always goes the same way.
type Held = BTreeMap<(RunId, Epoch), Vec<Report>>;

/// What the runner holds of an earlier server, and what it was starting just now; none for that if
/// it ended before it had told everything.
async fn held(reports: &mut Reports) -> (Held, Option<Vec<(RunId, Epoch)>>) {
    let mut held = Held::new();
    loop {
        let report = reports.recv().await;
        let key = match &report {
            Report::Started(started) => (started.run, started.epoch),
            Report::Refused { run, epoch, .. }
            | Report::Exited { run, epoch, .. }
            | Report::Ran { run, epoch, .. } => (*run, *epoch),
            Report::Complete { starting } => return (held, Some(starting.clone())),
            Report::Gone => return (held, None),
        };
        held.entry(key).or_default().push(report);
    }
}

fn restore(app: &App, scripts: &Snapshot, record: RunRecord) -> Arc<LiveRun> {
    let script = scripts
        .get(&record.script)
        .map(|script| as_it_was(script, record.fingerprint));
    let secrets = app.secrets_of(&record);
    // What no attempt was claimed for has printed nothing.
    let has_printed = record.epoch > Epoch::default();
    let withheld = secrets.as_ref().err().copied().filter(|_| has_printed);
    if let Some(why) = withheld {
        app.withhold(record.id, why);
    }
    let of_args = secrets.as_ref().ok().map(|secrets| secrets.args.clone());
    let secrets = secrets.unwrap_or_default();
    app.hide(record.id, script.as_deref(), &secrets);
    let args = script
        .as_ref()
        .and_then(|script| CheckedArgs::restore(script, &record.args, of_args?));
    let life = Life {
        state: record.state,
        epoch: record.epoch,
        stop: record.stop,
        ..Life::accepted(
            script.as_ref().is_some_and(|script| script.idempotent),
            script
                .as_ref()
                .map_or_else(|| vec![0], |script| script.success_exit.clone()),
        )
    };
    let facts = Facts {
        started_at: record.started_at,
        given: secrets.given,
        withheld,
        ..Facts::new(life)
    };
    let about = About {
        id: record.id,
        user: record.user,
        user_name: record.user_name,
        script_name: record.script,
        script,
        args,
        history: record.args,
        created_at: record.created_at,
        request: record.request_key.map(RequestKey),
        request_digest: record.request_digest,
    };
    Arc::new(LiveRun::new(about, facts, true))
}

/// The script with the file that was checked when the run was asked for: the runner refuses
/// another one, however long the run has waited.
fn as_it_was(script: &Arc<Script>, checked: Option<Fingerprint>) -> Arc<Script> {
    if checked.is_none() || checked == script.fingerprint {
        return Arc::clone(script);
    }
    let mut script = Script::clone(script);
    script.fingerprint = checked;
    Arc::new(script)
}
