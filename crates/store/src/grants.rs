//! Grants that were given by pages and command line.

use rusqlite::{Connection, Row};
use stagedoor_domain::access::{Actions, Gives, Grant, Origin, Verb};
use stagedoor_domain::name::GroupName;
use stagedoor_domain::pattern::{parse_patterns, say_patterns};
use stagedoor_domain::time::Timestamp;

use crate::audit::Happened;
use crate::error::StoreError;
use crate::store::Store;
use crate::users::unreadable;

/// A grant's number in the store; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(pub i64);

impl Happened for GrantId {
    fn number(&self) -> Option<i64> {
        Some(self.0)
    }
}

/// All grants of the store, as of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredGrants {
    /// By their numbers.
    pub grants: Vec<Grant>,
    /// Grows with every change; also read with every account.
    pub version: i64,
}

impl Store {
    /// All grants of the store.
    pub async fn grants(&self) -> Result<StoredGrants, StoreError> {
        self.read(|db| {
            // One snapshot for both.
            let tx = db.unchecked_transaction()?;
            let version = tx
                .prepare_cached("SELECT version FROM grants_version")?
                .query_row([], |row| row.get(0))?;
            let grants = tx
                .prepare_cached("SELECT id, group_name, scripts, may FROM grants ORDER BY id")?
                .query_map([], read_grant)?
                .collect::<rusqlite::Result<_>>()?;
            tx.commit()?;
            Ok(StoredGrants { grants, version })
        })
        .await
    }

    /// Adds a grant; its number.
    pub async fn add_grant(
        &self,
        group: GroupName,
        gives: Gives,
        now: Timestamp,
    ) -> Result<GrantId, StoreError> {
        self.write(move |db| insert_grant(db, &group, &gives, now))
            .await
    }

    /// Takes a grant away; false when there is none of that number.
    pub async fn remove_grant(&self, id: GrantId) -> Result<bool, StoreError> {
        self.write(move |db| {
            let mut delete = db.prepare_cached("DELETE FROM grants WHERE id = ?1")?;
            Ok(delete.execute([id.0])? > 0)
        })
        .await
    }
}

fn insert_grant(
    db: &Connection,
    group: &GroupName,
    gives: &Gives,
    now: Timestamp,
) -> rusqlite::Result<GrantId> {
    const SQL: &str =
        "INSERT INTO grants (group_name, scripts, may, created_at) VALUES (?1, ?2, ?3, ?4)";
    let (scripts, may) = match gives {
        Gives::Scripts { scripts, may } => {
            let words: Vec<&str> = may.iter().map(Verb::word).collect();
            (say_patterns(scripts, " "), words.join(" "))
        }
        Gives::Admin => (String::new(), Actions::ADMIN.to_owned()),
    };
    db.prepare_cached(SQL)?
        .insert((group.as_str(), scripts, may, now.millis()))
        .map(GrantId)
}

fn read_grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let text = |column| row.get::<_, String>(column);
    let may = Actions::parse(&text("may")?).map_err(unreadable)?;
    let gives = if may.admin {
        Gives::Admin
    } else {
        Gives::Scripts {
            scripts: parse_patterns(&text("scripts")?).map_err(unreadable)?,
            may: may.verbs,
        }
    };
    Ok(Grant {
        group: GroupName::parse(&text("group_name")?).map_err(unreadable)?,
        gives,
        origin: Origin::Stored(row.get("id")?),
    })
}
