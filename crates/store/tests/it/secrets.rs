//! Stored secrets, as the store sees them: names, versions, keys and sealed bytes.

use std::sync::Arc;

use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::name::SecretName;
use stagedoor_store::{AuditFilter, NewSecret, Put, Resealed, SealedSecret, Store};

use crate::world::{at, world};

fn name(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

/// What stands for a value that `key` has sealed for this version.
fn sealed(key: &str, version: i64) -> Vec<u8> {
    format!("{key}:{version}").into_bytes()
}

fn new(secret: &str, key: &str) -> NewSecret {
    let by = key.to_owned();
    NewSecret {
        name: name(secret),
        key: key.to_owned(),
        seal: Arc::new(move |version| Some(sealed(&by, version))),
        by: "ann".to_owned(),
    }
}

async fn put(store: &Store, secret: &str, key: &str) -> Put {
    let put = store.put_secret(new(secret, key), at(7)).await;
    put.expect("written")
}

async fn one(store: &Store, secret: &str) -> Option<SealedSecret> {
    let mut found = store
        .sealed_secrets(vec![name(secret)])
        .await
        .expect("read");
    found.pop()
}

#[tokio::test]
async fn a_secret_is_there_from_its_set_to_its_removal() {
    let world = world();
    let store = &world.store;
    assert_eq!(one(store, "ops/db").await, None);
    assert_eq!(put(store, "ops/db", "k1").await, Put::Done);
    assert_eq!(put(store, "mail", "k1").await, Put::Done);
    let listed = store.list_secrets().await.expect("read");
    let names: Vec<&str> = listed.iter().map(|record| record.name.as_str()).collect();
    assert_eq!(names, ["mail", "ops/db"]);
    assert_eq!(
        (listed[0].set_at, listed[0].set_by.as_str()),
        (at(7), "ann")
    );
    let found = one(store, "ops/db").await.expect("there");
    assert_eq!(
        (found.key.as_str(), found.sealed),
        ("k1", sealed("k1", found.version))
    );
    assert!(store.remove_secret(name("ops/db")).await.expect("removed"));
    assert!(!store.remove_secret(name("ops/db")).await.expect("gone"));
    assert_eq!(one(store, "ops/db").await, None);
    assert!(one(store, "mail").await.is_some());
}

#[tokio::test]
async fn several_are_read_at_once_and_those_that_are_not_there_are_left_out() {
    let world = world();
    for secret in ["a", "b", "c"] {
        put(&world.store, secret, "k1").await;
    }
    let asked = ["c", "gone", "a"].map(name).to_vec();
    let found = world.store.sealed_secrets(asked).await.expect("read");
    let names: Vec<&str> = found.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["c", "a"]);
}

/// So what was sealed for a name once cannot be put back.
#[tokio::test]
async fn no_version_is_used_twice_not_even_after_a_removal() {
    let world = world();
    let mut versions = Vec::new();
    for secret in ["a", "a", "b", "a"] {
        put(&world.store, secret, "k1").await;
        versions.push(one(&world.store, secret).await.expect("there").version);
        if secret == "b" {
            world.store.remove_secret(name("a")).await.expect("removed");
        }
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

#[tokio::test]
async fn who_has_missed_a_rotation_sets_nothing() {
    let world = world();
    let store = &world.store;
    assert_eq!(store.secrets_key().await.expect("read"), None);
    put(store, "a", "k1").await;
    let again: stagedoor_store::SealAgain =
        Arc::new(|secret| (secret.key == "k1").then(|| sealed("k2", secret.version)));
    let rotated = store
        .reseal_secrets("k2".to_owned(), Arc::clone(&again))
        .await;
    assert_eq!(rotated.expect("written"), Resealed::Done(1));
    assert_eq!(
        store.secrets_key().await.expect("read").as_deref(),
        Some("k2")
    );
    let before = one(store, "a").await.expect("there");
    assert_eq!(
        (before.key.as_str(), &before.sealed),
        ("k2", &sealed("k2", before.version))
    );
    assert_eq!(put(store, "a", "k1").await, Put::OtherKey);
    assert_eq!(put(store, "b", "k1").await, Put::OtherKey);
    assert_eq!(one(store, "a").await, Some(before));
    assert_eq!(one(store, "b").await, None);
    assert_eq!(put(store, "b", "k2").await, Put::Done);
}

#[tokio::test]
async fn a_rotation_that_cannot_open_one_secret_changes_none() {
    let world = world();
    let store = &world.store;
    for secret in ["a", "b", "c"] {
        put(store, secret, "k1").await;
    }
    let seal: stagedoor_store::SealAgain =
        Arc::new(|secret| (secret.name.as_str() != "b").then(|| sealed("k2", secret.version)));
    let rotated = store.reseal_secrets("k2".to_owned(), seal).await;
    assert_eq!(rotated.expect("written"), Resealed::DoesNotOpen(name("b")));
    assert_eq!(
        store.secrets_key().await.expect("read").as_deref(),
        Some("k1")
    );
    for secret in ["a", "b", "c"] {
        assert_eq!(one(store, secret).await.expect("there").key, "k1");
    }
}

#[tokio::test]
async fn a_key_is_adopted_only_where_none_has_sealed_what_is_still_there() {
    let world = world();
    let store = &world.store;
    let adopt = |key: &str| store.adopt_secrets_key(key.to_owned());
    assert!(adopt("k1").await.expect("written"));
    assert!(adopt("k2").await.expect("written"));
    put(store, "a", "k2").await;
    assert!(!adopt("k3").await.expect("written"));
    assert_eq!(
        store.secrets_key().await.expect("read").as_deref(),
        Some("k2")
    );
    store.remove_secret(name("a")).await.expect("removed");
    assert!(adopt("k3").await.expect("written"));
}

#[tokio::test]
async fn what_is_set_is_recorded_and_what_is_refused_is_not() {
    let world = world();
    let entry = || Entry::new(Act::SecretSet, Origin::command_line(0), at(1)).on("a");
    let recorded = || world.store.recorded(entry());
    put(&recorded(), "a", "k1").await;
    assert_eq!(put(&recorded(), "a", "k2").await, Put::OtherKey);
    let mut unsealed = new("a", "k1");
    unsealed.seal = Arc::new(|_| None);
    let refused = recorded().put_secret(unsealed, at(8)).await;
    assert_eq!(refused.expect("answered"), Put::NotSealed);
    let page = world
        .store
        .audit_page(&AuditFilter::default())
        .await
        .expect("read");
    assert_eq!(page.items.len(), 1, "{page:?}");
}
