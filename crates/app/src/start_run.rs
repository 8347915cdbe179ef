//! Starts a run: a slot or a place in the queue, a row on disk, then the runner.

use std::sync::Arc;

use stagedoor_domain::access::MayRun;
use stagedoor_domain::arguments::CheckedArgs;
use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::id::RunId;
use stagedoor_domain::queue::{Admission, QueueFull};
use stagedoor_domain::run::{Effect, Event, Life};
use stagedoor_domain::script::Script;
use stagedoor_store::{Inserted, RunRecord, StoreError};

use crate::app::App;
use crate::live::{About, Facts, LiveRun};
use crate::prepare::{Prepared, starts};
use crate::run_secrets::RunSecrets;
use crate::session_key::RequestKey;
use crate::to_the_end::ToTheEnd;
use crate::view::RunView;

/// A run that is on disk.
#[derive(Debug)]
pub struct Accepted {
    /// The run.
    pub run: RunView,
    /// False when the same request had been accepted before.
    pub new: bool,
}

/// Why no run was accepted.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The author disabled the script, for this reason.
    #[error("this script is disabled: {0}")]
    Disabled(String),
    /// A limit of waiting runs is reached.
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// The request's key was used for other arguments.
    #[error("this request was made before with another script or other arguments")]
    OtherArguments,
    /// The server is about to end.
    #[error("the server is stopping")]
    Stopping,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Accepts a run. When this returns, the run is on disk, and it will have an outcome.
    ///
    /// A request with a key that was used before gets the run of that time.
    pub async fn start_run(
        &self,
        permit: MayRun<'_>,
        args: CheckedArgs,
        request: Option<RequestKey>,
        by: Origin,
    ) -> Result<Accepted, StartError> {
        let script = Arc::clone(permit.script());
        if let Some(why) = &script.disabled {
            return Err(StartError::Disabled(why.clone()));
        }
        if self.inner.fatal.borrow().is_some() || self.is_draining() {
            return Err(StartError::Stopping);
        }
        let run = self.new_live_run(&permit, script, args, request);
        let entry = Entry::new(Act::RunStarted, by, run.created_at)
            .on(run.script_name.as_str())
            .with("run", run.id.to_string());
        // A client that goes away must not leave half an acceptance.
        let app = self.clone();
        ToTheEnd::new(async move { app.accept(run, entry).await }).await
    }

    fn new_live_run(
        &self,
        permit: &MayRun<'_>,
        script: Arc<Script>,
        args: CheckedArgs,
        request: Option<RequestKey>,
    ) -> Arc<LiveRun> {
        let now = self.clock().now();
        let life = Life::accepted(script.idempotent, script.success_exit.clone());
        let request_digest = request.and_then(|_| self.request_digest(&script, &args));
        let about = About {
            id: RunId::new(now, self.chance()),
            user: permit.user().id,
            user_name: permit.user().name.clone(),
            script_name: script.name.clone(),
            history: args.history(),
            script: Some(script),
            args: Some(args),
            created_at: now,
            request,
            request_digest,
        };
        Arc::new(LiveRun::new(about, Facts::new(life), false))
    }

    /// Tells two requests with one key apart, also by their secrets, which no row keeps.
    fn request_digest(&self, script: &Script, args: &CheckedArgs) -> Option<[u8; 32]> {
        let asked = (&script.name, args.history(), args.secrets());
        let text = serde_json::to_vec(&asked).map(zeroize::Zeroizing::new);
        Some(self.inner.vault.digest("request", &text.ok()?))
    }

    async fn accept(&self, run: Arc<LiveRun>, entry: Entry) -> Result<Accepted, StartError> {
        // Held until the row is there: the queue may claim the run at any moment.
        let mut on_disk = run.on_disk.lock().await;
        self.live().insert(run.id, Arc::clone(&run));
        let inserted = self.admit_and_insert(&run, entry).await;
        *on_disk = matches!(inserted, Ok((Inserted::New, ..)));
        if !*on_disk {
            self.withdraw(&run);
        }
        drop(on_disk);
        match inserted {
            Ok((Inserted::New, effects, prepared)) => {
                self.carry_out_with(&run, effects, prepared).await;
                Ok(Accepted {
                    run: self.placed(run.told()),
                    new: true,
                })
            }
            Ok((Inserted::SameRequest { run, same_args }, ..)) => {
                let earlier = self.run(run).await?.filter(|_| same_args);
                let run = earlier.ok_or(StartError::OtherArguments)?;
                Ok(Accepted { run, new: false })
            }
            Err(StartError::QueueFull(full)) => self.made_before(&run, full).await,
            Err(error) => Err(error),
        }
    }

    /// A queue that is full does not turn away a request that has its run already.
    async fn made_before(&self, run: &LiveRun, full: QueueFull) -> Result<Accepted, StartError> {
        let key = run.request.ok_or(full)?;
        for copy in self.copies_of(key) {
            // One that is just being inserted may be the one.
            drop(copy.on_disk.lock().await);
        }
        let earlier = self.inner.store.run_of_request(key.0).await?.ok_or(full)?;
        let same_secrets = earlier
            .request_digest
            .is_none_or(|digest| Some(digest) == run.request_digest);
        if earlier.script != run.script_name || earlier.args != run.history || !same_secrets {
            return Err(StartError::OtherArguments);
        }
        Ok(Accepted {
            run: self.view_of(earlier, &*self.catalog().await),
            new: false,
        })
    }

    fn copies_of(&self, key: RequestKey) -> Vec<Arc<LiveRun>> {
        let is_copy =
            |run: &&Arc<LiveRun>| run.request == Some(key) && run.facts().life.ending.is_none();
        self.live().values().filter(is_copy).cloned().collect()
    }

    /// Slot and row at once: a run that gets a slot is inserted as starting, in one write.
    async fn admit_and_insert(
        &self,
        run: &Arc<LiveRun>,
        entry: Entry,
    ) -> Result<(Inserted, Vec<Effect>, Option<Prepared>), StartError> {
        let admission = self.queue().admit(run.entry())?;
        let effects = match admission {
            Admission::Start => self.decide(run, &Event::Claimed),
            Admission::Wait => Vec::new(),
        };
        let prepared = if starts(&effects) {
            Some(self.prepare(run).await)
        } else {
            None
        };
        let sealed = prepared.as_ref().and_then(|made| made.sealed.clone());
        let record = self.record_of(run, sealed)?;
        let inserted = self.recorded(entry).insert_run(&record).await?;
        // The row is the record of this first step.
        let effects = effects
            .into_iter()
            .filter(|effect| *effect != Effect::Record)
            .collect();
        Ok((inserted, effects, prepared))
    }

    fn withdraw(&self, run: &LiveRun) {
        self.live().remove(&run.id);
        self.queue().release(run.id);
        self.start_what_may();
    }

    /// With what is sealed of its first attempt, or of its arguments alone.
    fn record_of(&self, run: &LiveRun, sealed: Option<Vec<u8>>) -> Result<RunRecord, StartError> {
        let view = run.view();
        Ok(RunRecord {
            id: view.id,
            script: view.script,
            user: view.user_id,
            user_name: view.user,
            args: view.args,
            secrets: match sealed {
                None => self.sealed_args(run)?,
                sealed => sealed,
            },
            state: view.state,
            stop: None,
            outcome: None,
            reason: None,
            exit_code: None,
            signal: None,
            epoch: view.epoch,
            leftovers: 0,
            enforced: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            created_at: view.created_at,
            started_at: None,
            ended_at: None,
            request_key: run.request.map(|key| key.0),
            request_digest: run.request_digest,
            fingerprint: run.script.as_ref().and_then(|script| script.fingerprint),
        })
    }

    fn sealed_args(&self, run: &LiveRun) -> Result<Option<Vec<u8>>, StartError> {
        let Some(args) = run.args.as_ref().filter(|args| args.has_secrets()) else {
            return Ok(None);
        };
        let secrets = RunSecrets {
            args: args.secrets(),
            given: Vec::new(),
        };
        let sealed = secrets.seal(&self.inner.vault, run.id, self.chance());
        sealed.map(Some).map_err(|_| StartError::Stopping)
    }
}
