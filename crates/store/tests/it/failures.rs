//! What failed, and where accounts are known.

use std::time::Duration;

use stagedoor_domain::id::UserId;
use stagedoor_store::{FailureKind, FailurePlace, FailureRecord, Store};

use crate::world::{at, world};

fn place(kind: FailureKind, account: u8, network: &str) -> FailurePlace {
    FailurePlace {
        kind,
        account: [account; 16],
        network: network.to_owned(),
    }
}

fn record(place: FailurePlace, level: u32) -> FailureRecord {
    FailureRecord {
        place,
        user: Some(UserId(7)),
        level,
        rounds: 2,
        noted_at: at(1),
        blocked_until: Some(at(900_000)),
        lifted: false,
    }
}

async fn all(store: &Store) -> Vec<FailureRecord> {
    let mut all = store.failures().await.expect("read");
    all.sort_by_key(|record| (record.place.kind, record.place.account));
    all
}

#[tokio::test]
async fn failures_are_kept_replaced_and_forgotten_by_their_place() {
    let world = world();
    let (pair, address) = (
        record(place(FailureKind::Password, 1, "192.0.2.1"), 5),
        record(place(FailureKind::Address, 0, "192.0.2.1"), 9),
    );
    let both = vec![pair.clone(), address.clone()];
    let kept = world.store.keep_failures(both.clone(), Vec::new());
    kept.await.expect("kept");
    assert_eq!(all(&world.store).await, both);

    let less = record(pair.place.clone(), 1);
    let kept = world
        .store
        .keep_failures(vec![less.clone()], vec![address.place]);
    kept.await.expect("kept");
    assert_eq!(all(&world.store).await, [less]);
}

#[tokio::test]
async fn what_is_lifted_beside_the_server_stays_lifted_until_it_is_forgotten() {
    let world = world();
    let (one, other) = (
        record(place(FailureKind::Token, 0, "2001:db8::/64"), 5),
        record(place(FailureKind::Token, 0, "2001:db8:0:1::/64"), 5),
    );
    let store = &world.store;
    let both = vec![one.clone(), other.clone()];
    store.keep_failures(both, Vec::new()).await.expect("kept");
    let lifted = async |of: &FailureRecord| store.is_lifted(of.place.clone()).await.expect("read");
    assert!(!lifted(&one).await);
    let unknown = place(FailureKind::All, 0, "");
    let wanted = vec![one.place.clone(), unknown.clone()];
    assert_eq!(store.lift_failures(wanted).await.expect("lifted"), 1);
    assert!(lifted(&one).await);
    assert!(!lifted(&other).await);
    assert!(!store.is_lifted(unknown).await.expect("read"));
    let mut left = all(store).await;
    left.retain(|record| !record.lifted);
    assert_eq!(left, std::slice::from_ref(&other));
    let again = store.keep_failures(vec![one.clone()], Vec::new());
    again.await.expect("kept");
    assert!(lifted(&one).await, "whoever counts has not heard of it yet");
    assert_eq!(
        store.lifted_failures().await.expect("read"),
        std::slice::from_ref(&one.place)
    );
    let forgotten = store.keep_failures(vec![one.clone()], vec![one.place.clone()]);
    forgotten.await.expect("kept");
    assert!(!lifted(&one).await, "and begins anew");
}

#[tokio::test]
async fn w21_the_addresses_of_an_account_are_bounded_and_the_last_ones_stay() {
    let world = world();
    let (ann, store) = (world.user("ann").await, &world.store);
    let know = async |subject: u8, network: u32, millis| {
        let network = format!("192.0.2.{network}");
        let known = store.know_address([subject; 16], network, ann, at(millis), 3);
        known.await.expect("known");
    };
    let known = async |subject: u8, network: u32| {
        let network = format!("192.0.2.{network}");
        let last = store.known_address([subject; 16], network);
        last.await.expect("read")
    };
    know(2, 1, 0).await;
    for n in 1..=5 {
        know(1, n, i64::from(n)).await;
    }
    know(1, 3, 6).await;
    let last = [known(1, 2).await, known(1, 3).await, known(1, 4).await];
    assert_eq!(last, [None, Some(at(6)), Some(at(4))]);
    assert_eq!(known(2, 1).await, Some(at(0)), "of another one");

    let before = at(5).plus(Duration::from_millis(0));
    assert_eq!(store.forget_addresses(before).await.expect("forgot"), 2);
    assert_eq!(known(1, 5).await, Some(at(5)));
    assert_eq!(known(1, 4).await, None);
}
