use std::sync::{Arc, Mutex, mpsc as channel};

use futures_util::future::join_all;

use super::*;
use crate::connection::{configure_writer, open_writer, prepare_file};

struct Bench {
    dir: tempfile::TempDir,
    writer: Writer,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().expect("a folder");
    let db = open_writer(&prepare_file(dir.path()).expect("a file")).expect("opens");
    configure_writer(&db).expect("configured");
    db.execute_batch("CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT) STRICT")
        .expect("made");
    let (writer, _thread) = Writer::start(db, || ()).expect("starts");
    Bench { dir, writer }
}

impl Bench {
    async fn insert(&self, n: i64) -> Result<(), StoreError> {
        self.writer
            .write(Kind::Several, move |db| insert(db, n))
            .await
    }

    /// What another connection sees: only what was committed.
    fn numbers(&self) -> Vec<i64> {
        let db = Connection::open(self.dir.path().join("stagedoor.db")).expect("opens");
        let mut ask = db
            .prepare("SELECT n FROM numbers ORDER BY n")
            .expect("prepared");
        ask.query_map([], |row| row.get(0))
            .expect("asked")
            .collect::<Result<_, _>>()
            .expect("read")
    }

    /// Keeps the writer busy until the sender is dropped, so that what comes next is one batch.
    async fn hold(&self) -> channel::Sender<()> {
        self.hold_after(|_| Ok(())).await
    }

    async fn hold_after(
        &self,
        work: impl Fn(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> channel::Sender<()> {
        let (release, released) = channel::channel();
        let (started, has_started) = oneshot::channel();
        let (released, started) = (Mutex::new(released), Mutex::new(Some(started)));
        let waiting = Pending {
            kind: Kind::Several,
            work: move |db: &Connection| {
                work(db)?;
                let _ = started
                    .lock()
                    .expect("lock")
                    .take()
                    .map(|started| started.send(()));
                let _ = released.lock().expect("lock").recv();
                Ok(())
            },
            result: None,
            reply: oneshot::channel().0,
        };
        assert!(self.writer.jobs.send(Box::new(waiting)).await.is_ok());
        has_started.await.expect("started");
        release
    }

    /// These jobs in one batch.
    async fn batch<T>(&self, jobs: impl IntoIterator<Item = T>) -> Vec<T::Output>
    where
        T: Future,
    {
        let release = self.hold().await;
        let (results, ()) = tokio::join!(join_all(jobs), async { drop(release) });
        results
    }
}

fn insert(db: &Connection, n: i64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO numbers (n) VALUES (?1)")?
        .execute([n])
        .map(|_| ())
}

#[tokio::test]
async fn a_thousand_writers_at_once_are_all_answered_and_all_kept() {
    let bench = bench();
    let results = join_all((0..1000).map(|n| bench.insert(n))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(bench.numbers(), (0..1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_commit_serves_all_who_wait() {
    let bench = bench();
    let commits = || {
        let log = bench.dir.path().join("stagedoor.db-wal");
        std::fs::metadata(log).map_or(0, |log| log.len())
    };
    let before = commits();
    let results = bench.batch((0..200).map(|n| bench.insert(n))).await;
    assert!(results.iter().all(Result::is_ok));
    // One page for all rows: 200 commits would have written it 200 times.
    assert!(
        commits() - before < 20 * 4096,
        "{} bytes",
        commits() - before
    );
}

#[tokio::test]
async fn what_arrives_while_a_transaction_is_at_work_is_part_of_it() {
    let bench = bench();
    let path = bench.dir.path().join("stagedoor.db");
    let release = bench.hold_after(|db| insert(db, 0)).await;
    let others_see = bench.writer.write(Kind::OneRow, move |_| {
        let other = Connection::open(&path)?;
        other.query_row("SELECT count(*) FROM numbers", [], |row| {
            row.get::<_, i64>(0)
        })
    });
    let (rows, ()) = tokio::join!(others_see, async { drop(release) });
    assert_eq!(rows.expect("counted"), 0, "the first row is not committed");
    assert_eq!(bench.numbers(), [0]);
}

#[tokio::test]
async fn a_job_that_fails_takes_back_its_own_changes_and_no_others() {
    let bench = bench();
    bench.insert(5).await.expect("inserted");
    let half_done = |n: i64| {
        bench.writer.write(Kind::Several, move |db| {
            insert(db, 100 + n)?;
            insert(db, n)
        })
    };
    let results = bench.batch((0..10).map(half_done)).await;
    let failed: Vec<_> = results.iter().map(Result::is_err).collect();
    assert_eq!(failed, (0..10).map(|n| n == 5).collect::<Vec<_>>());
    let kept = bench.numbers();
    assert!(kept.contains(&104) && !kept.contains(&105), "{kept:?}");
}

#[tokio::test]
async fn a_row_that_is_refused_takes_no_other_row_with_it() {
    let bench = bench();
    bench.insert(5).await.expect("inserted");
    let row = |n: i64| bench.writer.write(Kind::OneRow, move |db| insert(db, n));
    let results = bench.batch((0..10).map(row)).await;
    let failed: Vec<_> = results.iter().map(Result::is_err).collect();
    assert_eq!(failed, (0..10).map(|n| n == 5).collect::<Vec<_>>());
    assert_eq!(bench.numbers(), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_job_that_loses_the_transaction_does_not_take_the_others_with_it() {
    let bench = bench();
    let results = bench
        .batch((0..10).map(|n| {
            bench.writer.write(Kind::Several, move |db| {
                insert(db, n)?;
                if n == 5 {
                    db.execute_batch("ROLLBACK")
                } else {
                    Ok(())
                }
            })
        }))
        .await;
    let failed: Vec<_> = results.iter().map(Result::is_err).collect();
    assert_eq!(failed, (0..10).map(|n| n == 5).collect::<Vec<_>>());
    assert_eq!(bench.numbers(), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
}

#[tokio::test]
async fn a_job_whose_caller_has_gone_is_done_all_the_same() {
    let bench = bench();
    let release = bench.hold().await;
    {
        let mut abandoned = std::pin::pin!(bench.insert(1));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(abandoned.as_mut().poll(&mut context).is_pending());
    }
    drop(release);
    bench.insert(2).await.expect("inserted");
    assert_eq!(bench.numbers(), [1, 2]);
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_room_mends_it() {
    let bench = bench();
    let limit = |pages: u32| {
        bench.writer.write(Kind::Several, move |db| {
            db.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, u32>(0))
        })
    };
    let large = |n: i64| {
        bench.writer.write(Kind::Several, move |db| {
            let text = "x".repeat(100_000);
            db.execute("INSERT INTO numbers (n, text) VALUES (?1, ?2)", (n, text))
                .map(|_| ())
        })
    };
    bench.insert(1).await.expect("room for one");
    limit(1).await.expect("limited to what there is");
    let error = large(2).await.expect_err("full");
    assert!(matches!(error, StoreError::Full), "{error:?}");

    // A small job of the same batch has room still, and keeps it.
    let (small, large_again) = (bench.insert(3), large(4));
    let release = bench.hold().await;
    let (small, large_again, ()) = tokio::join!(small, large_again, async { drop(release) });
    small.expect("room for this one");
    assert!(matches!(large_again, Err(StoreError::Full)));

    limit(10_000).await.expect("lifted");
    large(5).await.expect("room again");
    assert_eq!(bench.numbers(), [1, 3, 5]);
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let bench = bench();
    let text = Arc::new("x".repeat(100_000));
    for n in 0..400 {
        let text = Arc::clone(&text);
        let job = bench.writer.write(Kind::Several, move |db| {
            db.execute(
                "INSERT INTO numbers (n, text) VALUES (?1, ?2)",
                (n, text.as_str()),
            )
            .map(|_| ())
        });
        job.await.expect("written");
    }
    let log = std::fs::metadata(bench.dir.path().join("stagedoor.db-wal"))
        .expect("a log")
        .len();
    assert!(
        log < 20 << 20,
        "40 MB were written, the log has {log} bytes"
    );
}
