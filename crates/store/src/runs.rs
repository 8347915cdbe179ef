//! Runs: their records, how one is made, and how it goes on. [`page`] reads the history.

mod page;
mod record;
mod row;

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use stagedoor_domain::id::{RunId, UserId};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::run::{Outcome, StopCause};

use crate::error::StoreError;
use crate::store::Store;
pub use page::{Cursor, LONGEST_PAGE, Page, RunFilter, Visible};
pub use record::{Inserted, RunRecord, RunUpdate};
use row::{millis, read_run, run_columns, to_i64, to_json};

impl Store {
    /// Adds a run, unless its request key made one before. Answered when it is on the disk.
    pub async fn insert_run(&self, run: &RunRecord) -> Result<Inserted, StoreError> {
        let run = run.clone();
        let args = Value::Object(run.args.clone()).to_string();
        self.write_row(move |db| insert(db, &run, &args)).await
    }

    /// Records how a run goes on. The first record that ends a run wins, and a record of an older
    /// epoch changes nothing; false when nothing was changed.
    pub async fn update_run(&self, update: RunUpdate) -> Result<bool, StoreError> {
        self.write_row(move |db| apply(db, &update)).await
    }

    /// One run, with its secrets while it has any.
    pub async fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            run_columns!("secrets"),
            " FROM runs WHERE id = ?1"
        );
        self.read(move |db| {
            db.prepare_cached(SQL)?
                .query_row([id.as_bytes()], read_run)
                .optional()
        })
        .await
    }

    /// The run that this request made, without its secrets.
    pub async fn run_of_request(&self, key: [u8; 32]) -> Result<Option<RunRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            run_columns!("NULL"),
            " FROM runs WHERE request_key = ?1"
        );
        self.read(move |db| {
            db.prepare_cached(SQL)?
                .query_row([key], read_run)
                .optional()
        })
        .await
    }

    /// Every run that has not ended, with its secrets, oldest first: where a new server goes on.
    pub async fn unfinished_runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.read(|db| {
            db.prepare_cached(UNFINISHED)?
                .query_map([], read_run)?
                .collect()
        })
        .await
    }

    /// Runs that have ended and whose output is not masked, with what was sealed of them, oldest first:
    /// those after this one, or the first, at most [`UNMASKED_AT_ONCE`].
    pub async fn unmasked_runs(&self, after: Option<RunId>) -> Result<Vec<RunRecord>, StoreError> {
        self.read(move |db| {
            let after = after.as_ref().map_or(&[][..], |run| &run.as_bytes()[..]);
            db.prepare_cached(UNMASKED)?
                .query_map((after, UNMASKED_AT_ONCE), read_run)?
                .collect()
        })
        .await
    }

    /// The output of a run that has ended is masked: what was sealed for that goes. With a reason, where
    /// there is more to say of its end than before.
    pub async fn forget_unmasked(
        &self,
        id: RunId,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        const GONE: &str = "DELETE FROM unmasked WHERE run = ?1";
        const REASON: &str = "UPDATE runs SET reason = ?2 WHERE id = ?1";
        self.write_row(move |db| {
            let count = db.prepare_cached(GONE)?.execute([id.as_bytes()])?;
            if let Some(reason) = reason.as_ref().filter(|_| count > 0) {
                db.prepare_cached(REASON)?
                    .execute((id.as_bytes(), reason))?;
            }
            Ok(())
        })
        .await
    }

    /// The last run that this user started of each of these scripts, where there is one.
    pub async fn last_runs(
        &self,
        user: UserId,
        scripts: &[ScriptName],
    ) -> Result<HashMap<ScriptName, RunRecord>, StoreError> {
        let scripts = scripts.to_vec();
        self.read(move |db| {
            let mut last = db.prepare_cached(LAST_RUN)?;
            let mut found = HashMap::with_capacity(scripts.len());
            for script in scripts {
                let run = last
                    .query_row((user.0, script.as_str()), read_run)
                    .optional()?;
                found.extend(run.map(|run| (script, run)));
            }
            Ok(found)
        })
        .await
    }
}

const UNFINISHED: &str = concat!(
    "SELECT ",
    run_columns!("secrets"),
    " FROM runs INDEXED BY runs_unfinished WHERE ended_at IS NULL ORDER BY id"
);

const UNMASKED: &str = concat!(
    "SELECT ",
    run_columns!("unmasked.sealed"),
    " FROM unmasked CROSS JOIN runs ON runs.id = unmasked.run WHERE unmasked.run > ?1 \
     ORDER BY unmasked.run LIMIT ?2"
);

/// What was sealed of a run may be as large as a request.
pub const UNMASKED_AT_ONCE: u8 = 16;

const MOVE_SECRETS: &str = "INSERT OR REPLACE INTO unmasked SELECT id, secrets FROM runs \
     WHERE id = ?1 AND epoch <= ?2 AND ended_at IS NULL AND secrets IS NOT NULL";

const LAST_RUN: &str = concat!(
    "SELECT ",
    run_columns!("NULL"),
    " FROM runs WHERE user_id = ?1 AND script = ?2 ORDER BY id DESC LIMIT 1"
);

/// Values by number, here and in [`UPDATE`]: binding by name costs more than the insert itself.
const INSERT: &str = "INSERT INTO runs (id, script, user_id, user_name, args, secrets, state, \
     epoch, stop, outcome, reason, exit_code, signal, leftovers, stdout_bytes, stderr_bytes, \
     created_at, started_at, ended_at, request_key, fingerprint, request_digest, enforced) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
     ?19, ?20, ?21, ?22, ?23) \
     ON CONFLICT (request_key) WHERE request_key IS NOT NULL DO NOTHING";

fn insert(db: &Connection, run: &RunRecord, args: &str) -> rusqlite::Result<Inserted> {
    let inserted = db.prepare_cached(INSERT)?.execute(params![
        run.id.as_bytes(),
        run.script.as_str(),
        run.user.0,
        run.user_name.as_str(),
        args,
        run.secrets,
        run.state.word(),
        run.epoch.0,
        run.stop.map(StopCause::word),
        run.outcome.map(Outcome::word),
        run.reason,
        run.exit_code,
        run.signal,
        run.leftovers,
        to_i64(run.stdout_bytes),
        to_i64(run.stderr_bytes),
        run.created_at.millis(),
        millis(run.started_at),
        millis(run.ended_at),
        run.request_key,
        to_json(run.fingerprint.as_ref())?,
        run.request_digest,
        to_json(run.enforced.as_ref())?,
    ])?;
    match run.request_key {
        Some(key) if inserted == 0 => same_request(db, &key, run, args),
        _ => Ok(Inserted::New),
    }
}

fn same_request(
    db: &Connection,
    key: &[u8; 32],
    run: &RunRecord,
    args: &str,
) -> rusqlite::Result<Inserted> {
    // What was inserted by an older version has no digest.
    const SQL: &str = "SELECT id, script = ?2 AND user_id = ?3 AND args = ?4 \
                       AND (request_digest IS NULL OR request_digest IS ?5) \
                       FROM runs WHERE request_key = ?1";
    db.prepare_cached(SQL)?.query_row(
        (
            key,
            run.script.as_str(),
            run.user.0,
            args,
            run.request_digest,
        ),
        |row| {
            Ok(Inserted::SameRequest {
                run: RunId::from_bytes(row.get(0)?),
                same_args: row.get(1)?,
            })
        },
    )
}

/// The fence stands in the WHERE: it holds whoever writes.
const UPDATE: &str = "UPDATE runs SET \
     started_at   = CASE WHEN ?2 > epoch THEN ?9 ELSE coalesce(?9, started_at) END, \
     stdout_bytes = coalesce(?11, CASE WHEN ?2 > epoch THEN 0 ELSE stdout_bytes END), \
     stderr_bytes = coalesce(?12, CASE WHEN ?2 > epoch THEN 0 ELSE stderr_bytes END), \
     epoch        = ?2, \
     state        = ?3, \
     outcome      = ?4, \
     stop         = coalesce(?5, stop), \
     reason       = coalesce(?6, reason), \
     exit_code    = coalesce(?7, exit_code), \
     signal       = coalesce(?8, signal), \
     leftovers    = coalesce(?10, leftovers), \
     ended_at     = ?13, \
     enforced     = CASE WHEN ?2 > epoch THEN ?15 ELSE coalesce(?15, enforced) END, \
     secrets      = CASE WHEN ?14 THEN NULL ELSE coalesce(?16, secrets) END \
     WHERE id = ?1 AND epoch <= ?2 AND ended_at IS NULL";

fn apply(db: &Connection, update: &RunUpdate) -> rusqlite::Result<bool> {
    if update.is_unmasked {
        let moved = (update.id.as_bytes(), update.epoch.0);
        db.prepare_cached(MOVE_SECRETS)?.execute(moved)?;
    }
    let changed = db.prepare_cached(UPDATE)?.execute(params![
        update.id.as_bytes(),
        update.epoch.0,
        update.state.word(),
        update.outcome.map(Outcome::word),
        update.stop.map(StopCause::word),
        update.reason,
        update.exit_code,
        update.signal,
        millis(update.started_at),
        update.leftovers,
        update.stdout_bytes.map(to_i64),
        update.stderr_bytes.map(to_i64),
        millis(update.ended_at),
        update.clear_secrets || update.ended_at.is_some(),
        to_json(update.enforced.as_ref())?,
        update.secrets,
    ])?;
    Ok(changed > 0)
}
