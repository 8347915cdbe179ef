//! What differs between two readings of the settings, and from when on it counts.

use std::fmt::Debug;

use stagedoor_domain::access::{Gives, Grants};
use stagedoor_domain::name::GroupName;

use crate::settings::Settings;

/// Keys of settings that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// They count as soon as they are read.
    pub now: Vec<&'static str>,
    /// What they are about is set up when the server starts.
    pub next_start: Vec<&'static str>,
}

impl Settings {
    /// What these settings change for a server that `began` with others and read `last` before.
    ///
    /// What counts at the next start is told at each reading, until the file says again what the
    /// server began with. A setting that nobody has set is not named, even where another one changes
    /// what it is by default.
    pub fn changes(&self, began: &Self, last: &Self) -> Changes {
        let is_set = |key: &str, before: &Self| {
            [GRANT, PERMIT].contains(&key) || self.set.contains(key) || before.set.contains(key)
        };
        let mut now = differing(&counting_now(last), &counting_now(self));
        let mut next_start = differing(&counting_at_start(began), &counting_at_start(self));
        now.retain(|key| is_set(key, last));
        next_start.retain(|key| is_set(key, began));
        Changes { now, next_start }
    }
}

/// `[[grant]]` and `[[permit]]`, which are no single values.
const GRANT: &str = "grant";
const PERMIT: &str = "permit";

/// A setting's key, and its value in words that are equal only for equal values.
type Row = (&'static str, String);

fn row(key: &'static str, value: impl Debug) -> Row {
    (key, format!("{value:?}"))
}

fn differing(old: &[Row], new: &[Row]) -> Vec<&'static str> {
    let pairs = old.iter().zip(new);
    pairs
        .filter_map(|((key, old), (_, new))| (old != new).then_some(*key))
        .collect()
}

fn counting_now(settings: &Settings) -> Vec<Row> {
    let (limits, session) = (settings.limits, settings.session);
    let command = settings.sign_in.command.as_ref();
    vec![
        row("limits.running", limits.running),
        row("limits.queued", limits.queued),
        row("limits.queued_per_user", limits.queued_per_user),
        row("limits.output", limits.output),
        row("session.absolute", session.absolute),
        row("session.idle", session.idle),
        row("session.confirmed_for", session.confirmed_for),
        row("session.address", session.address),
        row("sign_in.failures", settings.sign_in.failures),
        row("sign_in.blocked_for", settings.sign_in.blocked_for),
        row("sign_in.command", command.map(|command| &command.argv)),
        row(
            "sign_in.command_timeout",
            command.map(|command| command.timeout),
        ),
        row(
            "sign_in.command_names_admins",
            command.map(|command| command.names_admins),
        ),
        row(GRANT, given(&settings.grants)),
        row("audit_log.keep_days", settings.keep_audit_log),
    ]
}

/// What the grants give, on whatever lines they stand.
fn given(grants: &Grants) -> Vec<(&GroupName, &Gives)> {
    let grants = grants.0.iter();
    grants.map(|grant| (&grant.group, &grant.gives)).collect()
}

fn counting_at_start(settings: &Settings) -> Vec<Row> {
    let (tls, proxy) = (settings.tls.as_ref(), settings.proxy.as_ref());
    vec![
        row("listen", &settings.listen),
        row("public_host", &settings.public_host),
        row("allow_plain_http", settings.allow_plain_http),
        row("tls.certificate", tls.map(|tls| &tls.certificate)),
        row("tls.key", tls.map(|tls| &tls.key)),
        row(
            "tls.redirect_listen",
            tls.map_or(&[][..], |tls| &tls.redirect_listen),
        ),
        row("behind_proxy", proxy.is_some()),
        row("proxy.hops", proxy.map(|proxy| proxy.hops)),
        row("proxy.trusted", proxy.map(|proxy| &proxy.trusted)),
        row("proxy.protocol", proxy.is_some_and(|proxy| proxy.protocol)),
        row("base_path", &settings.base_path),
        row("hsts", settings.hsts),
        row("user", &settings.user),
        row("run_user", &settings.run_user),
        row("allow_root_scripts", settings.allow_root_scripts),
        row("limits.timeout", settings.limits.timeout),
        row(PERMIT, &settings.permits),
        row("debug.clients", settings.debug.as_ref().map(|d| &d.clients)),
        row("debug.lasts", settings.debug.as_ref().map(|d| d.lasts)),
        // What it allows is checked at each reading; nothing of it is left then.
        row("profile", ()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Problems;
    use crate::layers::{Layers, SETTINGS};

    #[test]
    fn each_setting_counts_at_one_of_both_times() {
        let mut problems = Problems::default();
        let settings = Settings::read(&Layers::default(), 1, "/s".into(), None, &mut problems);
        let mut told: Vec<_> = counting_now(&settings)
            .into_iter()
            .chain(counting_at_start(&settings))
            .map(|(key, _)| key)
            .collect();
        let mut all: Vec<_> = SETTINGS.iter().map(|(key, _)| *key).collect();
        all.extend([GRANT, PERMIT]);
        told.sort_unstable();
        all.sort_unstable();
        assert_eq!(told, all);
    }
}
