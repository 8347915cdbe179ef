//! Who may try, by what failed before: the rules over all places. Pure, and bounded.

use std::collections::HashMap;
use std::time::Duration;

use stagedoor_domain::id::UserId;
use stagedoor_store::{FailureKind, FailureRecord};

use super::bucket::Bucket;
use super::network::Network;
use super::place::{Limits, Now, Place, STRANGERS, Visitor};
use super::table::{Entry, Table};

/// Accounts and addresses that are counted together; then networks, for passwords and for tokens.
const PAIRS: usize = 16_384;
const NETWORKS: usize = 8_192;
/// What somebody waits for whose other attempts are still being looked at.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What changed, to be kept.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub changed: Vec<FailureRecord>,
    pub gone: Vec<Place>,
    /// Places whose block begins.
    pub blocked: Vec<Place>,
    /// Failures before this one that were counted and nothing else.
    pub left_out: u32,
}

/// Everything that counts.
#[derive(Debug)]
pub(super) struct Book {
    pairs: Table,
    addresses: Table,
    tokens: Table,
    all: Table,
    /// Wrong tokens of everybody. Not kept: nobody from outside restarts the server.
    all_tokens: Bucket,
    /// Wrong tokens that were too many to be written down.
    left_out: u32,
    /// Attempts that are being looked at.
    trying: HashMap<Place, u32>,
}

impl Book {
    pub fn new() -> Self {
        Self {
            pairs: Table::new(PAIRS),
            addresses: Table::new(NETWORKS),
            tokens: Table::new(NETWORKS),
            all: Table::new(1),
            all_tokens: Bucket::default(),
            left_out: 0,
            trying: HashMap::new(),
        }
    }

    fn table(&mut self, kind: FailureKind) -> &mut Table {
        match kind {
            FailureKind::Password => &mut self.pairs,
            FailureKind::Address => &mut self.addresses,
            FailureKind::Token => &mut self.tokens,
            FailureKind::All => &mut self.all,
        }
    }

    /// Takes up what was kept. A clock that went back meanwhile prolongs nothing beyond the length
    /// of a block.
    pub fn take_up(&mut self, kept: &FailureRecord, limits: Limits, now: Now) {
        let Some(place) = Place::of(&kept.place) else {
            return;
        };
        let (ago, rule) = (now.wall.since(kept.noted_at), limits.rule(place.kind));
        let left = kept
            .blocked_until
            .map_or(Duration::ZERO, |until| until.since(now.wall));
        let counted = (kept.level, kept.rounds);
        let entry = Entry {
            bucket: Bucket::kept(counted, ago, left, rule, now.monotonic),
            user: kept.user,
            noted_at: kept.noted_at,
        };
        let table = self.table(place.kind);
        *table.entry(place, now.monotonic, &mut Vec::new()) = entry;
    }

    /// May they try? Else where it is blocked and how long they are to wait. Whoever may is to
    /// come back with [`Self::done`].
    pub fn begin(
        &mut self,
        visitor: &Visitor,
        limits: Limits,
        now: Duration,
    ) -> Result<(), (Place, Duration)> {
        let waits = visitor
            .judged_by()
            .filter_map(|place| Some((place, self.wait(&place, limits, now)?)));
        if let Some(longest) = waits.max_by_key(|(_, wait)| *wait) {
            return Err(longest);
        }
        let mut places = visitor.judged_by();
        if let Some(full) = places.find(|place| self.may_be_full(place, limits, now)) {
            return Err((full, A_MOMENT));
        }
        for place in visitor.judged_by() {
            *self.trying.entry(place).or_insert(0) += 1;
        }
        Ok(())
    }

    /// Would it be, if all that is being looked at there failed? Who sends many at once has no more
    /// tries than who sends one after the other.
    fn may_be_full(&mut self, place: &Place, limits: Limits, now: Duration) -> bool {
        let trying = self.trying.get(place).copied().unwrap_or(0);
        let rule = limits.rule(place.kind);
        let failed = self
            .table(place.kind)
            .get(place)
            .map_or(0, |entry| entry.bucket.level(rule, now));
        trying > 0 && failed.saturating_add(trying) >= rule.most
    }

    /// What was begun is over, however it ended.
    pub fn done(&mut self, visitor: &Visitor) {
        for place in visitor.judged_by() {
            if let Some(trying) = self.trying.get_mut(&place) {
                *trying = trying.saturating_sub(1);
                if *trying == 0 {
                    self.trying.remove(&place);
                }
            }
        }
    }

    /// How long nothing may be tried there, if so.
    pub fn wait(&mut self, place: &Place, limits: Limits, now: Duration) -> Option<Duration> {
        let entry = self.table(place.kind).get(place)?;
        entry.bucket.wait(limits.rule(place.kind), now)
    }

    /// What a wrong password counts against.
    pub fn counted(visitor: &Visitor) -> impl Iterator<Item = Place> + use<> {
        let own = [Place::pair(visitor), Place::address(visitor.network)];
        own.into_iter().chain((!visitor.is_known).then(Place::all))
    }

    /// A wrong password.
    pub fn failed(
        &mut self,
        visitor: &Visitor,
        user: Option<UserId>,
        limits: Limits,
        now: Now,
    ) -> Changes {
        let mut changes = Changes::default();
        for place in Self::counted(visitor) {
            let whose = user.filter(|_| place.kind == FailureKind::Password);
            self.add(place, whose, limits, now, &mut changes);
        }
        changes
    }

    /// A wrong token. None when everybody together sends so many that this one is only counted: it
    /// takes no place and is written nowhere.
    pub fn failed_token(&mut self, network: Network, limits: Limits, now: Now) -> Option<Changes> {
        if self.all_tokens.wait(STRANGERS, now.monotonic).is_some() {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.all_tokens.add(STRANGERS, now.monotonic);
        let mut changes = Changes {
            left_out: std::mem::take(&mut self.left_out),
            ..Changes::default()
        };
        self.add(Place::token(network), None, limits, now, &mut changes);
        Some(changes)
    }

    /// The right password: what this account failed from there is forgotten; what others failed
    /// from there is not.
    pub fn succeeded(&mut self, visitor: &Visitor) -> Changes {
        let pair = Place::pair(visitor);
        let gone = self.pairs.remove(&pair).then_some(pair);
        Changes {
            gone: gone.into_iter().collect(),
            ..Changes::default()
        }
    }

    /// Forgets a place.
    pub fn lift(&mut self, place: &Place) -> bool {
        self.table(place.kind).remove(place)
    }

    /// Blocks that run, and for how long.
    pub fn blocked(&self, now: Duration) -> Vec<(Place, Entry, Duration)> {
        [&self.pairs, &self.addresses, &self.tokens]
            .into_iter()
            .flat_map(Table::iter)
            .filter_map(|(place, entry)| Some((*place, *entry, entry.bucket.left(now)?)))
            .collect()
    }

    /// Does any network wait with its tokens?
    pub fn blocks_tokens(&self, now: Duration) -> bool {
        let mut tokens = self.tokens.iter();
        tokens.any(|(_, entry)| entry.bucket.left(now).is_some())
    }

    /// Forgets what counts no more.
    pub fn sweep(&mut self, limits: Limits, now: Duration) -> Changes {
        let mut changes = Changes::default();
        for kind in [
            FailureKind::Password,
            FailureKind::Address,
            FailureKind::Token,
            FailureKind::All,
        ] {
            let rule = limits.rule(kind);
            let is_over = |entry: &Entry| entry.bucket.is_idle(rule, now);
            self.table(kind).drop_if(is_over, &mut changes.gone);
        }
        changes
    }

    fn add(
        &mut self,
        place: Place,
        user: Option<UserId>,
        limits: Limits,
        now: Now,
        changes: &mut Changes,
    ) {
        let rule = limits.rule(place.kind);
        let table = self.table(place.kind);
        let entry = table.entry(place, now.monotonic, &mut changes.gone);
        entry.user = user.or(entry.user);
        entry.noted_at = now.wall;
        if entry.bucket.add(rule, now.monotonic) {
            changes.blocked.push(place);
        }
        let left = entry.bucket.left(now.monotonic);
        changes.changed.push(FailureRecord {
            place: place.to_keep(),
            user: entry.user,
            level: entry.bucket.level(rule, now.monotonic),
            rounds: entry.bucket.rounds(),
            noted_at: now.wall,
            blocked_until: left.map(|left| now.wall.plus(left)),
            lifted: false,
        });
    }
}

#[cfg(test)]
mod tests;
