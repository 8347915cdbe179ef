//! Pages of the log, newest first, at a cost that does not grow with it.
//!
//! Starts of runs are most of a log and have a history of their own, so the indexes by act, user and
//! address leave them out. Where they are wanted too, or where filters meet that no index
//! joins, records are looked through, and a page ends early rather than look through all.

use std::fmt;

use rusqlite::Connection;
use rusqlite::types::Value;
use stagedoor_domain::audit::{Act, Outcome};
use stagedoor_domain::name::UserName;
use stagedoor_domain::time::Timestamp;

use super::fields::{Fields, audit_columns};
use super::record::AuditRecord;
use crate::error::StoreError;
use crate::runs::LONGEST_PAGE;
use crate::store::Store;

/// Most records that one page looks at and does not show.
const MOST_IN_VAIN: usize = 5_000;

/// Which records are wanted. What is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this act.
    pub act: Option<Act>,
    /// Without starts of runs.
    pub without_starts: bool,
    /// By this user, or by a token of theirs.
    pub user: Option<UserName>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// From this address, as it is written in the log.
    pub address: Option<String>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Where the page before ended.
    pub cursor: Option<AuditCursor>,
    /// At most so many; between 1 and [`LONGEST_PAGE`], whatever is given.
    pub limit: usize,
}

/// Where a page ended: the time and the number of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCursor {
    at: i64,
    seq: i64,
}

impl AuditCursor {
    /// From the text that a client got; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, seq) = text.split_once('.')?;
        let number = |text: &str| -> Option<i64> {
            let is_plain =
                (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            is_plain.then(|| text.parse().ok()).flatten()
        };
        Some(Self {
            at: number(at)?,
            seq: number(seq)?,
        })
    }
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.seq)
    }
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditPage {
    /// Newest first.
    pub items: Vec<AuditRecord>,
    /// Where the next page begins, if there is one.
    pub next: Option<AuditCursor>,
}

impl Store {
    /// A page of the audit log, newest first. Where what is wanted is rare, it may hold fewer records
    /// than there is room for, or none, and still have a next one.
    pub async fn audit_page(&self, filter: &AuditFilter) -> Result<AuditPage, StoreError> {
        let filter = filter.clone();
        self.read(move |db| page(db, &filter, MOST_IN_VAIN)).await
    }
}

macro_rules! newest_first {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_log INDEXED BY ",
            $index,
            " WHERE ",
            $condition,
            " AND at >= ?1 AND at <= ?2 AND (at < ?2 OR seq < ?3) ORDER BY at DESC, seq DESC"
        )
    };
}

pub(super) const ALL: &str = newest_first!("audit_by_time", "?4 IS NULL");
pub(super) const BUT_STARTS: &str =
    newest_first!("audit_but_starts", "act <> 'run_started' AND ?4 IS NULL");
pub(super) const BY_ACT: &str = newest_first!("audit_by_act", "act <> 'run_started' AND act = ?4");
pub(super) const BY_USER: &str =
    newest_first!("audit_by_user", "act <> 'run_started' AND user_name = ?4");
pub(super) const BY_ADDRESS: &str =
    newest_first!("audit_by_address", "act <> 'run_started' AND address = ?4");

/// The statement that reads least, and what it looks up.
fn statement(filter: &AuditFilter) -> (&'static str, Value) {
    let with_starts = match filter.act {
        Some(act) => act == Act::RunStarted,
        None => !filter.without_starts,
    };
    let text = |text: &str| Value::Text(text.to_owned());
    match (&filter.address, &filter.user, filter.act) {
        _ if with_starts => (ALL, Value::Null),
        (Some(address), ..) => (BY_ADDRESS, text(address)),
        (_, Some(user), _) => (BY_USER, text(user.as_str())),
        (.., Some(act)) => (BY_ACT, text(act.word())),
        (None, None, None) => (BUT_STARTS, Value::Null),
    }
}

fn is_wanted(record: &Fields<'_>, filter: &AuditFilter) -> bool {
    let starts = Act::RunStarted.word();
    filter.act.is_none_or(|act| act.word() == record.act)
        && !(filter.without_starts && record.act == starts)
        && filter.outcome.is_none_or(|it| it.word() == record.outcome)
        && filter
            .user
            .as_ref()
            .is_none_or(|it| Some(it.as_str()) == record.user_name)
        && filter
            .address
            .as_ref()
            .is_none_or(|it| Some(it.as_str()) == record.address)
}

/// A page; it looks at most at so many records that are not on it.
pub(crate) fn page(
    db: &Connection,
    filter: &AuditFilter,
    in_vain: usize,
) -> rusqlite::Result<AuditPage> {
    let limit = filter.limit.clamp(1, LONGEST_PAGE);
    let (sql, key) = statement(filter);
    let from = filter.from.map_or(i64::MIN, Timestamp::millis);
    // Before the whole of that millisecond.
    let to = filter.to.map(|to| (to.millis(), i64::MIN));
    let cursor = filter.cursor.map(|cursor| (cursor.at, cursor.seq));
    let (at, seq) = to
        .into_iter()
        .chain(cursor)
        .min()
        .unwrap_or((i64::MAX, i64::MAX));
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((from, at, seq, key))?;
    let mut page = AuditPage {
        items: Vec::new(),
        next: None,
    };
    let (mut last, mut vain) = (None, 0);
    while let Some(row) = rows.next()? {
        let (record, hash) = Fields::read(row)?;
        if page.items.len() == limit || vain == in_vain {
            page.next = last;
            break;
        }
        last = Some(AuditCursor {
            at: record.at,
            seq: record.seq,
        });
        if is_wanted(&record, filter) {
            page.items.push(AuditRecord::of(&record, &hash));
        } else {
            vain += 1;
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::MIGRATIONS;

    #[test]
    fn no_page_sorts_the_log_or_reads_it_from_its_beginning() {
        let db = Connection::open_in_memory().expect("opens");
        for migration in MIGRATIONS {
            db.execute_batch(migration).expect("applied");
        }
        for sql in [ALL, BUT_STARTS, BY_ACT, BY_USER, BY_ADDRESS] {
            let plan: Vec<String> = db
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .and_then(|mut plan| {
                    let values = (0, 0, 0, Value::Null);
                    plan.query_map(values, |row| row.get(3))?.collect()
                })
                .expect("planned");
            let [step] = plan.as_slice() else {
                panic!("{plan:?}");
            };
            assert!(
                step.starts_with("SEARCH") && step.contains("at>? AND at<?"),
                "{step}"
            );
        }
    }

    #[tokio::test]
    async fn a_page_that_finds_little_ends_early_and_goes_on_there() {
        use stagedoor_domain::audit::{Entry, Origin};
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("opens");
        for n in 0..9 {
            let at = Timestamp::from_millis(n);
            let entry = Entry::new(Act::UserAdded, Origin::server(), at);
            let entry = if n == 0 { entry.failed() } else { entry };
            store.record(entry).await.expect("recorded");
        }
        let mut filter = AuditFilter {
            outcome: Some(Outcome::Failed),
            limit: 5,
            ..AuditFilter::default()
        };
        let mut pages = Vec::new();
        loop {
            let wanted = filter.clone();
            let page = store.read(move |db| page(db, &wanted, 3)).await;
            let page = page.expect("a page");
            pages.push(page.items.len());
            match page.next {
                Some(next) => filter.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(pages, [0, 0, 1]);
    }
}
