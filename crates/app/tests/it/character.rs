//! Somebody who uses the application.

use std::time::Duration;

use stagedoor_app::app::App;
use stagedoor_app::find::{FindError, RunsFilter, RunsPage};
use stagedoor_app::session_key::RequestKey;
use stagedoor_app::start_run::{Accepted, StartError};
use stagedoor_app::stop_run::StopError;
use stagedoor_app::view::RunView;
use stagedoor_domain::access::{User, may_run};
use stagedoor_domain::arguments::{Given, GivenArgs, check};
use stagedoor_domain::audit::Origin;
use stagedoor_domain::id::RunId;
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::run::State;
use stagedoor_output::{Stream, View};

use crate::house::{House, PATIENCE};

#[derive(Clone)]
pub struct Character<'h> {
    house: &'h House,
    pub user: User,
}

impl<'h> Character<'h> {
    pub fn new(house: &'h House, user: User) -> Self {
        Self { house, user }
    }

    pub async fn try_start(
        &self,
        script: &str,
        args: &[(&str, &str)],
    ) -> Result<Accepted, StartError> {
        self.request(script, args, None).await
    }

    /// A run of a script, which must be accepted.
    pub async fn start(&self, script: &str, args: &[(&str, &str)]) -> RunView {
        self.try_start(script, args).await.expect("accepted").run
    }

    /// A run whose process exists.
    pub async fn start_now(&self, script: &str, args: &[(&str, &str)]) -> RunView {
        let run = self.start(script, args).await;
        self.until(run.id, State::Running).await
    }

    /// A run of a script, by a request that may come twice.
    pub async fn request(
        &self,
        script: &str,
        args: &[(&str, &str)],
        key: Option<RequestKey>,
    ) -> Result<Accepted, StartError> {
        let (user, script, given) = (self.user.clone(), name(script), given(args));
        self.house
            .inside(move |app| async move { request(&app, &user, &script, given, key).await })
            .await
    }

    pub async fn stop(&self, id: RunId) -> Result<(), FindError> {
        let user = self.user.clone();
        self.house
            .inside(move |app| async move {
                let (permit, run) = app.stoppable(&user, id).await?;
                app.stop_run(permit, run.id, &origin(&user))
                    .await
                    .expect("it had not ended");
                Ok(())
            })
            .await
    }

    /// A second stop: fine, whether or not the run has ended of the first one meanwhile.
    pub async fn stop_again(&self, id: RunId) {
        let user = self.user.clone();
        let told = self.house.inside(move |app| async move {
            let (permit, run) = app.stoppable(&user, id).await.expect("may stop");
            app.stop_run(permit, run.id, &origin(&user)).await
        });
        assert!(matches!(told.await, Ok(()) | Err(StopError::Ended)));
    }

    pub async fn read(&self, id: RunId) -> Result<RunView, FindError> {
        let user = self.user.clone();
        self.house
            .inside(move |app| async move { Ok(app.readable(&user, id).await?.1) })
            .await
    }

    pub async fn wait_for(&self, id: RunId, at_most: Duration) -> RunView {
        let user = self.user.clone();
        self.house
            .inside(move |app| async move {
                let (permit, _) = app.readable(&user, id).await.expect("readable");
                app.wait_for(permit, id, at_most)
                    .await
                    .expect("the store")
                    .expect("a run")
            })
            .await
    }

    /// The run with its outcome.
    pub async fn end_of(&self, id: RunId) -> RunView {
        let run = self.wait_for(id, PATIENCE / 2).await;
        assert_eq!(run.state, State::Ended, "{run:?}");
        run
    }

    /// The run once it is in this state.
    pub async fn until(&self, id: RunId, state: State) -> RunView {
        for _ in 0..1500 {
            let run = self.read(id).await.expect("readable");
            if run.state == state {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never {state:?}: {:?}", self.read(id).await);
    }

    /// Everything that the run wrote to standard output.
    pub async fn output(&self, id: RunId) -> String {
        let user = self.user.clone();
        self.house
            .inside(move |app| async move {
                let (permit, run) = app.readable(&user, id).await.expect("readable");
                let whole = |view: View| {
                    let (size, mut bytes) = (view.size(Stream::Stdout), Vec::new());
                    while (bytes.len() as u64) < size {
                        let from = bytes.len() as u64;
                        bytes.extend(view.read(Stream::Stdout, from..size)?);
                    }
                    Ok(bytes)
                };
                let bytes = app.look(permit, &run, whole).await.expect("output");
                String::from_utf8(bytes).expect("text")
            })
            .await
    }

    pub async fn runs(&self, filter: RunsFilter) -> RunsPage {
        let user = self.user.clone();
        self.house
            .inside(move |app| async move { app.runs(&user, filter).await.expect("the store") })
            .await
    }

    /// The ids of all runs that they see, newest first, read in pages of this size.
    pub async fn ids(&self, limit: usize) -> Vec<RunId> {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = self
                .runs(RunsFilter {
                    cursor,
                    limit,
                    ..RunsFilter::default()
                })
                .await;
            assert!(page.items.len() <= limit);
            ids.extend(page.items.iter().map(|run| run.id));
            cursor = page.next;
            if cursor.is_none() {
                return ids;
            }
        }
    }
}

/// What a handler does: find the script, ask for permission, check the arguments, start.
pub async fn request(
    app: &App,
    user: &User,
    script: &ScriptName,
    given: GivenArgs,
    key: Option<RequestKey>,
) -> Result<Accepted, StartError> {
    let catalog = app.catalog().await;
    let script = catalog.get(script).expect("a script");
    let permit = may_run(user, script, &app.grants()).expect("permitted");
    let args = check(script, given).expect("good arguments");
    app.start_run(permit, args, key, origin(user)).await
}

/// They sit at this machine.
pub fn origin(user: &User) -> Origin {
    Origin::user(user, [127, 0, 0, 1].into())
}

pub fn name(script: &str) -> ScriptName {
    ScriptName::parse(script).expect("a name")
}

pub fn given(args: &[(&str, &str)]) -> GivenArgs {
    let one = |(name, text): &(&str, &str)| ((*name).to_owned(), Given::Text((*text).to_owned()));
    args.iter().map(one).collect()
}
