//! An answered write is on the disk, whatever happens to the process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::future::join_all;
use stagedoor_domain::id::{RunId, UserId};
use stagedoor_store::Store;

use crate::world::{at, queued, world};

const FOLDER: &str = "STAGEDOOR_TEST_STORE";

#[tokio::test]
async fn a_copy_of_the_files_taken_without_closing_has_every_answered_run() {
    let world = world();
    let runs: Vec<_> = (0..300)
        .map(|n| queued("backup", UserId(1), at(n)))
        .collect();
    let answers = join_all(runs.iter().map(|run| world.store.insert_run(run))).await;
    assert!(answers.iter().all(Result::is_ok));

    let copy = tempfile::tempdir().expect("a folder");
    for name in ["stagedoor.db", "stagedoor.db-wal"] {
        std::fs::copy(world.dir.path().join(name), copy.path().join(name)).expect("copied");
    }
    let restored = Store::open(copy.path()).expect("opens");
    for run in &runs {
        assert_eq!(
            restored.run(run.id).await.expect("read").as_ref(),
            Some(run)
        );
    }
}

/// Not a test of its own: what [`every_answered_run_survives_kill_9`] starts and kills.
#[tokio::test]
#[ignore = "inserts until it is killed"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent test says by the environment where"
)]
async fn insert_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = Store::open(Path::new(&folder)).expect("opens");
    let before = store.unfinished_runs().await.expect("read");
    let first = before
        .last()
        .map_or(0, |run| run.created_at.millis() - at(0).millis() + 1);
    for time in (first..).step_by(8) {
        let runs: Vec<_> = (0..8)
            .map(|n| queued("backup", UserId(1), at(time + n)))
            .collect();
        let answers = join_all(runs.iter().map(|run| store.insert_run(run))).await;
        let mut out = std::io::stdout().lock();
        for (run, answer) in runs.iter().zip(answers) {
            answer.expect("inserted");
            writeln!(out, "answered {}", run.id).expect("said");
        }
        out.flush().expect("said");
    }
}

#[expect(clippy::disallowed_methods, reason = "a process to kill")]
fn start_inserting(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args([
            "durability::insert_until_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started")
}

#[tokio::test]
async fn every_answered_run_survives_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut answered: Vec<RunId> = Vec::new();
    for lines in [1, 100, 333] {
        let mut child = start_inserting(folder.path());
        let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut id_of = |line: Option<std::io::Result<String>>| {
            let line = line?.ok()?;
            let (_, id) = line.split_once("answered ")?;
            answered.extend(RunId::parse(id));
            Some(())
        };
        let mut seen = 0;
        while seen < lines {
            let line = out.next();
            assert!(line.is_some(), "it goes on until it is killed");
            seen += usize::from(id_of(line).is_some());
        }
        child.kill().expect("killed");
        // What it said before it died, was answered too.
        for line in out {
            id_of(Some(line));
        }
        child.wait().expect("gone");
    }
    assert!(answered.len() >= 434);
    let store = Store::open(folder.path()).expect("opens");
    for id in &answered {
        assert!(
            store.run(*id).await.expect("read").is_some(),
            "{id} was answered and is gone"
        );
    }
    store
        .insert_run(&queued("after", UserId(1), at(1 << 30)))
        .await
        .expect("goes on");
}

/// `stagedoor user add` beside a server.
#[tokio::test]
async fn two_stores_on_one_folder_see_each_others_writes() {
    let world = world();
    let beside = Store::open(world.dir.path()).expect("opens beside the first");
    let runs: Vec<_> = (0..200)
        .map(|n| queued("backup", UserId(1), at(n)))
        .collect();
    let inserts = runs.iter().enumerate().map(|(n, run)| match n % 2 {
        0 => world.store.insert_run(run),
        _ => beside.insert_run(run),
    });
    assert!(join_all(inserts).await.iter().all(Result::is_ok));
    for store in [&world.store, &beside] {
        assert_eq!(store.unfinished_runs().await.expect("read"), runs);
    }
}
