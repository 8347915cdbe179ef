//! What is blocked, for admins, and how a block is lifted.

use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::name::UserName;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{FailureKind, FailurePlace, StoreError};

use super::book::Changes;
use super::place::{Now, Place};
use crate::app::App;
use crate::session_key::digest;

/// A block that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedPlace {
    /// Names it where it is lifted.
    pub id: String,
    /// What failed.
    pub kind: FailureKind,
    /// The account, where there is one of the name that was typed.
    pub user: Option<UserName>,
    /// An address, or an IPv6 network.
    pub network: String,
    /// How often it was blocked lately.
    pub rounds: u32,
    /// The last failure.
    pub last: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    place: Place,
}

/// Names a place in lists: 12 hex digits.
pub fn place_id(place: &FailurePlace) -> String {
    let parts: [&[u8]; 3] = [
        place.kind.as_str().as_bytes(),
        &place.account,
        place.network.as_bytes(),
    ];
    let first = digest(&parts).into_iter().take(6);
    let number = first.fold(0_u64, |number, byte| (number << 8) | u64::from(byte));
    format!("{number:012x}")
}

/// What is blocked, in words.
pub fn what(kind: FailureKind, user: Option<&UserName>) -> String {
    match (kind, user) {
        (FailureKind::Password, Some(user)) => format!("signing in as {user}"),
        // What was typed is not kept: it may have been a password.
        (FailureKind::Password, None) => "signing in as somebody who does not exist".to_owned(),
        (FailureKind::Address | FailureKind::All, _) => "signing in as anybody".to_owned(),
        (FailureKind::Token, _) => "tokens".to_owned(),
    }
}

impl App {
    /// Every block that runs; those that go on longest first. One that a command beside this server
    /// has lifted is none.
    pub async fn blocked(&self) -> Result<Vec<BlockedPlace>, StoreError> {
        self.heed_lifts().await?;
        let now = Now::of(self.clock());
        let blocked = self.inner.throttle.book().blocked(now.monotonic);
        let users = if blocked.is_empty() {
            Vec::new()
        } else {
            self.inner.store.list_users().await?
        };
        let name = |id| {
            let user = users.iter().find(|record| Some(record.user.id) == id);
            user.map(|record| record.user.name.clone())
        };
        let mut places: Vec<_> = blocked
            .into_iter()
            .map(|(place, entry, left)| {
                let kept = place.to_keep();
                BlockedPlace {
                    id: place_id(&kept),
                    kind: kept.kind,
                    user: name(entry.user),
                    network: kept.network,
                    rounds: entry.bucket.rounds(),
                    last: entry.noted_at,
                    until: now.wall.plus(left),
                    place,
                }
            })
            .collect();
        places.sort_by(|a, b| b.until.cmp(&a.until).then_with(|| a.id.cmp(&b.id)));
        Ok(places)
    }

    /// How many blocks run.
    pub async fn count_blocked(&self) -> usize {
        if let Err(error) = self.heed_lifts().await {
            tracing::warn!(%error, "could not see which blocks were lifted");
        }
        let now = self.clock().monotonic();
        self.inner.throttle.book().blocked(now).len()
    }

    /// Forgets what a command beside this server has lifted.
    async fn heed_lifts(&self) -> Result<(), StoreError> {
        let lifted = self.inner.store.lifted_failures().await?;
        let gone: Vec<Place> = lifted.iter().filter_map(Place::of).collect();
        {
            let mut book = self.inner.throttle.book();
            for place in &gone {
                book.lift(place);
            }
        }
        self.keep(Changes {
            gone,
            ..Changes::default()
        })
        .await;
        Ok(())
    }

    /// Lifts one block, or all; how many there were. What cannot be recorded is not done.
    pub async fn lift_blocks(&self, by: &Origin, id: Option<&str>) -> Result<usize, StoreError> {
        let mut blocked = self.blocked().await?;
        blocked.retain(|block| id.is_none_or(|id| block.id == id));
        for block in &blocked {
            let store = self.recorded(lifted(self.entry(Act::BlockLifted, by), block));
            let gone = vec![block.place.to_keep()];
            store.keep_failures(Vec::new(), gone).await?;
            self.inner.throttle.book().lift(&block.place);
        }
        Ok(blocked.len())
    }
}

fn lifted(entry: Entry, block: &BlockedPlace) -> Entry {
    let name = block.user.as_ref().map_or("", UserName::as_str);
    let entry = entry.on(name).with("kind", block.kind.as_str());
    entry.with("network", block.network.as_str())
}
