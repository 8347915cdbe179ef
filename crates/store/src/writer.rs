//! The one thread that writes. Jobs that wait, and those that arrive while it works, are put into
//! one transaction and answered together after it is on the disk: the cost of a flush is shared
//! by all who wait for it.

use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{LostTransaction, Stopped, StoreError};

/// Most jobs in one transaction.
pub(crate) const LARGEST_BATCH: usize = 256;
/// Jobs that may wait; who comes then, waits for a place.
const LONGEST_QUEUE: usize = 4096;
/// Pages of log that are moved to the database once nobody waits (4 MiB), or at once (16 MiB).
const CHECKPOINT_WHEN_IDLE: i64 = 1_000;
const CHECKPOINT_AT_ONCE: i64 = 4_000;
/// Jobs of one row after which one looks how long the log is: looking costs as much as a small
/// job, and no row is larger than a request.
const LOOK_AFTER: usize = 16;

pub(crate) type BoxedJob = Box<dyn Job>;

/// The way to the writer thread. When it is dropped, the thread finishes what waits and ends.
pub(crate) struct Writer {
    jobs: mpsc::Sender<BoxedJob>,
}

impl Writer {
    /// The way, and its other end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<BoxedJob>) {
        let (jobs, waiting) = mpsc::channel(LONGEST_QUEUE);
        (Self { jobs }, waiting)
    }

    /// Starts the thread, which calls `committed` after each transaction. It gives the connection
    /// back when it ends.
    pub(crate) fn start(
        db: Connection,
        committed: impl Fn() + Send + 'static,
    ) -> std::io::Result<(Self, JoinHandle<Connection>)> {
        let (writer, waiting) = Self::new();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                serve(&db, waiting, committed);
                db
            })?;
        Ok((writer, thread))
    }

    /// Runs `work` in a transaction and answers after the commit. Once it waits in the queue, it is
    /// done even if the caller has gone. `work` may be called twice, when a transaction was lost to
    /// another job's failure; the first call then has left nothing.
    pub(crate) async fn write<T, F>(&self, kind: Kind, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Pending {
            kind,
            work,
            result: None,
            reply,
        };
        self.jobs
            .send(Box::new(job))
            .await
            .map_err(|_| StoreError::broken(Stopped))?;
        answer.await.map_err(|_| StoreError::broken(Stopped))?
    }
}

/// What a job may leave when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It changes one row with one statement, which `SQLite` takes back by itself.
    OneRow,
    /// The changes before the one that failed, which are to be taken back with it.
    Several,
    /// One row and its record, which hardly ever fail but with the disk: then the whole transaction
    /// is taken back, and each of its jobs done again alone. So it costs nothing to be ready for.
    Recorded,
}

impl Kind {
    /// The same with a record of the audit log.
    pub(crate) fn recorded(self) -> Self {
        match self {
            Self::OneRow | Self::Recorded => Self::Recorded,
            Self::Several => Self::Several,
        }
    }
}

pub(crate) trait Job: Send {
    /// Decides whether it gets a savepoint, which costs as much as a small change itself.
    fn kind(&self) -> Kind;
    /// Does the work and keeps its result; whether it succeeded.
    fn run(&mut self, db: &Connection) -> bool;
    /// Tells the caller: its own error, or what became of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<T, F> {
    kind: Kind,
    work: F,
    result: Option<rusqlite::Result<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: Fn(&Connection) -> rusqlite::Result<T> + Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run(&mut self, db: &Connection) -> bool {
        self.result.insert((self.work)(db)).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.result, committed) {
            (Some(Err(own)), _) => Err(own.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(StoreError::broken(LostTransaction)),
        };
        // A caller that has gone needs no answer.
        let _ = self.reply.send(answer);
    }
}

fn serve(db: &Connection, mut waiting: mpsc::Receiver<BoxedJob>, committed: impl Fn()) {
    let mut batch = Vec::with_capacity(LARGEST_BATCH);
    // The log may be long from the beginning.
    let mut unseen = LOOK_AFTER;
    while waiting.blocking_recv_many(&mut batch, LARGEST_BATCH) > 0 {
        unseen += batch.iter().map(weight).sum::<usize>();
        commit(db, &mut batch, |batch| {
            while batch.len() < LARGEST_BATCH
                && let Ok(job) = waiting.try_recv()
            {
                unseen += weight(&job);
                batch.push(job);
            }
        });
        committed();
        if unseen >= LOOK_AFTER {
            unseen = 0;
            checkpoint(db, waiting.is_empty());
        }
    }
}

/// What it adds to the log, in jobs of one row.
fn weight(job: &BoxedJob) -> usize {
    match job.kind() {
        Kind::OneRow => 1,
        Kind::Recorded => 2,
        Kind::Several => LOOK_AFTER,
    }
}

/// How a transaction failed.
enum Failed {
    /// The database rolled it back under one of the jobs.
    Midway,
    /// It did not begin, or did not commit.
    Whole(StoreError),
}

/// All in one transaction, with what `arrive` adds to them before it ends; if one job brings that
/// down, each in its own.
pub(crate) fn commit(
    db: &Connection,
    batch: &mut Vec<BoxedJob>,
    arrive: impl FnMut(&mut Vec<BoxedJob>),
) {
    match together(db, batch, arrive) {
        Ok(()) => answer_all(batch, &Ok(())),
        Err(Failed::Whole(error)) => answer_all(batch, &Err(error)),
        Err(Failed::Midway) => {
            for job in batch.drain(..) {
                let mut alone = vec![job];
                let result = together(db, &mut alone, |_| ()).map_err(|failed| match failed {
                    Failed::Midway => StoreError::broken(LostTransaction),
                    Failed::Whole(error) => error,
                });
                answer_all(&mut alone, &result);
            }
        }
    }
}

pub(crate) fn answer_all(batch: &mut Vec<BoxedJob>, result: &Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::error!(%error, jobs = batch.len(), "could not write to the store");
    }
    for job in batch.drain(..) {
        job.answer(result.clone());
    }
}

fn together(
    db: &Connection,
    batch: &mut Vec<BoxedJob>,
    mut arrive: impl FnMut(&mut Vec<BoxedJob>),
) -> Result<(), Failed> {
    execute(db, "BEGIN IMMEDIATE").map_err(|error| Failed::Whole(error.into()))?;
    let mut done = 0;
    while done < batch.len() {
        for job in batch.iter_mut().skip(done) {
            if in_savepoint(db, job.as_mut()).is_err() || db.is_autocommit() {
                roll_back(db);
                return Err(Failed::Midway);
            }
            done += 1;
        }
        arrive(batch);
    }
    execute(db, "COMMIT").map_err(|error| {
        roll_back(db);
        Failed::Whole(error.into())
    })
}

/// What a job has changed cannot be taken back alone.
struct Spoilt;

impl From<rusqlite::Error> for Spoilt {
    fn from(_: rusqlite::Error) -> Self {
        Self
    }
}

/// A job that fails takes back its own changes and no others, or spoils the transaction.
fn in_savepoint(db: &Connection, job: &mut dyn Job) -> Result<(), Spoilt> {
    match job.kind() {
        Kind::OneRow => {
            job.run(db);
            return Ok(());
        }
        Kind::Recorded => return job.run(db).then_some(()).ok_or(Spoilt),
        Kind::Several => {}
    }
    execute(db, "SAVEPOINT job")?;
    if !job.run(db) && !db.is_autocommit() {
        execute(db, "ROLLBACK TO job")?;
    }
    if !db.is_autocommit() {
        execute(db, "RELEASE job")?;
    }
    Ok(())
}

fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = execute(db, "ROLLBACK")
    {
        tracing::error!(%error, "could not roll back");
    }
}

fn execute(db: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Moves the log into the database: when nobody waits, or when it has grown large.
fn checkpoint(db: &Connection, idle: bool) {
    let pages = |sql: &'static str| -> rusqlite::Result<i64> {
        db.prepare_cached(sql)?
            .query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
    };
    let limit = if idle {
        CHECKPOINT_WHEN_IDLE
    } else {
        CHECKPOINT_AT_ONCE
    };
    let result = match pages("PRAGMA wal_checkpoint(NOOP)") {
        Ok(behind) if behind < limit => return,
        Ok(_) => pages("PRAGMA wal_checkpoint(PASSIVE)").map(|_| ()),
        Err(error) => Err(error),
    };
    // The log keeps everything: nothing is lost, and the next batch tries again.
    if let Err(error) = result {
        tracing::warn!(%error, "could not move the log into the database");
    }
}

#[cfg(test)]
mod tests;
