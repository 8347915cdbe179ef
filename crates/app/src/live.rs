//! A run that has no outcome yet: its life, and who waits to hear of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stagedoor_domain::arguments::CheckedArgs;
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{ScriptName, UserName};
use stagedoor_domain::quantity::say_size;
use stagedoor_domain::queue::Entry;
use stagedoor_domain::run::{Effect, Event, Life, State, step};
use stagedoor_domain::sandbox::Enforced;
use stagedoor_domain::script::Script;
use stagedoor_domain::time::Timestamp;
use stagedoor_runner::ExitRecord;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::app::App;
use crate::session_key::RequestKey;
use crate::view::RunView;
use crate::withheld::{Withheld, with_notice};

/// What does not change about a run.
pub(crate) struct About {
    pub(crate) id: RunId,
    pub(crate) user: UserId,
    pub(crate) user_name: UserName,
    pub(crate) script_name: ScriptName,
    /// As it was when the run was accepted; none when it was gone at a restart.
    pub(crate) script: Option<Arc<Script>>,
    /// With secrets, in memory only; none when they could not be restored.
    pub(crate) args: Option<CheckedArgs>,
    /// The arguments without secrets.
    pub(crate) history: serde_json::Map<String, serde_json::Value>,
    pub(crate) created_at: Timestamp,
    /// Names the request that asked for it, if it may arrive twice.
    pub(crate) request: Option<RequestKey>,
    /// What that request asked for, secrets included.
    pub(crate) request_digest: Option<[u8; 32]>,
}

/// A run without an outcome.
pub(crate) struct LiveRun {
    about: About,
    facts: Mutex<Facts>,
    /// Held while effects of this run are carried out, and while its row is inserted. False
    /// until the row is there, and for ever when there is none: then nothing is carried out.
    pub(crate) on_disk: tokio::sync::Mutex<bool>,
    pub(crate) changes: watch::Sender<Arc<RunView>>,
    /// The runner was told of the attempt that counts, or told of it itself.
    pub(crate) is_handed_over: AtomicBool,
}

impl std::ops::Deref for LiveRun {
    type Target = About;
    fn deref(&self) -> &About {
        &self.about
    }
}

/// What changes.
pub(crate) struct Facts {
    pub(crate) life: Life,
    pub(crate) started_at: Option<Timestamp>,
    /// What its attempt is held by, once it was started.
    pub(crate) enforced: Option<Arc<Enforced>>,
    pub(crate) ended_at: Option<Timestamp>,
    /// The runner's record, kept until the output is complete.
    pub(crate) exit: Option<(Epoch, ExitRecord)>,
    /// Pipes that could not be handed to the pumps yet.
    pub(crate) pipes_waiting: usize,
    /// Sizes of both streams once the output is complete.
    pub(crate) output: Option<(Epoch, u64, u64)>,
    /// What its attempts were given in secret beside its arguments, as its row knows it.
    pub(crate) given: Vec<Zeroizing<Vec<u8>>>,
    /// Bytes of its output that could not be kept.
    pub(crate) lost: u64,
    /// Nobody sees its output, for this reason.
    pub(crate) withheld: Option<Withheld>,
}

impl Facts {
    /// The reason of its end, with what is to be said of its output; of output that is withheld only where this
    /// holds for why.
    pub(crate) fn reason(&self, tells: impl Fn(Withheld) -> bool) -> Option<String> {
        let ending = self.life.ending.as_ref();
        let reason = ending.and_then(|ending| ending.reason.clone());
        let lost = (self.lost > 0).then(|| {
            let lost = say_size(self.lost);
            format!(
                "The last {lost} of its output are lost, because a file of it could not be written."
            )
        });
        let withheld = self.withheld.filter(|why| tells(*why));
        let reason = with_notice(reason, lost.as_deref());
        with_notice(reason, withheld.map(Withheld::notice))
    }

    /// Its attempt executes, or has executed.
    pub(crate) fn begun(&mut self, started_at: Timestamp, enforced: Enforced) {
        self.started_at = Some(started_at);
        self.enforced = Some(Arc::new(enforced));
    }

    pub(crate) fn new(life: Life) -> Self {
        Self {
            life,
            started_at: None,
            enforced: None,
            ended_at: None,
            exit: None,
            pipes_waiting: 0,
            output: None,
            lost: 0,
            given: Vec::new(),
            withheld: None,
        }
    }
}

impl About {
    pub(crate) fn entry(&self) -> Entry {
        let limits = self.script.as_ref().map(|script| &script.limits);
        Entry {
            run: self.id,
            user: self.user,
            script: self.script_name.clone(),
            script_running: limits.and_then(|limits| limits.running),
            script_queued: limits.and_then(|limits| limits.queued),
        }
    }

    fn view(&self, facts: &Facts) -> RunView {
        let life = &facts.life;
        let ending = life.ending.as_ref();
        let exit = ending.and_then(|ending| ending.exit);
        let title = self.script.as_ref().map(|script| script.title.clone());
        RunView {
            id: self.id,
            script: self.script_name.clone(),
            title: title.unwrap_or_else(|| self.script_name.to_string()),
            user: self.user_name.clone(),
            user_id: self.user,
            args: self.history.clone(),
            state: life.state,
            outcome: ending.map(|ending| ending.outcome),
            reason: facts.reason(|_| true),
            stop: life.stop,
            exit_code: exit.and_then(|exit| exit.code),
            signal: exit.and_then(|exit| exit.signal),
            epoch: life.epoch,
            queue_position: None,
            leftovers: facts
                .exit
                .as_ref()
                .map_or(0, |(_, record)| record.leftovers),
            enforced: facts.enforced.clone(),
            created_at: self.created_at,
            started_at: facts.started_at,
            ended_at: facts.ended_at,
        }
    }
}

impl LiveRun {
    /// `on_disk`: its row is there already.
    pub(crate) fn new(about: About, facts: Facts, on_disk: bool) -> Self {
        let changes = watch::Sender::new(Arc::new(about.view(&facts)));
        Self {
            about,
            facts: Mutex::new(facts),
            on_disk: tokio::sync::Mutex::new(on_disk),
            is_handed_over: AtomicBool::new(on_disk),
            changes,
        }
    }

    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view(&self) -> RunView {
        self.about.view(&self.facts())
    }

    /// As it may be told: that it has ended only once that is on disk, because the next server
    /// might have to say something else.
    pub(crate) fn told(&self) -> RunView {
        let view = self.view();
        if view.is_ended() {
            return RunView::clone(&self.changes.borrow());
        }
        view
    }
}

impl App {
    /// The one place where something happens to a run: the pure machine decides, then the
    /// effects are carried out in a task of their own, in order.
    pub(crate) fn happen(&self, run: &Arc<LiveRun>, event: &Event) {
        let effects = self.decide(run, event);
        if effects.is_empty() {
            return;
        }
        if effects == [Effect::Record] && run.facts().life.state == State::Running {
            return self.record_later(run);
        }
        let (app, run) = (self.clone(), Arc::clone(run));
        tokio::spawn(async move { app.carry_out(&run, effects).await });
    }

    pub(crate) fn decide(&self, run: &Arc<LiveRun>, event: &Event) -> Vec<Effect> {
        let mut facts = run.facts();
        let (life, effects) = step(&facts.life, event);
        if life.ending.is_some() && facts.ended_at.is_none() {
            let ended_at = facts.exit.as_ref().map(|(_, record)| record.ended_at);
            facts.ended_at = Some(ended_at.unwrap_or_else(|| self.clock().now()));
        }
        facts.life = life;
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::Start(_)))
        {
            run.is_handed_over.store(false, Ordering::Release);
        }
        effects
    }

    /// Gives free slots to waiting runs.
    pub(crate) fn start_what_may(&self) {
        while self.inner.fatal.borrow().is_none() && !self.is_draining() {
            let next = self.queue().start_next();
            let Some(id) = next else { return };
            match self.live_run(id) {
                Some(run) => self.happen(&run, &Event::Claimed),
                None => {
                    self.queue().release(id);
                }
            }
        }
    }
}
