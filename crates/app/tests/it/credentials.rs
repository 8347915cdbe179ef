//! Stored secrets, from an administrator's hands to a script that lists them.

use std::sync::{Arc, Mutex};

use stagedoor_app::administer::Admin;
use stagedoor_app::keys::{Key, KeyUse, Keys};
use stagedoor_app::secrets::{
    self, KeysUnreadable, NamedSecret, RotateError, SecretKeySource, SecretKeys, SetSecretError,
    Settled,
};
use stagedoor_app::view::RunView;
use stagedoor_domain::name::SecretName;
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::secret::SecretValue;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{Resealed, SealedSecret};

use crate::character::Character;
use crate::house::{House, ROOMY};
use crate::scripts::GATE;

/// The keys that seal stored secrets, as a file has them that somebody may change.
pub struct KeyFile(Mutex<SecretKeys>);

impl KeyFile {
    /// Keys of these bytes, the newest first.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Mutex::new(secret_keys(bytes)))
    }

    pub fn change(&self, bytes: &[u8]) {
        *self.0.lock().expect("not poisoned") = secret_keys(bytes);
    }
}

impl SecretKeySource for KeyFile {
    fn read(&self) -> Result<SecretKeys, KeysUnreadable> {
        Ok(self.0.lock().expect("not poisoned").clone())
    }
}

pub fn secret_keys(bytes: &[u8]) -> SecretKeys {
    let key = |byte: &u8| Key::of(KeyUse::Secrets, [*byte; 32].into(), Timestamp::default());
    let mut keys = bytes.iter().map(key);
    let newest = keys.next().expect("a key");
    SecretKeys::of(Keys::new(newest, keys.collect()))
}

/// Keeps its credential, and what it was started with.
const READER: (&str, &str) = (
    "reader.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# credentials = { password = "ops/db" }
# ///
cat "$CREDENTIALS_DIRECTORY/password" > @STAGE@/password
ls "$CREDENTIALS_DIRECTORY" > @STAGE@/listed
echo "$#:$*" > @STAGE@/argv
env > @STAGE@/env
"#,
);

fn secret_name(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

async fn try_set(house: &House, name: &str, value: &[u8]) -> Result<(), SetSecretError> {
    let admin = house.user("ada", &["admins"]).await.user;
    let secret = NamedSecret {
        name: secret_name(name),
        value: SecretValue::new(value.to_vec()).expect("a value"),
    };
    let set = house.inside(move |app| async move {
        let by = Admin::new(
            app.administers(&admin).expect("permitted"),
            [127, 0, 0, 1].into(),
        );
        app.set_secret(by, secret).await
    });
    set.await
}

async fn set(house: &House, name: &str, value: &str) {
    try_set(house, name, value.as_bytes()).await.expect("set");
}

async fn remove(house: &House, name: &str) {
    let removed = house.store().remove_secret(secret_name(name)).await;
    assert!(removed.expect("the store"));
}

async fn run(ann: &Character<'_>) -> RunView {
    let run = ann.start("reader", &[]).await;
    ann.end_of(run.id).await
}

fn reason(run: &RunView) -> &str {
    assert_eq!(run.outcome, Some(Outcome::Refused), "{run:?}");
    run.reason.as_deref().expect("a reason")
}

/// Has the newest of these keys seal everything, as the command does.
async fn reseal(house: &House, keys: &[u8]) -> Result<usize, RotateError> {
    let keys = Arc::new(secret_keys(keys));
    secrets::reseal(house.store(), &keys, house.chance.clone()).await
}

/// What somebody does who can write to the database, and has no key.
async fn put_bytes(house: &House, name: &str, bytes: Vec<u8>) {
    let key = house
        .store()
        .secrets_key()
        .await
        .expect("read")
        .expect("a key");
    let of = secret_name(name);
    let put = move |secret: &SealedSecret| {
        let is_it = secret.name == of;
        Some(if is_it {
            bytes.clone()
        } else {
            secret.sealed.clone()
        })
    };
    let done = house.store().reseal_secrets(key, Arc::new(put)).await;
    assert!(matches!(done, Ok(Resealed::Done(_))));
}

#[tokio::test]
async fn w24_a_stored_secret_comes_as_a_file_and_nowhere_else() {
    let house = House::with(&[READER]).await;
    let ann = house.user("ann", &[]).await;
    set(&house, "ops/db", "violet-tractor-17").await;
    assert_eq!(run(&ann).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(house.on_stage("password"), "violet-tractor-17");
    assert_eq!(house.on_stage("listed"), "password\n");
    assert_eq!(house.on_stage("argv"), "0:\n");
    assert!(!house.on_stage("env").contains("violet-tractor-17"));
    for file in ["stagedoor.db", "stagedoor.db-wal"] {
        let bytes = std::fs::read(house.state().join(file)).expect("read");
        let found = bytes
            .windows(17)
            .any(|window| window == b"violet-tractor-17");
        assert!(!found, "{file}");
    }
}

#[tokio::test]
async fn a_value_of_any_bytes_arrives_as_it_is() {
    let house = House::with(&[READER]).await;
    let ann = house.user("ann", &[]).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(64 << 10).collect();
    try_set(&house, "ops/db", &bytes).await.expect("set");
    assert_eq!(run(&ann).await.outcome, Some(Outcome::Succeeded));
    let found = std::fs::read(house.base.path().join("stage/password")).expect("read");
    assert!(found == bytes, "{} bytes", found.len());
}

#[tokio::test]
async fn a_run_whose_secret_is_not_there_is_refused_with_the_mend() {
    let house = House::with(&[READER]).await;
    let ann = house.user("ann", &[]).await;
    let mend =
        "lists the stored secret `ops/db`, which is not there: `stagedoor secret set ops/db`";
    assert!(reason(&run(&ann).await).contains(mend));
    set(&house, "ops/db", "violet").await;
    assert_eq!(run(&ann).await.outcome, Some(Outcome::Succeeded));
    remove(&house, "ops/db").await;
    assert!(reason(&run(&ann).await).contains(mend));
}

#[tokio::test]
async fn a_run_that_waited_gets_the_value_of_its_start() {
    let one = Capacity {
        running: 1,
        ..ROOMY
    };
    let house = House::with_limits(&[GATE, READER], one).await;
    let ann = house.user("ann", &[]).await;
    set(&house, "ops/db", "of-before").await;
    ann.start_now("gate", &[("gate", "a")]).await;
    let changed = ann.start("reader", &[]).await;
    set(&house, "ops/db", "of-now").await;
    house.open_gate("a");
    assert_eq!(
        ann.end_of(changed.id).await.outcome,
        Some(Outcome::Succeeded)
    );
    assert_eq!(house.on_stage("password"), "of-now");

    ann.start_now("gate", &[("gate", "b")]).await;
    let removed = ann.start("reader", &[]).await;
    remove(&house, "ops/db").await;
    house.open_gate("b");
    assert!(reason(&ann.end_of(removed.id).await).contains("not there"));
}

/// The next server has no other place to know it from.
#[tokio::test]
async fn w24_what_an_attempt_is_given_is_sealed_in_its_row_by_the_time_that_it_is_claimed() {
    let one = Capacity {
        running: 1,
        ..ROOMY
    };
    let house = House::with_limits(&[GATE, READER], one).await;
    let ann = house.user("ann", &[]).await;
    set(&house, "ops/db", "violet-tractor-17").await;
    ann.start_now("gate", &[("gate", "a")]).await;
    let waiting = ann.start("reader", &[]).await.id;
    let row = house.row(waiting).await;
    assert_eq!((row.state, row.secrets), (State::Queued, None));
    house.open_gate("a");
    let row = house
        .await_row(waiting, |row| row.state != State::Queued)
        .await;
    // One that is over has nothing to keep.
    assert!(row.secrets.is_some() || row.state == State::Ended);
    assert_eq!(ann.end_of(waiting).await.outcome, Some(Outcome::Succeeded));
    assert_eq!(house.on_stage("password"), "violet-tractor-17");
    assert_eq!(house.row(waiting).await.secrets, None);
}

/// Somebody who can write to the database cannot give a script another secret than its own.
#[tokio::test]
async fn a_secret_that_was_moved_or_damaged_is_not_given() {
    let house = House::with(&[READER]).await;
    let ann = house.user("ann", &[]).await;
    set(&house, "ops/db", "hers").await;
    set(&house, "other", "not-hers").await;
    let others = house
        .store()
        .sealed_secrets(vec![secret_name("other")])
        .await;
    let others = others.expect("read").remove(0).sealed;
    for bytes in [others, vec![0]] {
        put_bytes(&house, "ops/db", bytes).await;
        assert!(reason(&run(&ann).await).contains("`ops/db`, which is damaged"));
    }
    set(&house, "ops/db", "mended").await;
    assert_eq!(run(&ann).await.outcome, Some(Outcome::Succeeded));
}

#[tokio::test]
async fn a_secret_of_a_key_that_is_not_here_is_not_given_and_none_is_set_beside_it() {
    let house = House::with(&[READER]).await;
    let ann = house.user("ann", &[]).await;
    set(&house, "ops/db", "sealed-before").await;
    reseal(&house, &[2, 1]).await.expect("sealed again");
    let text = run(&ann).await;
    assert!(reason(&text).contains("is sealed with the key"), "{text:?}");
    let set_beside = try_set(&house, "new", b"x").await;
    assert!(
        matches!(set_beside, Err(SetSecretError::OtherKey(_))),
        "{set_beside:?}"
    );
    house.keys.change(&[2]);
    assert_eq!(run(&ann).await.outcome, Some(Outcome::Succeeded));
    set(&house, "new", "x").await;
}

/// The steps of the command, with a start of a script after each: whichever is the last one that was
/// taken, every secret opens.
#[tokio::test]
async fn a_server_goes_on_through_every_step_of_a_rotation() {
    let house = House::with(&[READER]).await;
    let ann = house.user("ann", &[]).await;
    set(&house, "ops/db", "the-same").await;
    let works = async |step: &str| {
        let ended = run(&ann).await;
        assert_eq!(ended.outcome, Some(Outcome::Succeeded), "{step}: {ended:?}");
        assert_eq!(house.on_stage("password"), "the-same", "{step}");
    };
    works("before").await;
    house.keys.change(&[2, 1]);
    works("the new key is kept").await;
    set(&house, "between", "x").await;
    assert_eq!(reseal(&house, &[2, 1]).await.expect("sealed again"), 2);
    works("everything is sealed with it").await;
    house.keys.change(&[2]);
    works("the old one is forgotten").await;
    set(&house, "after", "x").await;
}

#[tokio::test]
async fn a_rotation_changes_nothing_where_it_would_lose_a_value() {
    let house = House::with(&[READER]).await;
    let ann = house.user("ann", &[]).await;
    set(&house, "ops/db", "whole").await;
    set(&house, "broken", "x").await;
    put_bytes(&house, "broken", vec![0]).await;
    let error = reseal(&house, &[2, 1])
        .await
        .expect_err("refused")
        .to_string();
    assert!(error.contains("`broken`"), "{error}");
    assert_eq!(run(&ann).await.outcome, Some(Outcome::Succeeded));
    remove(&house, "broken").await;
    assert_eq!(reseal(&house, &[2, 1]).await.expect("sealed again"), 1);
}

#[tokio::test]
async fn a_start_finds_out_how_keys_and_secrets_stand_to_each_other() {
    let house = House::with(&[READER]).await;
    let settle = async |bytes: &[u8]| {
        let settled = secrets::settle(house.store(), &secret_keys(bytes)).await;
        settled.expect("the store")
    };
    let id = |byte: u8| secret_keys(&[byte]).newest().id().to_owned();
    assert_eq!(settle(&[1]).await, Settled::Fits);
    assert_eq!(settle(&[3]).await, Settled::Fits, "nothing is sealed yet");
    assert_eq!(settle(&[1]).await, Settled::Fits);
    set(&house, "ops/db", "x").await;
    assert_eq!(settle(&[2, 1]).await, Settled::Behind);
    assert_eq!(settle(&[2]).await, Settled::OfNoKey(id(1)));
    reseal(&house, &[2, 1]).await.expect("sealed again");
    assert_eq!(settle(&[2, 1]).await, Settled::Fits);
}
