//! A state directory, a folder of scripts, a runner, and one server after another.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};
use stagedoor_app::app::{App, Options, Parts};
use stagedoor_app::cookie_keys::CookieKeys;
use stagedoor_app::keys::{Key, KeyUse, Keys};
use stagedoor_app::password::{Hasher, Password, hash_now};
use stagedoor_catalog::{Catalog, open_folder};
use stagedoor_domain::access::{Grants, User};
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::time::{Clock, Timestamp};
use stagedoor_output::Outputs;
use stagedoor_runner::{Connection, Runner, RunnerOptions, StopKind};
use stagedoor_store::{NewUser, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::character::Character;
use crate::credentials::KeyFile;
use crate::late_pipe::{Door, LateOutputs};
use crate::world::{FakeClock, Seeded};

/// Nobody waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Enough for tests that are not about limits.
pub const ROOMY: Capacity = Capacity {
    running: 4,
    starting: 64,
    queued: 100,
    queued_per_user: 50,
};

/// What outlives a server.
pub struct House {
    pub base: TempDir,
    pub clock: Arc<FakeClock>,
    pub chance: Arc<Seeded>,
    capacity: Capacity,
    grants: Grants,
    /// What the next server is told.
    pub keep_audit_log: Option<Duration>,
    /// Those that seal stored secrets.
    pub keys: Arc<KeyFile>,
    /// Each byte of the key that seals what a run was given.
    pub vault_key: u8,
    /// Where output is taken late, if it is.
    pub door: Option<Arc<Door>>,
    server: Option<Server>,
    runners: Vec<Pid>,
    /// What the last server's runner is called, and what the next server is told of it.
    runner: Option<String>,
    noted: Option<String>,
}

/// A server has a runtime of its own: when it dies, everything that it was doing dies.
struct Server {
    runtime: Runtime,
    app: App,
    store: Store,
}

impl House {
    /// With these scripts, `(file, text)`. `@STAGE@` in a text becomes a folder that the script
    /// shares with the test.
    pub async fn with(files: &[(&str, &str)]) -> Self {
        Self::with_limits(files, ROOMY).await
    }

    pub async fn with_limits(files: &[(&str, &str)], capacity: Capacity) -> Self {
        Self::with_grants(files, capacity, Grants::default()).await
    }

    pub async fn with_grants(files: &[(&str, &str)], capacity: Capacity, grants: Grants) -> Self {
        let base = tempfile::Builder::new()
            .prefix("stagedoor-")
            .tempdir()
            .expect("a folder");
        for folder in ["scripts", "stage", "state"] {
            std::fs::create_dir(base.path().join(folder)).expect("made");
        }
        let (clock, chance) = (Arc::new(FakeClock::new()), Arc::new(Seeded::new()));
        let mut house = Self {
            base,
            clock,
            chance,
            capacity,
            grants,
            keep_audit_log: None,
            keys: Arc::new(KeyFile::of(&[1])),
            vault_key: 7,
            door: None,
            server: None,
            runners: Vec::new(),
            runner: None,
            noted: None,
        };
        for (file, text) in files {
            house.write_script(file, text);
        }
        house.serve().await;
        let catalog = house.inside(|app| async move { app.catalog().await }).await;
        assert!(catalog.broken().is_empty(), "{:?}", catalog.broken());
        house
    }

    /// A server takes over the state directory and what the runner holds.
    pub async fn serve(&mut self) {
        let runtime = Runtime::new().expect("a runtime");
        let connection = self.connect().await.after(self.noted.as_deref());
        self.runner = connection.identity();
        self.runners.extend(runner_of(&connection));
        self.runners.dedup();
        let store = Store::open(&self.state()).expect("a database");
        let parts = self.parts(store.clone());
        let app = runtime.spawn(async move { App::start(parts(connection)).await });
        let app = app.await.expect("not panicked").expect("an application");
        self.server = Some(Server {
            runtime,
            app,
            store,
        });
    }

    /// Has the runner end an attempt, as a server did that died before it could note why. No server
    /// may be there.
    pub async fn stop_unrecorded(&self, run: RunId) {
        assert!(self.server.is_none(), "a server is there");
        let (runner, reports) = self.connect().await.attach().expect("attached");
        let epoch = Epoch(1);
        runner
            .stop(run, epoch, StopKind::Term, "output")
            .await
            .expect("sent");
        drop((runner, reports));
    }

    /// The next server is told that all attempts were handed to the runner of now.
    pub fn note_runner(&mut self) {
        self.noted.clone_from(&self.runner);
        assert!(self.noted.is_some());
    }

    /// The server dies in the middle of whatever it does; runner and scripts go on.
    pub fn crash(&mut self) {
        let Server {
            runtime,
            app,
            store,
        } = self.server.take().expect("a server");
        drop((app, store));
        // A runtime may not be ended inside another one.
        let end = std::thread::spawn(move || runtime.shutdown_timeout(PATIENCE));
        end.join().expect("not panicked");
    }

    async fn connect(&self) -> Connection {
        let scripts = self.scripts();
        let options = RunnerOptions {
            socket: self.state().join("runner.sock"),
            root_dir: open_folder(&scripts).expect("the folder"),
            root: scripts,
            scratch: self.state().join("scratch"),
            run_account: None,
            others: Vec::new(),
            allow_root_scripts: true,
            some_go_without: false,
            hidden: Vec::new(),
            server_uid: None,
        };
        let binary = Path::new(env!("CARGO_BIN_EXE_stagedoor-app-test-runner"));
        let connection = tokio::task::spawn_blocking(move || Runner::ensure(binary, &options));
        connection.await.expect("not panicked").expect("a runner")
    }

    /// Everything but the connection, which belongs to the server's runtime.
    fn parts(&self, store: Store) -> impl FnOnce(Connection) -> Parts + Send + 'static {
        let (scripts, state) = (self.scripts(), self.state());
        let (clock, chance) = (self.clock.clone(), self.chance.clone());
        let options = self.options();
        let keys = Arc::clone(&self.keys) as _;
        let vault_key = [self.vault_key; 32].into();
        let door = self.door.clone();
        move |connection| {
            let catalog = stagedoor_catalog::Options::new(clock.clone());
            let (runner, reports) = connection.attach().expect("attached");
            let (outputs, pump_events) =
                Outputs::open(&state.join("output"), 2, clock.clone()).expect("a folder of output");
            Parts {
                catalog: Catalog::open_path(&scripts, catalog).expect("a catalog"),
                store,
                runner,
                reports,
                outputs: match door {
                    Some(door) => Arc::new(LateOutputs { outputs, door }),
                    None => Arc::new(outputs),
                },
                pump_events,
                clock,
                hasher: Hasher::new(&*chance),
                chance,
                vault_key,
                secret_keys: keys,
                cookie_keys: cookie_keys(),
                options,
            }
        }
    }

    fn options(&self) -> Options {
        Options {
            capacity: self.capacity,
            output_cap: 64 << 20,
            session: stagedoor_config::Session::default(),
            sign_in: stagedoor_app::throttle::Limits::default(),
            external: None,
            keep_audit_log: self.keep_audit_log,
            grants: Arc::new(self.grants.clone()),
            environment: stagedoor_config::Environment::default(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a server")
    }

    pub fn store(&self) -> &Store {
        &self.server().store
    }

    /// Does something inside the server.
    pub async fn inside<T, F>(&self, work: impl FnOnce(App) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let Server { runtime, app, .. } = self.server();
        let done = tokio::time::timeout(PATIENCE, runtime.spawn(work(app.clone()))).await;
        done.expect("in time").expect("not panicked")
    }

    /// Kills the process that starts scripts, which no server does.
    pub fn kill_runner(&self) {
        let runner = *self.runners.last().expect("a runner");
        rustix::process::kill_process(runner, Signal::KILL).expect("killed");
    }

    /// How many runners were started since the house was built.
    pub fn runners(&self) -> usize {
        self.runners.len()
    }
}

// People.
impl House {
    /// Somebody of these groups, who is known from now on.
    pub async fn user(&self, name: &str, groups: &[&str]) -> Character<'_> {
        let name = UserName::parse(name).expect("a name");
        let user = match self.store().user_by_name(&name).await.expect("the store") {
            Some(known) => known.user,
            None => self.add_user(name, "none".to_owned(), groups).await,
        };
        Character::new(self, user)
    }

    /// Somebody who acts with this user's rights.
    pub fn as_user(&self, user: User) -> Character<'_> {
        Character::new(self, user)
    }

    /// Somebody with a password.
    pub async fn person(&self, name: &str, password: &str) -> User {
        let password = Password::from(password.to_owned());
        let hash = hash_now(&password, &*self.chance).expect("a hash");
        self.add_user(UserName::parse(name).expect("a name"), hash, &[])
            .await
    }

    async fn add_user(&self, name: UserName, password_hash: String, groups: &[&str]) -> User {
        let groups: BTreeSet<GroupName> = groups
            .iter()
            .map(|group| GroupName::parse(group).expect("a name"))
            .collect();
        let new = NewUser {
            name: name.clone(),
            password_hash,
            groups: groups.clone(),
        };
        let id = self
            .store()
            .add_user(new, self.clock.now())
            .await
            .expect("a user");
        User::new(id, name, groups)
    }
}

/// The same for each server on this house.
pub fn cookie_keys() -> CookieKeys {
    let key = Key::of(KeyUse::Cookies, [9; 32].into(), Timestamp::default());
    CookieKeys::of(Keys::new(key, Vec::new()))
}

fn runner_of(connection: &Connection) -> Option<Pid> {
    Pid::from_raw(i32::try_from(connection.pid()?).ok()?)
}

/// The runners end what still runs, then themselves.
impl Drop for House {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.crash();
        }
        for runner in &self.runners {
            // One that has ended already is still a child of this process, so its number is its own.
            let _ = rustix::process::kill_process(*runner, Signal::TERM);
            for _ in 0..500 {
                match rustix::process::waitpid(Some(*runner), WaitOptions::NOHANG) {
                    Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                    Ok(Some(_)) | Err(_) => break,
                }
            }
        }
    }
}
