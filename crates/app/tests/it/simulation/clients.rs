//! What people want of the server, however often it dies: some runs, some stops, the outcomes.

use std::sync::Arc;
use std::time::Duration;

use stagedoor_app::app::App;
use stagedoor_app::session_key::RequestKey;
use stagedoor_app::view::RunView;
use stagedoor_domain::access::User;
use stagedoor_domain::arguments::GivenArgs;
use stagedoor_domain::id::RunId;
use stagedoor_domain::time::Clock;

use super::dice::Dice;
use super::judge::say;
use super::world::World;
use crate::character::{given, name, origin, request};

pub const SCRIPTS: &[&str] = &["plain", "again", "endless", "timed", "narrow", "trusted"];
/// Those that may be started once more.
pub const IDEMPOTENT: &[&str] = &["again", "trusted"];

/// What the script of this name is given.
fn args(script: &str) -> GivenArgs {
    match script {
        "trusted" => given(&[("word", script), ("key", "hunter2-violet")]),
        _ => given(&[("word", script)]),
    }
}

/// Between two requests of somebody who was turned away.
const AGAIN: Duration = Duration::from_millis(300);

/// One run that somebody wants.
#[derive(Debug, Clone)]
pub struct Wish {
    user: usize,
    script: &'static str,
    /// The request may be repeated by this key.
    key: Option<RequestKey>,
    at: Duration,
    stop_after: Option<Duration>,
    pub progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Open,
    /// Nobody knows whether it was accepted until it is answered.
    Asked,
    Accepted(RunId),
    /// Its outcome was told, or nobody wants it any more.
    Done,
}

/// What the people of one seed want.
pub fn wishes(dice: &Dice, users: usize) -> Vec<Wish> {
    let one = |number: u64, user: usize| Wish {
        user,
        script: dice.one_of(SCRIPTS),
        key: dice.percent(60).then(|| key(number, user, dice)),
        at: Duration::from_millis(dice.one_of(&[0, 5, 100, 2_000, 9_000]) + dice.below(30)),
        stop_after: dice
            .percent(35)
            .then(|| Duration::from_millis(dice.one_of(&[0, 10, 400, 4_000]))),
        progress: Progress::Open,
    };
    let user = || usize::try_from(dice.below(users as u64)).expect("few");
    (0..3 + dice.below(8))
        .map(|number| one(number, user()))
        .collect()
}

/// Sometimes the one of the request before, if that is of the same user.
fn key(number: u64, user: usize, dice: &Dice) -> RequestKey {
    let number = number.saturating_sub(u64::from(dice.percent(25)));
    let mut key = [u8::try_from(number).expect("few"); 32];
    key[0] = u8::try_from(user).expect("few");
    RequestKey(key)
}

pub struct Client {
    pub world: Arc<World>,
    pub app: App,
    pub users: Arc<[User]>,
    pub life: u32,
    /// Which wish.
    pub index: usize,
}

impl Client {
    /// Gets what it wants, or dies with the server.
    pub async fn pursue(self) {
        let wish = self.wish();
        tokio::time::sleep(wish.at.saturating_sub(self.world.monotonic())).await;
        let Some(run) = self.accepted(&wish).await else {
            return self.progress(Progress::Done);
        };
        tokio::join!(self.stop(&wish, run), self.await_outcome(&wish, run));
        self.progress(Progress::Done);
    }

    fn wish(&self) -> Wish {
        self.world.state().wishes[self.index].clone()
    }

    fn progress(&self, progress: Progress) {
        self.world.state().wishes[self.index].progress = progress;
    }

    fn user(&self, wish: &Wish) -> &User {
        &self.users[wish.user]
    }

    async fn accepted(&self, wish: &Wish) -> Option<RunId> {
        match wish.progress {
            Progress::Done => return None,
            Progress::Accepted(run) => return Some(run),
            // Without a key the request would be another one.
            Progress::Asked if wish.key.is_none() => return None,
            Progress::Open | Progress::Asked => {}
        }
        for _ in 0..60 {
            self.progress(Progress::Asked);
            let (user, script) = (self.user(wish), name(wish.script));
            let args = args(wish.script);
            let answer = request(&self.app, user, &script, args, wish.key).await;
            self.world.die_if_dead(self.life).await;
            match answer {
                Ok(accepted) => {
                    let run = accepted.run.id;
                    let (number, new) = (self.index, accepted.new);
                    let said = say(run);
                    self.world.note(format_args!(
                        "wish {number} is {said} ({}, new: {new})",
                        wish.script
                    ));
                    self.world.was_accepted(&accepted.run, wish.key);
                    self.progress(Progress::Accepted(run));
                    return Some(run);
                }
                Err(error) => self
                    .world
                    .note(format_args!("wish {}: {error}", self.index)),
            }
            tokio::time::sleep(AGAIN).await;
        }
        None
    }

    async fn stop(&self, wish: &Wish, run: RunId) {
        let Some(after) = wish.stop_after else { return };
        tokio::time::sleep(after).await;
        if !self.world.state().ledger.stop_was_answered(run) {
            stop(&self.world, &self.app, self.user(wish), self.life, run).await;
        }
    }

    async fn await_outcome(&self, wish: &Wish, run: RunId) {
        loop {
            let found = self.app.readable(self.user(wish), run).await;
            self.world.die_if_dead(self.life).await;
            let Ok((permit, view)) = found else {
                let said = say(run);
                return self
                    .world
                    .wrong(format_args!("{said} was accepted and is not there"));
            };
            self.see(&view);
            let waited = self
                .app
                .wait_for(permit, run, Duration::from_secs(30))
                .await;
            self.world.die_if_dead(self.life).await;
            if let Ok(Some(view)) = waited {
                self.see(&view);
                if view.is_ended() {
                    return;
                }
            }
        }
    }

    fn see(&self, view: &RunView) {
        if view.is_ended() {
            self.world.was_told(view);
        }
    }
}

/// Somebody tells a run to end.
pub async fn stop(world: &World, app: &App, user: &User, life: u32, run: RunId) {
    let Ok((permit, view)) = app.stoppable(user, run).await else {
        return;
    };
    if view.is_ended() {
        return;
    }
    world.note(format_args!("{} is to stop", say(run)));
    let asked = world.monotonic();
    world.state().ledger.stop_is_asked(run);
    let answer = app.stop_run(permit, run, &origin(user)).await;
    world.die_if_dead(life).await;
    let mut state = world.state();
    // On a full disk the wish is carried out, but it may not outlive the server.
    if answer.is_ok() && state.disk_is_full_until <= asked {
        state.ledger.stop_is_answered(run);
    }
}
