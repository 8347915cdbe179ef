//! A running server takes keys that have changed, and renews its own ring when it is old.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use stagedoor_app::app::App;
use stagedoor_app::cookie_keys::CookieKeys;
use stagedoor_app::keys::Keys;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::time::{Chance, Timestamp};
use tokio::time::MissedTickBehavior;

use super::operator_file::OperatorFile;
use super::{COOKIES, Given, ring};
use crate::system::KernelChance;

/// Between two looks, each of one call to the system.
const STEP: Duration = Duration::from_secs(2);
/// A key of the ring signs for so long.
const LIFE: Duration = Duration::from_hours(30 * 24);

/// Where keys come from.
#[derive(Debug, Clone)]
enum Source {
    /// The ring in this state directory.
    Ring(PathBuf),
    /// A file of an operator.
    File(OperatorFile),
    /// Given once, at the start.
    Fixed,
}

/// Where the keys of this server are, and which of them it has seen.
pub struct Kept {
    source: Source,
    seen: Option<Stamp>,
    /// Made when.
    newest: Timestamp,
    /// A key was made here that nobody was told of.
    has_renewed: bool,
    /// What the log said last, so that it does not say it again.
    said: Option<String>,
}

/// What shows that a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Kept {
    /// The operator's keys, or the ring of this state directory.
    pub fn open(
        given: Option<Given>,
        dir: PathBuf,
        chance: &dyn Chance,
        now: Timestamp,
    ) -> anyhow::Result<(Self, CookieKeys)> {
        let (source, keys) = if let Some(Given { keys, file }) = given {
            (file.map_or(Source::Fixed, Source::File), keys)
        } else {
            let keys = ring::open(&dir, &COOKIES, chance, now)?;
            (Source::Ring(dir), keys)
        };
        let mut kept = Self {
            source,
            seen: None,
            newest: keys.newest().made(),
            has_renewed: false,
            said: None,
        };
        kept.seen = kept.stamp();
        Ok((kept, CookieKeys::of(keys)))
    }

    /// Looks for as long as it is polled.
    pub async fn watch(mut self, app: App) {
        let mut step = tokio::time::interval(STEP);
        step.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            step.tick().await;
            let now = app.clock().now();
            // Files may lie on a disk that does not answer.
            let looked = tokio::task::spawn_blocking(move || {
                let found = self.look(now);
                (self, found)
            });
            let Ok((kept, found)) = looked.await else {
                return;
            };
            self = kept;
            match found {
                Ok(None) => {}
                Ok(Some(keys)) => {
                    tracing::info!(
                        key = keys.newest().id(),
                        "another key signs cookies from now on"
                    );
                    app.use_cookie_keys(CookieKeys::of(keys));
                    if std::mem::take(&mut self.has_renewed) {
                        let entry = app.entry(Act::KeysRotated, &Origin::server());
                        app.note(entry.on("cookies")).await;
                    }
                }
                Err(error) => self.say(&format!("{error:#}")),
            }
        }
    }

    /// Other keys than those that were seen, if there are.
    fn look(&mut self, now: Timestamp) -> anyhow::Result<Option<Keys>> {
        let stamp = self.stamp();
        if stamp == self.seen {
            return self.renew(now);
        }
        self.seen = stamp;
        let keys = match &self.source {
            Source::Fixed => None,
            Source::File(file) => Some(file.read(&COOKIES)?),
            Source::Ring(dir) => match ring::read(dir, &COOKIES)? {
                None => anyhow::bail!(
                    "{} is gone: its keys are used until this server ends, and then everybody signs in \
                     again",
                    ring::path(dir, &COOKIES).display()
                ),
                keys => keys,
            },
        };
        self.newest = keys
            .as_ref()
            .map_or(self.newest, |keys| keys.newest().made());
        self.said = None;
        Ok(keys)
    }

    /// Another key for a ring whose newest is old.
    fn renew(&mut self, now: Timestamp) -> anyhow::Result<Option<Keys>> {
        let Source::Ring(dir) = &self.source else {
            return Ok(None);
        };
        if now.since(self.newest) < LIFE || self.seen.is_none() {
            return Ok(None);
        }
        let keys = ring::rotate(dir, &COOKIES, (&KernelChance, now), false)?;
        self.newest = keys.newest().made();
        self.has_renewed = true;
        self.seen = self.stamp();
        Ok(Some(keys))
    }

    fn stamp(&self) -> Option<Stamp> {
        let path = match &self.source {
            Source::Fixed => return None,
            Source::File(file) => file.path.clone(),
            Source::Ring(dir) => ring::path(dir, &COOKIES),
        };
        let metadata = std::fs::metadata(path).ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    fn say(&mut self, what: &str) {
        if self.said.as_deref() != Some(what) {
            tracing::error!("the keys that sign cookies stay as they were: {what}");
            self.said = Some(what.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stagedoor_app::keys::Key;

    fn at(days: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_hours(24 * days))
    }

    fn kept() -> (tempfile::TempDir, Kept, String) {
        let dir = tempfile::tempdir().expect("a folder");
        let opened = Kept::open(None, dir.path().to_owned(), &KernelChance, at(1));
        let (kept, keys) = opened.expect("opened");
        (dir, kept, keys.newest().id().to_owned())
    }

    #[test]
    fn b39_a_key_is_followed_by_another_one_after_thirty_days() {
        let (_dir, mut kept, first) = kept();
        for days in [1, 30] {
            assert!(kept.look(at(days)).expect("looked").is_none(), "{days}");
        }
        let keys = kept.look(at(31)).expect("looked").expect("another one");
        let ids: Vec<&str> = keys.iter().map(Key::id).collect();
        assert_eq!((ids.len(), ids[1]), (2, first.as_str()));
        assert!(kept.look(at(31)).expect("looked").is_none(), "once");
        assert!(kept.look(at(61)).expect("looked").is_some(), "and again");
    }

    #[test]
    fn b39_what_another_process_has_rotated_is_taken() {
        let (dir, mut kept, first) = kept();
        let other =
            ring::rotate(dir.path(), &COOKIES, (&KernelChance, at(2)), true).expect("rotated");
        let keys = kept.look(at(2)).expect("looked").expect("other keys");
        assert_eq!(keys.newest().id(), other.newest().id());
        assert_ne!(keys.newest().id(), first);
        assert!(kept.look(at(2)).expect("looked").is_none());
    }

    #[test]
    fn b39_a_ring_that_is_damaged_or_gone_is_told_once_and_changes_nothing() {
        let (dir, mut kept, _) = kept();
        std::fs::write(ring::path(dir.path(), &COOKIES), "what").expect("written");
        kept.look(at(2)).expect_err("damaged");
        assert!(kept.look(at(2)).expect("told already").is_none());
        std::fs::remove_file(ring::path(dir.path(), &COOKIES)).expect("removed");
        kept.look(at(2)).expect_err("gone");
        assert!(kept.look(at(90)).expect("told already").is_none());
        assert!(
            !ring::path(dir.path(), &COOKIES).exists(),
            "nothing was made in its place"
        );
    }
}
