//! A whole server in this process, with a real database, a real runner process and real scripts.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal};
use stagedoor_app::app::{App, Options, Parts};
use stagedoor_app::cookie_keys::{CookieKeys, CookieUse};
use stagedoor_app::keys::{Key, KeyUse, Keys};
use stagedoor_app::password::{Hasher, hash_now};
use stagedoor_app::secrets::SecretKeys;
use stagedoor_app::session_key::{
    SessionKey, new_api_token, new_session_value, new_setup_key, setup_hash, token_hash,
};
use stagedoor_app::throttle::Limits;
use stagedoor_catalog::{Catalog, open_folder};
use stagedoor_domain::access::{Actions, Grants, Scope};
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{GroupName, ScriptName, UserName};
use stagedoor_domain::pattern::parse_patterns;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::time::{Chance, Clock, Timestamp};
use stagedoor_output::Outputs;
use stagedoor_runner::{Connection, Runner, RunnerOptions};
use stagedoor_store::{MOST_TOKENS, NewToken, NewUser, RunRecord, SessionRecord, Store};
use stagedoor_web::{WebOptions, serve};
use tokio_util::sync::CancellationToken;

use crate::client::Client;

pub struct Machine {
    start: Instant,
    /// That a test has made pass.
    passed: AtomicU64,
}

impl Machine {
    fn passed(&self) -> Duration {
        Duration::from_millis(self.passed.load(Ordering::SeqCst))
    }
}

impl Clock for Machine {
    #[expect(clippy::disallowed_methods, reason = "the test's own clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            .plus(self.passed())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed() + self.passed()
    }
}

impl Chance for Machine {
    fn fill(&self, buffer: &mut [u8]) {
        let random = std::fs::File::open("/dev/urandom").expect("a source of chance");
        std::io::Read::read_exact(&mut &random, buffer).expect("chance");
    }
}

/// More than a test needs that is about something else.
pub const ROOMY: Capacity = Capacity {
    running: 4,
    starting: 64,
    queued: 100,
    queued_per_user: 50,
};

/// Of those who have one.
pub const PASSWORD: &str = "violet tractor ninety owls";

/// A server that ends, with its runner and its files, when it is dropped.
pub struct TestServer {
    pub address: SocketAddr,
    store: Store,
    machine: Arc<Machine>,
    shutdown: CancellationToken,
    runner: Option<Pid>,
    scripts: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
        // It would wait for the next server for as long as it holds a run.
        if let Some(runner) = self.runner {
            let _ = rustix::process::kill_process(runner, Signal::KILL);
        }
    }
}

impl TestServer {
    /// With these files, `(path, text)`; those that begin with `#!` can be executed.
    pub async fn with(files: &[(&str, &str)]) -> Self {
        Self::with_capacity(files, ROOMY).await
    }

    pub async fn with_capacity(files: &[(&str, &str)], capacity: Capacity) -> Self {
        Self::start(files, capacity, WebOptions::default()).await
    }

    /// With one proxy before it, which is on this machine.
    pub async fn behind_a_proxy(files: &[(&str, &str)]) -> Self {
        let trusted = "127.0.0.1".parse().expect("a network");
        let options = WebOptions {
            proxy: Some(stagedoor_config::Proxy {
                hops: 1,
                trusted: vec![trusted],
                protocol: false,
            }),
            hsts: stagedoor_config::Hsts::Full,
            ..WebOptions::default()
        };
        Self::start(files, ROOMY, options).await
    }

    /// With what an operator has set of the web door.
    pub async fn start(files: &[(&str, &str)], capacity: Capacity, options: WebOptions) -> Self {
        Self::with_limits(files, options, capacity, Limits::default()).await
    }

    /// Where signing in may fail so often that a test of something else need not mind it.
    pub async fn patient(files: &[(&str, &str)]) -> Self {
        let limits = Limits {
            failures: 100,
            ..Limits::default()
        };
        Self::with_limits(files, WebOptions::default(), ROOMY, limits).await
    }

    async fn with_limits(
        files: &[(&str, &str)],
        options: WebOptions,
        capacity: Capacity,
        limits: Limits,
    ) -> Self {
        let scripts = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            write(&scripts.path().join(path), text);
        }
        let state = tempfile::tempdir().expect("a folder");
        let machine = Arc::new(machine());
        let store = Store::open(state.path()).expect("a database");
        let connection = connect(scripts.path(), state.path()).await;
        let runner = connection
            .pid()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let parts = parts(
            scripts.path(),
            state.path(),
            &store,
            &machine,
            options_of_app(capacity, limits),
            connection,
        );
        let app = App::start(parts).await.expect("an application");
        let catalog = app.catalog().await;
        assert!(catalog.broken().is_empty(), "{:?}", catalog.broken());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(vec![listener], app, options, shutdown.clone()));
        Self {
            address,
            store,
            machine,
            shutdown,
            runner,
            scripts,
            state,
        }
    }

    /// Time passes, for the server alone.
    pub fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).expect("not that long");
        self.machine.passed.fetch_add(millis, Ordering::SeqCst);
    }

    /// Disables this user, as a command beside the server does.
    pub async fn disable(&self, name: &str) {
        let user = self.user(name, &[]).await;
        self.store.set_disabled(user, true).await.expect("disabled");
    }

    /// Takes this user out of all groups, as a command beside the server does.
    pub async fn remove_from_groups(&self, name: &str) {
        let user = self.user(name, &[]).await;
        let none = BTreeSet::new();
        self.store.set_groups(user, none).await.expect("removed");
    }

    /// Makes an account as the sign-in command does.
    pub async fn external_user(&self, name: &str) {
        let name = UserName::parse(name).expect("a name");
        let now = self.machine.now();
        let made = self.store.add_external_user(name, BTreeSet::new(), now);
        made.await.expect("a user");
    }

    pub fn anonymous(&self) -> Client {
        Client::anonymous(self.address)
    }

    /// A program with a token of this user.
    pub async fn program(&self, name: &str, groups: &[&str]) -> Client {
        let token = self.token(name, groups).await;
        self.anonymous()
            .with("authorization", &format!("Bearer {token}"))
    }

    /// The text of a token of this user, that may all but administer.
    pub async fn token(&self, name: &str, groups: &[&str]) -> String {
        self.add_token(name, groups, Scope::all_scripts(), &[])
            .await
    }

    /// A program with a token that may so much, from there.
    pub async fn scoped(
        &self,
        name: &str,
        groups: &[&str],
        may: &str,
        scripts: &str,
        from: &[&str],
    ) -> Client {
        let scope = Scope {
            actions: Actions::parse(may).expect("actions"),
            scripts: parse_patterns(scripts).expect("patterns"),
        };
        let token = self.add_token(name, groups, scope, from).await;
        self.anonymous()
            .with("authorization", &format!("Bearer {token}"))
    }

    async fn add_token(&self, name: &str, groups: &[&str], scope: Scope, from: &[&str]) -> String {
        let user = self.user(name, groups).await;
        self.make_room(user).await;
        let token = new_api_token(&*self.machine);
        let from = from.iter().map(|text| text.parse().expect("a network"));
        let new = NewToken {
            hash: token_hash(&token),
            user,
            name: "test".to_owned(),
            expires_at: None,
            scope,
            addresses: from.collect(),
        };
        self.store
            .add_token(new, self.machine.now())
            .await
            .expect("a token");
        token
    }

    /// Ends the oldest token of whoever may have no more.
    async fn make_room(&self, user: UserId) {
        let tokens = self.store.list_tokens(Some(user)).await;
        let tokens = tokens.expect("the store");
        let has = i64::try_from(tokens.len()).expect("a few");
        if let Some(oldest) = tokens.first().filter(|_| has >= MOST_TOKENS) {
            let ended = self.store.revoke_token(oldest.id).await;
            ended.expect("the store");
        }
    }

    /// A browser with a session of this user, who has just signed in.
    pub async fn browser(&self, name: &str, groups: &[&str]) -> Client {
        self.browser_confirmed_at(name, groups, Some(self.machine.now()))
            .await
    }

    /// The same, with [`PASSWORD`], which was given too long ago for what asks for it.
    pub async fn stale_browser(&self, name: &str, groups: &[&str]) -> Client {
        let password = PASSWORD.to_owned().into();
        let hash = hash_now(&password, &*self.machine).expect("a hash");
        let user = self.user(name, groups).await;
        self.store.set_password(user, hash).await.expect("set");
        self.browser_confirmed_at(name, groups, None).await
    }

    /// A browser of somebody who has not given the password lately, and could not.
    pub async fn unconfirmed_browser(&self, name: &str, groups: &[&str]) -> Client {
        self.browser_confirmed_at(name, groups, None).await
    }

    async fn browser_confirmed_at(
        &self,
        name: &str,
        groups: &[&str],
        confirmed_at: Option<Timestamp>,
    ) -> Client {
        let user = self.user(name, groups).await;
        let value = new_session_value(user, &*self.machine);
        let now = self.machine.now();
        let session = SessionRecord {
            id_hash: SessionKey::of(&value).expect("a key").hash(),
            user,
            created_at: now,
            last_seen: now,
            address: "127.0.0.1".to_owned(),
            confirmed_at,
            browser: "Firefox on Linux".to_owned(),
        };
        self.store.add_session(&session).await.expect("a session");
        let cookie = cookie_keys().sign(CookieUse::Session, &value);
        self.anonymous()
            .with(
                "cookie",
                &format!("SessionID-{}={cookie}", self.address.port()),
            )
            .with("origin", &format!("http://{}", self.address))
            .with("sec-fetch-site", "same-origin")
    }

    /// The key of a setup link that is good.
    pub async fn setup_key(&self) -> String {
        let key = new_setup_key(&*self.machine);
        let end = self.machine.now().plus(Duration::from_mins(10));
        self.store
            .put_setup(setup_hash(&key), end)
            .await
            .expect("a link");
        key
    }

    /// A browser with a session but without the headers that tell where a request comes from, and
    /// a token of the form at this path.
    pub async fn bare_browser(&self, name: &str, groups: &[&str], path: &str) -> (Client, String) {
        let browser = self.browser(name, groups).await;
        let page = browser.get(path).await.text();
        let token = page
            .split("name=\"csrf_token\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        (browser.only("cookie"), token.expect("a token").to_owned())
    }

    /// Writes a file into the folder that is served, as an author does meanwhile.
    pub fn write(&self, path: &str, text: &str) {
        write(&self.scripts.path().join(path), text);
    }

    /// Puts a folder in the place of each file of output, which nobody can read as one.
    pub fn spoil_output(&self) {
        let mut folders = vec![self.state.path().join("output")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    std::fs::remove_file(entry.path()).expect("removed");
                    std::fs::create_dir(entry.path()).expect("made");
                }
            }
        }
    }

    /// Puts a symbolic link in place of a file or folder.
    pub fn replace_by_link(&self, path: &str, target: &Path) {
        let path = self.scripts.path().join(path);
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_dir_all(&path);
        std::os::unix::fs::symlink(target, &path).expect("a link");
    }

    /// Puts so many runs of this script into the history of a user.
    pub async fn history(&self, name: &str, script: &str, runs: i64) {
        let user = self.user(name, &[]).await;
        let now = self.machine.now();
        for n in 0..runs {
            let at = Timestamp::from_millis(now.millis() - (runs - n) * 1000);
            let args = serde_json::json!({ "n": format!("number-{n}") });
            let run = RunRecord {
                id: RunId::new(at, &*self.machine),
                script: ScriptName::parse(script).expect("a name"),
                user,
                user_name: UserName::parse(name).expect("a name"),
                args: args.as_object().expect("arguments").clone(),
                secrets: None,
                state: State::Ended,
                epoch: Epoch::default(),
                stop: None,
                outcome: Some(Outcome::Succeeded),
                reason: None,
                exit_code: Some(0),
                signal: None,
                leftovers: 0,
                enforced: None,
                stdout_bytes: 0,
                stderr_bytes: 0,
                created_at: at,
                started_at: Some(at),
                ended_at: Some(at),
                request_key: None,
                request_digest: None,
                fingerprint: None,
            };
            self.store.insert_run(&run).await.expect("inserted");
        }
    }

    /// Begins the server's end, as a signal does.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    async fn user(&self, name: &str, groups: &[&str]) -> UserId {
        let name = UserName::parse(name).expect("a name");
        if let Some(known) = self.store.user_by_name(&name).await.expect("the store") {
            return known.user.id;
        }
        let groups: BTreeSet<GroupName> = groups
            .iter()
            .map(|group| GroupName::parse(group).expect("a name"))
            .collect();
        let new = NewUser {
            name,
            password_hash: "none".to_owned(),
            groups,
        };
        self.store
            .add_user(new, self.machine.now())
            .await
            .expect("a user")
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own clock")]
fn machine() -> Machine {
    Machine {
        start: Instant::now(),
        passed: AtomicU64::new(0),
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, text).expect("written");
    if text.starts_with("#!") {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
            .expect("made executable");
    }
}

async fn connect(scripts: &Path, state: &Path) -> Connection {
    let options = RunnerOptions {
        socket: state.join("runner.sock"),
        root: scripts.to_owned(),
        root_dir: open_folder(scripts).expect("the folder"),
        scratch: state.join("scratch"),
        run_account: None,
        others: Vec::new(),
        allow_root_scripts: true,
        some_go_without: false,
        hidden: Vec::new(),
        server_uid: None,
    };
    let connection =
        tokio::task::spawn_blocking(move || Runner::ensure(&runner_binary(), &options));
    connection.await.expect("not panicked").expect("a runner")
}

fn parts(
    scripts: &Path,
    state: &Path,
    store: &Store,
    machine: &Arc<Machine>,
    options: Options,
    connection: Connection,
) -> Parts {
    let clock: Arc<dyn Clock> = machine.clone();
    let catalog = stagedoor_catalog::Options::new(clock.clone());
    let catalog = Catalog::open_path(scripts, catalog).expect("a catalog");
    let (runner, reports) = connection.attach().expect("attached");
    let (outputs, pump_events) =
        Outputs::open(&state.join("output"), 2, clock.clone()).expect("a folder of output");
    Parts {
        catalog,
        store: store.clone(),
        runner,
        reports,
        outputs: Arc::new(outputs),
        pump_events,
        clock,
        chance: machine.clone(),
        hasher: Hasher::new(&**machine),
        vault_key: zeroize::Zeroizing::new([7; 32]),
        secret_keys: Arc::new(secret_keys()),
        cookie_keys: cookie_keys(),
        options,
    }
}

/// The keys that sign cookies, in every server of these tests.
fn secret_keys() -> SecretKeys {
    let key = Key::of(
        KeyUse::Secrets,
        zeroize::Zeroizing::new([8; 32]),
        Timestamp::default(),
    );
    SecretKeys::of(Keys::new(key, Vec::new()))
}

fn cookie_keys() -> CookieKeys {
    let key = Key::of(
        KeyUse::Cookies,
        zeroize::Zeroizing::new([9; 32]),
        Timestamp::default(),
    );
    CookieKeys::of(Keys::new(key, Vec::new()))
}

fn options_of_app(capacity: Capacity, sign_in: Limits) -> Options {
    Options {
        capacity,
        output_cap: 64 << 20,
        session: stagedoor_config::Session::default(),
        sign_in,
        external: None,
        keep_audit_log: None,
        grants: Arc::new(Grants::default()),
        environment: stagedoor_config::Environment::default(),
    }
}

/// The example `web-test-runner` of this crate, which is built beside the tests.
fn runner_binary() -> PathBuf {
    let tests = std::env::current_exe().expect("this test");
    let folder = tests
        .parent()
        .and_then(Path::parent)
        .expect("the target folder");
    let binary = folder.join("examples/web-test-runner");
    assert!(
        binary.exists(),
        "build it first: cargo build -p stagedoor-web --example web-test-runner"
    );
    binary
}
