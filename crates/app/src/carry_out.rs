//! Carries out what the machine of a run's life decided.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::run::{Effect, Event, State};
use stagedoor_domain::script::Script;
use stagedoor_runner::{Plan, SendError, StopKind};
use stagedoor_store::RunUpdate;

use crate::app::App;
use crate::live::LiveRun;
use crate::prepare::{GONE, Prepared, starts};

/// First pause before an outcome is written again after the store refused it.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest such pause.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl App {
    pub(crate) async fn carry_out(&self, run: &Arc<LiveRun>, effects: Vec<Effect>) {
        self.carry_out_with(run, effects, None).await;
    }

    /// The same, where it was prepared before what an attempt is started with.
    pub(crate) async fn carry_out_with(
        &self,
        run: &Arc<LiveRun>,
        effects: Vec<Effect>,
        mut prepared: Option<Prepared>,
    ) {
        let on_disk = run.on_disk.lock().await;
        if !*on_disk {
            // The queue gave a slot to a run that was not accepted after all.
            return;
        }
        if prepared.is_none() && starts(&effects) {
            prepared = Some(self.prepare(run).await);
        }
        for effect in effects {
            match effect {
                Effect::Record => self.record(run, prepared.as_ref()).await,
                Effect::Start(epoch) => self.hand_over(run, epoch, prepared.take()).await,
                Effect::Requeue => {
                    self.queue().restore_waiting(run.entry());
                    self.start_what_may();
                }
                Effect::Stop(epoch) => self.stop_attempt(run.id, epoch, StopKind::Term).await,
                Effect::Kill(epoch) => self.stop_attempt(run.id, epoch, StopKind::Kill).await,
                Effect::Release => {
                    self.queue().release(run.id);
                    self.start_what_may();
                }
                Effect::Forget(epoch) => self.let_go(run.id, epoch),
            }
        }
    }

    /// Writes the life of the run. An outcome is written until it is on disk, then told to who
    /// waits for it. So is a claim, which a start follows: else the next server would not know of
    /// this attempt and start it once more. And so is the wish that it ends, which somebody was
    /// promised. Anything else may be written later, because the runner knows it too.
    async fn record(&self, run: &Arc<LiveRun>, prepared: Option<&Prepared>) {
        let view = Arc::new(run.view());
        let is_ended = view.is_ended();
        // First: the record drops the sealed values by which the output is masked.
        let is_masked = !is_ended || self.mask_output(run).await;
        if !is_ended {
            run.changes.send_replace(Arc::clone(&view));
        }
        let must = is_ended || prepared.is_some() || view.stop.is_some();
        let update = RunUpdate {
            is_unmasked: !is_masked,
            // With the claim: who has to mask later has no other place to know it from.
            secrets: prepared.and_then(|prepared| prepared.sealed.clone()),
            ..update_of(run, is_masked)
        };
        let mut pause = FIRST_PAUSE;
        loop {
            match self.inner.store.update_run(update.clone()).await {
                Ok(_) => break,
                Err(error) if must => {
                    tracing::error!(run = %run.id, %error, "could not record what became of a run; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(run = %run.id, %error, "could not record a change of state");
                    break;
                }
            }
        }
        if is_ended {
            if is_masked {
                self.inner.outputs.reveal(run.id);
            }
            self.live().remove(&run.id);
            // A record of an earlier event may be the one that writes the end; then it has its slot still.
            self.queue().release(run.id);
            run.changes.send_replace(view);
        }
    }

    /// Writes that a run is running, if it still is.
    pub(crate) async fn record_running(&self, run: &Arc<LiveRun>) {
        let on_disk = run.on_disk.lock().await;
        if !*on_disk || run.facts().life.state != State::Running {
            return;
        }
        if let Err(error) = self.inner.store.update_run(update_of(run, true)).await {
            tracing::warn!(run = %run.id, %error, "could not record a change of state");
        }
    }

    /// A runner that cannot be told has ended, which is reported by itself.
    pub(crate) async fn stop_attempt(&self, run: RunId, epoch: Epoch, kind: StopKind) {
        if let Err(error) = self.inner.runner.stop(run, epoch, kind, "stopped").await {
            tracing::warn!(%run, %error, "could not stop an attempt");
        }
    }

    /// Hands an attempt to the runner. What cannot be handed over is refused.
    async fn hand_over(&self, run: &Arc<LiveRun>, epoch: Epoch, prepared: Option<Prepared>) {
        let refuse = |why: &str| self.happen(run, &Event::Refused(epoch, why.to_owned()));
        let (Some(script), Some(prepared)) = (&run.script, prepared) else {
            return refuse(GONE);
        };
        if let Some(why) = &script.disabled {
            return refuse(&format!("The script is disabled: {why}"));
        }
        let invocation = match prepared.invocation {
            Ok(invocation) => invocation,
            Err(why) => return refuse(&why),
        };
        self.hide_given(run, script);
        let env = self.environment_for(run, script);
        let plan = Plan::of(script, (run.id, epoch), invocation, env);
        let started = self.inner.runner.start(plan).await;
        run.is_handed_over.store(true, Ordering::Release);
        match started {
            Ok(()) => {}
            Err(SendError::Gone) => self.happen(run, &Event::NeverStarted(epoch)),
            Err(error) => refuse(&format!(
                "The script could not be handed to the process that starts it: {error}."
            )),
        }
    }

    /// Constants of the definition, what it inherits, and what tells the script about its run.
    fn environment_for(&self, run: &LiveRun, script: &Script) -> Vec<(String, String)> {
        let options = self.options();
        let given = &options.environment;
        let passed_on = |name: &String| {
            given
                .get(name)
                .map(|value| (name.clone(), value.to_owned()))
        };
        let time_zone = given
            .get("TZ")
            .map(|zone| ("TZ".to_owned(), zone.to_owned()));
        let own = [
            ("STAGEDOOR_RUN_ID".to_owned(), run.id.to_string()),
            ("STAGEDOOR_SCRIPT".to_owned(), script.name.to_string()),
            ("STAGEDOOR_USER".to_owned(), run.user_name.to_string()),
        ];
        time_zone
            .into_iter()
            .chain(script.inherit_env.iter().filter_map(passed_on))
            .chain(script.env.iter().cloned())
            .chain(own)
            .collect()
    }
}

fn update_of(run: &LiveRun, is_masked: bool) -> RunUpdate {
    let facts = run.facts();
    let life = &facts.life;
    let ending = life.ending.as_ref();
    let exit = ending.and_then(|ending| ending.exit);
    let sizes = facts.output.filter(|(epoch, ..)| *epoch == life.epoch);
    RunUpdate {
        stop: life.stop,
        outcome: ending.map(|ending| ending.outcome),
        // What may pass is not for the record, nor what whoever masks later will write there.
        reason: facts.reason(|why| is_masked && ending.is_some() && !why.may_pass()),
        exit_code: exit.and_then(|exit| exit.code),
        signal: exit.and_then(|exit| exit.signal),
        leftovers: facts.exit.as_ref().map(|(_, record)| record.leftovers),
        stdout_bytes: sizes.map(|(_, stdout, _)| stdout),
        stderr_bytes: sizes.map(|(_, _, stderr)| stderr),
        started_at: facts.started_at,
        enforced: facts.enforced.clone(),
        ended_at: facts.ended_at,
        clear_secrets: life.state == State::Ended,
        ..RunUpdate::new(run.id, life.epoch, life.state)
    }
}
