//! The settings, typed, with their defaults.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use stagedoor_domain::access::Grants;
use stagedoor_domain::sandbox::Permit;

use crate::account::account;
use crate::debug::{self, Debug};
use crate::document::{Problems, Value};
use crate::front::{self, Hsts, Proxy, Tls};
use crate::layers::Layers;
use crate::listen::{self, Listen};
use crate::session::{self, Session, some_time};
use crate::sign_in::{self, SignIn};
use crate::{grants, hosts, permits};

/// Everything that the operator can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// At least one.
    pub listen: Vec<Listen>,
    /// Hosts that are answered beside the loopback names, in small letters.
    pub public_host: Vec<String>,
    /// Plain HTTP beyond this machine is wanted.
    pub allow_plain_http: bool,
    /// HTTPS by the server itself.
    pub tls: Option<Tls>,
    /// Proxies that stand before it.
    pub proxy: Option<Proxy>,
    /// Empty, or the path below which everything stands: `/scripts`.
    pub base_path: String,
    /// Of answers to requests that came by HTTPS.
    pub hsts: Hsts,
    /// The server's account when started as root; none means `stagedoor`, else uid 7373.
    pub user: Option<String>,
    /// The scripts' account when started as root; none means `stagedoor-run`, else uid 7374.
    pub run_user: Option<String>,
    /// Scripts may run as root.
    pub allow_root_scripts: bool,
    /// How many, how much.
    pub limits: Limits,
    /// How long a sign-in lasts, and from where it is taken.
    pub session: Session,
    /// How signing in goes.
    pub sign_in: SignIn,
    /// How long records of the audit log stay; 365 days. None: for ever.
    pub keep_audit_log: Option<Duration>,
    /// Who is told more of failures.
    pub debug: Option<Debug>,
    /// `[[grant]]`.
    pub grants: Grants,
    /// `[[permit]]`.
    pub permits: Vec<Permit>,
    /// Where everything that lasts is kept.
    pub state: PathBuf,
    /// The file that was read, as the operator would name it.
    pub file: Option<PathBuf>,
    /// Keys that are set by somebody; the others have their defaults.
    pub(crate) set: BTreeSet<&'static str>,
}

/// Limits of the whole server; a script's own come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Runs at once; twice the cores.
    pub running: u32,
    /// Runs that wait; 1,000.
    pub queued: u32,
    /// Runs of one user that wait; 100.
    pub queued_per_user: u32,
    /// Bytes of output per stream of a run; 64 MiB.
    pub output: u64,
    /// Of scripts that say nothing; one hour. None means that they may run for ever.
    pub timeout: Option<Duration>,
}

impl Settings {
    /// Reads the layers; all problems are told.
    pub(crate) fn read(
        layers: &Layers,
        cores: u32,
        state: PathBuf,
        file: Option<PathBuf>,
        problems: &mut Problems,
    ) -> Self {
        let mut flag = |key: &str| {
            layers
                .get(key)
                .and_then(|node| node.flag(problems))
                .unwrap_or(false)
        };
        let (allow_plain_http, allow_root_scripts) =
            (flag("allow_plain_http"), flag("allow_root_scripts"));
        let public_host = hosts::read(layers.get("public_host"), problems);
        let tls = front::tls(layers, &public_host, problems);
        let proxy = front::proxy(layers, problems);
        // What is set but wrong has been told already.
        let is_private = allow_plain_http
            || layers.get("tls.certificate").is_some()
            || matches!(
                layers.get("behind_proxy").map(|node| &node.value),
                Some(Value::Flag(true))
            );
        Self {
            listen: listen::read(layers.get("listen"), is_private, problems),
            hsts: front::hsts(layers, &public_host, problems),
            base_path: front::base_path(layers, problems),
            public_host,
            tls,
            proxy,
            allow_plain_http,
            user: layers.get("user").and_then(|node| account(node, problems)),
            run_user: layers
                .get("run_user")
                .and_then(|node| account(node, problems)),
            allow_root_scripts,
            limits: limits(layers, cores, problems),
            session: session::read(layers, problems),
            sign_in: sign_in::read(layers, problems),
            keep_audit_log: keep_audit_log(layers, problems),
            debug: debug::read(layers, problems),
            grants: grants::read(&layers.grants, problems),
            permits: permits::read(&layers.permits, problems),
            state,
            file,
            set: layers.keys().collect(),
        }
    }
}

/// 0 means for ever.
fn keep_audit_log(layers: &Layers, problems: &mut Problems) -> Option<Duration> {
    const YEAR: u32 = 365;
    let days = layers
        .get("audit_log.keep_days")
        .and_then(|node| node.count(0, problems));
    match days.unwrap_or(YEAR) {
        0 => None,
        days => Some(Duration::from_hours(24) * days),
    }
}

fn limits(layers: &Layers, cores: u32, problems: &mut Problems) -> Limits {
    let mut count = |key: &str, least: u32, default: u32| {
        layers
            .get(key)
            .and_then(|node| node.count(least, problems))
            .unwrap_or(default)
    };
    let running = count("limits.running", 1, cores.max(1).saturating_mul(2));
    let queued = count("limits.queued", 0, 1000);
    let queued_per_user = count("limits.queued_per_user", 0, 100);
    let output = layers
        .get("limits.output")
        .and_then(|node| node.some_size(problems))
        .unwrap_or(64 << 20);
    let timeout = match layers.get("limits.timeout") {
        None => Some(Duration::from_hours(1)),
        Some(node) if matches!(&node.value, Value::Text(text) if text == "none") => None,
        Some(node) => some_time(node, problems),
    };
    Limits {
        running,
        queued,
        queued_per_user,
        output,
        timeout,
    }
}
