//! The application: its parts, wired once by the binary.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use stagedoor_catalog::Catalog;
use stagedoor_config::{Environment, Session};
use stagedoor_domain::access::Grants;
use stagedoor_domain::id::RunId;
use stagedoor_domain::queue::{Capacity, Queue};
use stagedoor_domain::time::{Chance, Clock};
use stagedoor_output::PumpEvent;
use stagedoor_runner::{Reports, Runner};
use stagedoor_store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::audit::{self, Denials};
use crate::cookie_keys::CookieKeys;
use crate::cookies::Forged;
use crate::csrf::Csrf;
use crate::external::{External, ExternalCommand};
use crate::late::Late;
use crate::let_go::Unneeded;
use crate::live::LiveRun;
use crate::password::Hasher;
use crate::permissions::Permissions;
use crate::ports::Recorder;
use crate::rights::{self, Rights};
use crate::scripts::Rereading;
use crate::sealed::{KEY_BYTES, Vault};
use crate::secrets::{SecretKeySource, Shelf};
use crate::throttle::{self, Limits, Throttle};
use crate::withheld::{self, Withheld};
use crate::{recover, reports, sessions};

/// What the operator has set, as far as the use cases need it.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many runs there may be.
    pub capacity: Capacity,
    /// Bytes of output per stream, where a script does not say.
    pub output_cap: u64,
    /// How long a sign-in lasts, and from where it is taken.
    pub session: Session,
    /// How often signing in may fail.
    pub sign_in: Limits,
    /// Who knows the passwords of accounts that are not local.
    pub external: Option<Arc<ExternalCommand>>,
    /// How long records of the audit log stay; none: for ever.
    pub keep_audit_log: Option<Duration>,
    /// Grants of stagedoor.toml.
    pub grants: Arc<Grants>,
    /// Variables that scripts may ask for with `inherit_env`, and `TZ`.
    pub environment: Environment,
}

/// Everything the application stands on.
pub struct Parts {
    /// The scripts.
    pub catalog: Catalog,
    /// The database.
    pub store: Store,
    /// The process that starts scripts.
    pub runner: Runner,
    /// What it reports.
    pub reports: Reports,
    /// Segments and live output.
    pub outputs: Arc<dyn Recorder>,
    /// What the pumps report.
    pub pump_events: mpsc::UnboundedReceiver<PumpEvent>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// Hashes passwords. Made by the caller, because that takes as long as a hash.
    pub hasher: Hasher,
    /// The key of secret arguments at rest.
    pub vault_key: zeroize::Zeroizing<[u8; KEY_BYTES]>,
    /// Where the keys of stored secrets are.
    pub secret_keys: Arc<dyn SecretKeySource>,
    /// The keys that sign cookies.
    pub cookie_keys: CookieKeys,
    /// Settings.
    pub options: Options,
}

/// Why the application cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fatal {
    /// The runner ended: no script can be started or stopped any more.
    RunnerGone,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) catalog: Catalog,
    pub(crate) rereading: Rereading,
    pub(crate) store: Store,
    pub(crate) runner: Runner,
    pub(crate) outputs: Arc<dyn Recorder>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) vault: Vault,
    pub(crate) shelf: Shelf,
    pub(crate) hasher: Hasher,
    pub(crate) csrf: Csrf,
    pub(crate) cookie_keys: ArcSwap<CookieKeys>,
    pub(crate) forged_cookies: Forged,
    pub(crate) rights: Rights,
    pub(crate) throttle: Throttle,
    pub(crate) external: External,
    pub(crate) options: ArcSwap<Options>,
    pub(crate) permissions: Permissions,
    pub(crate) queue: Mutex<Queue>,
    /// Oldest first, so that what happens to all of them happens in their order.
    pub(crate) live: Mutex<BTreeMap<RunId, Arc<LiveRun>>>,
    /// What is to be written as running, if it goes on.
    pub(crate) late: Mutex<Late>,
    pub(crate) unneeded: Mutex<Unneeded>,
    pub(crate) letting_go: tokio::sync::Mutex<()>,
    /// Ended runs that nobody sees the output of.
    pub(crate) withheld: Mutex<BTreeMap<RunId, Withheld>>,
    pub(crate) denials: Denials,
    pub(crate) fatal: watch::Sender<Option<Fatal>>,
    pub(crate) is_accounted: watch::Sender<bool>,
    /// This server is about to end: what waits is left to the next one.
    pub(crate) is_draining: AtomicBool,
    /// This server has said goodbye: that the runner hangs up is no news.
    pub(crate) is_leaving: AtomicBool,
}

impl App {
    /// Takes over what an earlier server left, then works. Returns when every unfinished run of
    /// the store is accounted for.
    pub async fn start(parts: Parts) -> Result<Self, StoreError> {
        let failures = parts.store.failures().await?;
        let stored = parts.store.grants().await?;
        let inner = Inner {
            throttle: Throttle::new(&failures, parts.options.sign_in, &*parts.clock),
            permissions: Permissions::new(Arc::clone(&parts.options.grants), stored),
            external: External::default(),
            hasher: parts.hasher,
            csrf: Csrf::new(Arc::clone(&parts.clock), Arc::clone(&parts.chance)),
            cookie_keys: ArcSwap::from_pointee(parts.cookie_keys),
            forged_cookies: Forged::default(),
            rights: Rights::new(),
            vault: Vault::new(&parts.vault_key),
            shelf: Shelf::new(parts.secret_keys),
            queue: Mutex::new(Queue::new(parts.options.capacity)),
            live: Mutex::default(),
            late: Mutex::default(),
            unneeded: Mutex::default(),
            letting_go: tokio::sync::Mutex::default(),
            withheld: Mutex::default(),
            denials: Denials::default(),
            fatal: watch::Sender::new(None),
            is_accounted: watch::Sender::new(false),
            is_draining: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            catalog: parts.catalog,
            rereading: Rereading::default(),
            store: parts.store,
            runner: parts.runner,
            outputs: parts.outputs,
            clock: parts.clock,
            chance: parts.chance,
            options: ArcSwap::from_pointee(parts.options),
        };
        let app = Self {
            inner: Arc::new(inner),
        };
        app.conceal_what_is_left().await?;
        let (reports, unheld) = recover::recover(&app, parts.reports).await?;
        tokio::spawn(recover::account(app.clone(), unheld));
        tokio::spawn(reports::listen(app.clone(), reports, parts.pump_events));
        tokio::spawn(sessions::sweep(app.clone()));
        tokio::spawn(rights::watch(app.clone()));
        tokio::spawn(throttle::sweep(app.clone(), failures));
        tokio::spawn(audit::trim(app.clone()));
        tokio::spawn(withheld::look_after(app.clone()));
        app.start_what_may();
        Ok(app)
    }

    /// One-time tokens of forms.
    pub fn csrf(&self) -> &Csrf {
        &self.inner.csrf
    }

    /// Time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// Chance.
    pub fn chance(&self) -> &dyn Chance {
        &*self.inner.chance
    }

    /// Settings.
    pub fn options(&self) -> Arc<Options> {
        self.inner.options.load_full()
    }

    /// Goes on with other settings. Limits of runs count from the next start on.
    pub fn reload(&self, options: Options) {
        self.queue().set_capacity(options.capacity);
        self.inner.permissions.set_file(Arc::clone(&options.grants));
        self.inner.options.store(Arc::new(options));
        self.inner.rights.changed();
        self.start_what_may();
    }

    /// Resolves when the application cannot go on.
    pub async fn fatal(&self) -> Fatal {
        let mut receiver = self.inner.fatal.subscribe();
        loop {
            if let Some(fatal) = *receiver.borrow_and_update() {
                return fatal;
            }
            if receiver.changed().await.is_err() {
                return Fatal::RunnerGone;
            }
        }
    }

    /// Resolves when the database tells of every attempt that the runner does not hold what became
    /// of it.
    pub async fn accounted(&self) {
        let mut receiver = self.inner.is_accounted.subscribe();
        // The sender lives as long as this does.
        let _ = receiver.wait_for(|is_accounted| *is_accounted).await;
    }

    /// How many runs hold a slot, and how many wait.
    pub fn load(&self) -> (usize, usize) {
        let queue = self.queue();
        (queue.running(), queue.waiting())
    }

    /// Can requests be answered, and runs be accepted?
    pub async fn is_ready(&self) -> bool {
        let store = &self.inner.store;
        self.inner.fatal.borrow().is_none()
            && store.count_users().await.is_ok()
            && store.can_write().await
    }

    pub(crate) fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.inner
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn live(&self) -> std::sync::MutexGuard<'_, BTreeMap<RunId, Arc<LiveRun>>> {
        self.inner
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn live_run(&self, id: RunId) -> Option<Arc<LiveRun>> {
        self.live().get(&id).cloned()
    }
}
