//! The file of lines: who may read it, and that it has each record once whatever happens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use stagedoor_domain::audit::Act;
use stagedoor_store::{AuditLog, Store};

use crate::audit::by_uid;
use crate::world::world;

fn file(dir: &Path) -> std::path::PathBuf {
    dir.join("logs/audit.jsonl")
}

fn lines(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file(dir)).expect("a file");
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

fn is_whole(dir: &Path) -> bool {
    let found = AuditLog::open(dir).expect("opens").verify().expect("read");
    assert_eq!((&found.record, &found.line), (&None, &None));
    found.records == found.lines
}

#[tokio::test]
async fn w41_the_file_of_the_log_is_for_its_owner_alone() {
    let mut world = world();
    world
        .store
        .record(by_uid(Act::UserAdded))
        .await
        .expect("recorded");
    world.close();
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let path = file(world.dir.path());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
    drop(Store::open(world.dir.path()).expect("opens"));
    assert_eq!(mode(&path), 0o600, "closed again");
}

#[tokio::test]
async fn what_a_crash_left_out_of_the_file_is_added_once_by_the_next_start() {
    let mut world = world();
    for n in 0..5 {
        let entry = by_uid(Act::UserAdded).on(format!("user {n}"));
        world.store.record(entry).await.expect("recorded");
    }
    world.close();
    let whole = fs::read_to_string(file(world.dir.path())).expect("a file");
    // As if it had died before any of the lines, in the middle of one, or between two.
    for size in [
        0,
        1,
        whole.len() / 2,
        whole.find('\n').expect("lines") + 1,
        whole.len() - 1,
    ] {
        fs::write(file(world.dir.path()), &whole[..size]).expect("written");
        drop(Store::open(world.dir.path()).expect("opens"));
        let now = fs::read_to_string(file(world.dir.path())).expect("a file");
        assert_eq!(now, whole, "after {size} bytes");
    }
    fs::remove_file(file(world.dir.path())).expect("removed");
    drop(Store::open(world.dir.path()).expect("opens"));
    assert!(is_whole(world.dir.path()));
}

#[tokio::test]
async fn a_file_that_knows_more_than_the_database_is_left_as_it_is() {
    let mut world = world();
    world
        .store
        .record(by_uid(Act::UserAdded))
        .await
        .expect("recorded");
    world.close();
    let one = fs::read_to_string(file(world.dir.path())).expect("a file");
    let more = format!("{one}{}", one.replacen("\"seq\":1,", "\"seq\":9,", 1));
    fs::write(file(world.dir.path()), &more).expect("written");
    let store = Store::open(world.dir.path()).expect("opens");
    store
        .record(by_uid(Act::UserRemoved))
        .await
        .expect("the rows are the record");
    drop(store);
    assert_eq!(
        fs::read_to_string(file(world.dir.path())).expect("a file"),
        more
    );
}

#[tokio::test]
async fn two_processes_may_record_at_once_and_the_chain_holds() {
    let mut world = world();
    let beside = Store::open_beside(world.dir.path()).expect("opens");
    let many = |store: Store, from: i64| async move {
        for n in from..from + 40 {
            let entry = by_uid(Act::UserAdded).on(format!("user {n}"));
            store.record(entry).await.expect("recorded");
        }
    };
    let (here, there) = (many(world.store.clone(), 0), many(beside.clone(), 100));
    futures_util::future::join(here, there).await;
    drop(beside);
    world.close();
    assert!(is_whole(world.dir.path()));
    let lines = lines(world.dir.path());
    let numbers: Vec<i64> = lines
        .iter()
        .filter_map(|line| line["seq"].as_i64())
        .collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<i64>>());
    let mut targets: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["target"].as_str())
        .collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), 80, "each of them once");
}

#[tokio::test]
async fn hostile_texts_are_one_line_each_and_read_as_they_were() {
    let mut world = world();
    let texts = [
        "\"><svg onload=alert(1)>",
        "a\r\n{\"seq\":99,\"act\":\"forged\"}\n",
        "\u{202e}cba\u{2066}\u{2028}\u{85}",
        "\u{1b}[2J\u{9b}31m\u{0}\u{7f}",
        "#separator \\x09\tts\t-",
    ];
    for text in texts {
        let entry = by_uid(Act::SignIn).on(text).with("agent", text);
        world.store.record(entry).await.expect("recorded");
    }
    world.close();
    assert!(is_whole(world.dir.path()));
    let lines = lines(world.dir.path());
    assert_eq!(lines.len(), texts.len());
    for (line, text) in lines.iter().zip(texts) {
        assert_eq!(
            (&line["target"], &line["detail"]["agent"]),
            (&text.into(), &text.into())
        );
    }
    let bytes = fs::read(file(world.dir.path())).expect("a file");
    assert!(
        bytes
            .iter()
            .all(|b| *b == b'\n' || (b' '..=b'~').contains(b))
    );
}

#[tokio::test]
async fn a_state_directory_that_is_gone_is_not_begun_anew_by_the_file_of_lines() {
    let parent = tempfile::tempdir().expect("a folder");
    let dir = parent.path().join("state");
    let store = Store::open(&dir).expect("opens");
    store
        .record(by_uid(Act::UserAdded))
        .await
        .expect("recorded");
    // The thread that writes lines may be at work: then the folder is not empty at once.
    for _ in 0..100 {
        if fs::remove_dir_all(&dir).is_ok() && !dir.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    drop(store);
    assert!(
        !dir.exists(),
        "{:?}",
        fs::read_dir(&dir).map(Iterator::count)
    );
}
