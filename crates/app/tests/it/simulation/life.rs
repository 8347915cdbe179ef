//! A seed from beginning to end: one server after another, and the runner that outlives them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stagedoor_app::app::{App, Parts};
use stagedoor_domain::run::State;
use stagedoor_domain::time::Clock;
use stagedoor_runner::{Reports, Runner};
use stagedoor_store::Store;
use tokio::sync::mpsc::unbounded_channel;

use super::clients::{self, Client, Progress};
use super::faults::Faults;
use super::gate::{DiskGate, Open};
use super::host::Host;
use super::recorder::Tape;
use super::stage::{Stage, options};
use super::wire::ServerEnd;
use super::world::World;

/// As the program waits for last records when its runner is gone.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// When a script that does not end by itself is stopped at last.
const ENOUGH: Duration = Duration::from_mins(1);
/// What has no outcome then never gets one.
const FOR_EVER: Duration = Duration::from_secs(400);

/// What came of a seed.
pub struct History {
    pub wrong: Vec<String>,
    pub lines: Vec<String>,
    /// How runs ended, in words.
    pub outcomes: BTreeSet<&'static str>,
}

/// Plays one seed.
pub fn play(stage: &Stage, seed: u64, trace: bool) -> History {
    let disk = stage.disk.copy().expect("a disk");
    let eye = Store::in_line(&disk, Arc::new(Open)).0;
    let world = Arc::new(World::new(seed, disk, eye, trace));
    world.state().wishes = clients::wishes(&world.dice, stage.users.len());
    let mut host = Host::new(Arc::clone(&world));
    let lives = 2 + u32::try_from(world.dice.below(5)).expect("few");
    for life in 1.. {
        let is_last = life >= lives;
        let faults = if is_last {
            Faults::none()
        } else {
            Faults::of(&world.dice)
        };
        world.begin_life(life, faults);
        let server = Server {
            world: &world,
            stage,
            life,
            is_last,
        };
        in_runtime(&world, &mut host, server.live());
        world.note(format_args!("server {life} is gone"));
        // The last one may have lost its runner to what went wrong before.
        if world.state().is_over || life > lives + 3 {
            break;
        }
        let downtime = Duration::from_millis(world.dice.one_of(&[0, 0, 1, 20, 3_000]));
        in_runtime(&world, &mut host, async {
            tokio::time::sleep(downtime).await;
        });
    }
    world.judge_end();
    History {
        wrong: world.all_wrong(),
        lines: world.lines(),
        outcomes: world.outcomes(),
    }
}

/// A runtime for each life: when it is dropped, everything that the server was doing is.
fn in_runtime(world: &World, host: &mut Host, life: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        world.time.begin();
        tokio::select! {
            biased;
            () = host.go_on_for_ever() => {}
            () = life => {}
        }
        world.time.end();
    });
}

struct Server<'s> {
    world: &'s Arc<World>,
    stage: &'s Stage,
    life: u32,
    /// Nothing goes wrong any more, and it serves until everything has ended.
    is_last: bool,
}

impl Server<'_> {
    async fn live(self) {
        tokio::select! {
            biased;
            () = self.world.death_of(self.life) => {}
            () = self.serve() => {}
            () = tokio::time::sleep(FOR_EVER * 2) => self.world.wrong(format_args!("server {} hangs", self.life)),
        }
        self.world.end_life();
    }

    async fn serve(&self) {
        let world = self.world;
        let (runner, reports) = self.connect().await;
        if reports.knows_all() {
            self.write_note();
        }
        let gate = DiskGate {
            world: Arc::clone(world),
            life: self.life,
        };
        let (store, serving) = Store::in_line(&world.disk, Arc::new(gate));
        tokio::spawn(serving);
        let (events, pump_events) = unbounded_channel();
        let parts = Parts {
            catalog: self.stage.catalog.clone(),
            store,
            runner,
            reports,
            outputs: Arc::new(Tape::new(Arc::clone(world), self.life, events)),
            pump_events,
            clock: Arc::clone(world) as _,
            chance: Arc::clone(world) as _,
            hasher: self.stage.hasher.clone(),
            vault_key: [7; 32].into(),
            secret_keys: Arc::new(crate::credentials::secret_keys(&[1])),
            cookie_keys: crate::house::cookie_keys(),
            options: options(),
        };
        let app = match App::start(parts).await {
            Ok(app) => app,
            Err(error) => return world.note(format_args!("cannot serve: {error}")),
        };
        world.note(format_args!("server {} serves", self.life));
        tokio::spawn(self.note_when_accounted(app.clone()));
        self.open_doors(&app);
        tokio::select! {
            biased;
            _ = app.fatal() => app.settle_begun(LAST_RECORDS).await,
            () = self.until_closing_time(&app) => {}
        }
    }

    /// As `Runner::ensure` does it: a runner that holds nothing is replaced.
    async fn connect(&self) -> (Runner, Reports) {
        let mut found = self.world.runner_that_is_there();
        loop {
            let knows_all = found.is_some() && self.world.state().runner_note == found;
            let is_new = self.world.runner_that_is_there().is_none();
            let pair = self.world.knock();
            let link = ServerEnd {
                world: Arc::clone(self.world),
                life: self.life,
                pair: Arc::clone(&pair),
            };
            let Ok((runner, reports, held)) = Runner::over(Arc::new(link), knows_all).await else {
                found = None;
                continue;
            };
            self.world.note(format_args!(
                "connected: new {is_new}, holds {held}, knows all {knows_all}"
            ));
            if is_new || held > 0 {
                return (runner, reports);
            }
            let _ = runner.bye().await;
            while !pair.runner_is_gone() {
                self.world.mail.notified().await;
            }
        }
    }

    /// Which runner this server has, as the program writes it beside the database.
    fn write_note(&self) {
        let runner = self.world.state().runner;
        self.world.write_note(self.life, runner);
    }

    fn note_when_accounted(&self, app: App) -> impl Future<Output = ()> + Send + use<> {
        let (world, life) = (Arc::clone(self.world), self.life);
        let runner = world.state().runner;
        async move {
            app.accounted().await;
            world.write_note(life, runner);
        }
    }

    fn open_doors(&self, app: &App) {
        let wishes = self.world.state().wishes.len();
        for index in 0..wishes {
            let client = Client {
                world: Arc::clone(self.world),
                app: app.clone(),
                users: Arc::clone(&self.stage.users),
                life: self.life,
                index,
            };
            tokio::spawn(client.pursue());
        }
    }

    async fn until_closing_time(&self, app: &App) {
        if self.is_last {
            self.until_all_is_quiet(app).await;
            self.world.state().is_over = true;
            return;
        }
        let millis = self.world.dice.one_of(&[30, 500, 5_000, 20_000]);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        // Told to end, it waits a moment for what runs.
        app.drain();
        app.settle_begun(Duration::from_millis(self.world.dice.below(3_000)))
            .await;
        app.say_goodbye().await;
    }

    async fn until_all_is_quiet(&self, app: &App) {
        let began = self.world.monotonic();
        let mut is_enough = false;
        while !self.is_quiet(app) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let lasted = self.world.monotonic().saturating_sub(began);
            if lasted > FOR_EVER {
                let (load, held) = (app.load(), self.world.state().held);
                return self
                    .world
                    .wrong(format_args!("it never ends: {load:?}, {held} held"));
            }
            if lasted > ENOUGH && !is_enough {
                is_enough = true;
                self.stop_the_endless(app).await;
            }
        }
    }

    fn is_quiet(&self, app: &App) -> bool {
        let state = self.world.state();
        let done = |wish: &clients::Wish| wish.progress == Progress::Done;
        let nobody_waits = state.wishes.iter().all(done) && state.held == 0;
        drop(state);
        let all_ended = || {
            self.world
                .rows()
                .iter()
                .all(|row| row.state == State::Ended)
        };
        nobody_waits && app.load() == (0, 0) && all_ended()
    }

    /// Everything else ends by itself. Who was told that a stop was accepted need not ask again.
    async fn stop_the_endless(&self, app: &App) {
        let admin = &self.stage.users[0];
        for row in self.world.rows() {
            let is_stopped = self.world.state().ledger.stop_was_answered(row.id);
            let is_endless = row.script.as_str() == "endless";
            if is_endless && row.state != State::Ended && !is_stopped {
                clients::stop(self.world, app, admin, self.life, row.id).await;
            }
        }
    }
}
