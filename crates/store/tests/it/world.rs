//! A store in a folder of its own, and records to put into it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::name::{GroupName, ScriptName, UserName};
use stagedoor_domain::run::State;
use stagedoor_domain::time::{Chance, Timestamp};
use stagedoor_store::{Inserted, NewUser, RunRecord, RunUpdate, Store};

/// The store goes first: its threads write into the folder to the end.
pub struct World {
    pub store: Store,
    pub dir: tempfile::TempDir,
}

pub fn world() -> World {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path()).expect("opens");
    World { store, dir }
}

impl World {
    /// Ends the store as a server that stops does, and waits for its threads.
    pub fn close(&mut self) {
        let elsewhere = tempfile::tempdir().expect("a folder");
        drop(std::mem::replace(
            &mut self.store,
            Store::open(elsewhere.path()).expect("opens"),
        ));
    }

    pub async fn user(&self, name: &str) -> UserId {
        self.store
            .add_user(new_user(name, &[]), at(0))
            .await
            .expect("added")
    }

    /// A run whose attempt of this number was told to start; it has secrets.
    pub async fn started(&self, epoch: u32) -> RunRecord {
        let run = RunRecord {
            secrets: Some(vec![1, 2, 3]),
            state: State::Starting,
            epoch: Epoch(epoch),
            ..queued("ops/backup", UserId(1), at(0))
        };
        let inserted = self.store.insert_run(&run).await.expect("inserted");
        assert_eq!(inserted, Inserted::New);
        run
    }

    pub async fn read(&self, run: &RunRecord) -> RunRecord {
        self.store.run(run.id).await.expect("read").expect("found")
    }

    /// Whether it changed anything.
    pub async fn update(&self, update: RunUpdate) -> bool {
        self.store.update_run(update).await.expect("answered")
    }
}

/// So many milliseconds after some day.
pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

pub fn new_user(name: &str, groups: &[&str]) -> NewUser {
    NewUser {
        name: user_name(name),
        password_hash: format!("hash of {name}"),
        groups: group_names(groups),
    }
}

pub fn user_name(name: &str) -> UserName {
    UserName::parse(name).expect("a user's name")
}

pub fn group_names(groups: &[&str]) -> BTreeSet<GroupName> {
    groups
        .iter()
        .map(|group| GroupName::parse(group).expect("a group's name"))
        .collect()
}

pub fn script(name: &str) -> ScriptName {
    ScriptName::parse(name).expect("a script's name")
}

/// Different bytes at each call, the same in each test run.
struct Counter(Mutex<u64>);

impl Chance for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        let mut count = self.0.lock().expect("lock");
        for byte in buffer {
            // Steele and Vigna's SplitMix64.
            *count = count.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (*count ^ (*count >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = mixed.to_be_bytes()[1];
        }
    }
}

static CHANCE: Counter = Counter(Mutex::new(1));

pub fn run_id(created_at: Timestamp) -> RunId {
    RunId::new(created_at, &CHANCE)
}

/// A run that waits in the queue.
pub fn queued(script_name: &str, user: UserId, created_at: Timestamp) -> RunRecord {
    RunRecord {
        id: run_id(created_at),
        script: script(script_name),
        user,
        user_name: user_name("ann"),
        args: [("target".to_owned(), "\u{1f4be} a'b\"c\n".into())]
            .into_iter()
            .collect(),
        secrets: None,
        state: State::Queued,
        epoch: Epoch(0),
        stop: None,
        outcome: None,
        reason: None,
        exit_code: None,
        signal: None,
        leftovers: 0,
        enforced: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        created_at,
        started_at: None,
        ended_at: None,
        request_key: None,
        request_digest: None,
        fingerprint: None,
    }
}
