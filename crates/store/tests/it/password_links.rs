//! One-time links to choose a password.

use stagedoor_domain::id::UserId;
use stagedoor_store::{ChangeUserError, SessionRecord};

use crate::world::{World, at, group_names, new_user, user_name, world};

async fn owner(world: &World, hash: [u8; 32], now: i64) -> Option<UserId> {
    let found = world.store.password_link(hash, at(now)).await;
    found.expect("read").map(|owner| owner.user.id)
}

async fn put(world: &World, hash: [u8; 32], user: UserId, ends: i64) {
    let put = world.store.put_password_link(hash, user, at(ends));
    put.await.expect("put");
}

#[tokio::test]
async fn a_link_sets_the_password_once_and_ends_the_sessions() {
    let world = world();
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    for (user, byte) in [(ann, 1), (bob, 2)] {
        let session = SessionRecord {
            id_hash: [byte; 32],
            user,
            created_at: at(0),
            last_seen: at(0),
            address: "::1".into(),
            confirmed_at: None,
            browser: String::new(),
        };
        world.store.add_session(&session).await.expect("begun");
    }
    put(&world, [7; 32], ann, 100).await;
    assert_eq!(owner(&world, [7; 32], 99).await, Some(ann));
    let use_it = || world.store.use_password_link([7; 32], at(99), "new".into());
    assert_eq!(use_it().await.expect("used"), Some(ann));
    assert_eq!(use_it().await.expect("used before"), None);
    let record = world.store.user(ann).await.expect("read").expect("found");
    assert_eq!(record.password_hash, "new");
    let record = world.store.user(bob).await.expect("read").expect("found");
    assert_eq!(record.password_hash, "hash of bob");
    let is_open = async |byte| {
        world
            .store
            .session([byte; 32])
            .await
            .expect("read")
            .is_some()
    };
    assert!(!is_open(1).await && is_open(2).await);
}

/// An account whose password is not kept here.
async fn external(world: &World, name: &str, groups: &[&str]) -> UserId {
    let added = world
        .store
        .add_external_user(user_name(name), group_names(groups), at(0));
    added.await.expect("added")
}

#[tokio::test]
async fn w30_an_account_that_becomes_local_leaves_the_groups_that_the_command_named() {
    let world = world();
    let root = world.store.add_user(new_user("root", &["admins"]), at(0));
    root.await.expect("added");
    let by_link = external(&world, "ann", &["admins", "ops"]).await;
    let by_hand = external(&world, "bob", &["admins", "ops"]).await;
    let local = world.store.add_user(new_user("cat", &["ops"]), at(0));
    let local = local.await.expect("added");
    let groups = async |id| {
        let record = world.store.user(id).await.expect("read").expect("found");
        assert!(!record.is_external && record.password_hash == "new");
        record.user.groups
    };
    put(&world, [1; 32], by_link, 100).await;
    let used = world.store.use_password_link([1; 32], at(1), "new".into());
    assert_eq!(used.await.expect("used"), Some(by_link));
    for user in [by_hand, local] {
        let set = world.store.set_password(user, "new".into()).await;
        assert!(set.expect("set"));
    }
    assert_eq!(groups(by_link).await, group_names(&[]));
    assert_eq!(groups(by_hand).await, group_names(&[]));
    assert_eq!(groups(local).await, group_names(&["ops"]));
    // An answer of the command that comes too late.
    let late = world
        .store
        .set_external_groups(by_link, group_names(&["admins"]))
        .await;
    assert!(matches!(late, Err(ChangeUserError::Absent)), "{late:?}");
    assert_eq!(groups(by_link).await, group_names(&[]));
    let eve = external(&world, "eve", &[]).await;
    let named = world.store.set_external_groups(eve, group_names(&["ops"]));
    named.await.expect("external still");
}

#[tokio::test]
async fn w30_the_only_administrator_is_given_no_link_that_makes_it_none() {
    let world = world();
    let ann = external(&world, "ann", &["admins"]).await;
    let refused = world.store.put_password_link([1; 32], ann, at(100)).await;
    assert!(matches!(refused, Err(ChangeUserError::LastAdmin)));
    let root = world.store.add_user(new_user("root", &["admins"]), at(0));
    let root = root.await.expect("added");
    put(&world, [1; 32], ann, 100).await;
    // A local one stays what it is.
    world.store.delete_user(ann).await.expect("deleted");
    put(&world, [2; 32], root, 100).await;
}

#[tokio::test]
async fn a_link_that_is_unknown_too_old_replaced_or_of_a_locked_account_is_good_for_nothing() {
    let world = world();
    let ann = world.user("ann").await;
    put(&world, [1; 32], ann, 100).await;
    assert_eq!(owner(&world, [9; 32], 1).await, None, "unknown");
    assert_eq!(owner(&world, [1; 32], 100).await, None, "too old");
    put(&world, [2; 32], ann, 100).await;
    assert_eq!(owner(&world, [1; 32], 1).await, None, "replaced");
    assert_eq!(owner(&world, [2; 32], 1).await, Some(ann));
    world.store.set_disabled(ann, true).await.expect("disabled");
    assert_eq!(owner(&world, [2; 32], 1).await, None, "locked");
    let used = world.store.use_password_link([2; 32], at(1), "new".into());
    assert_eq!(used.await.expect("refused"), None);
    world.store.set_disabled(ann, false).await.expect("enabled");
    assert_eq!(
        owner(&world, [2; 32], 1).await,
        None,
        "it does not come back"
    );
    put(&world, [2; 32], ann, 100).await;
    let set = world.store.set_password(ann, "other".into());
    assert!(set.await.expect("set"));
    assert_eq!(
        owner(&world, [2; 32], 1).await,
        None,
        "a password was set otherwise"
    );
    put(&world, [3; 32], ann, 100).await;
    world.store.delete_user(ann).await.expect("deleted");
    assert_eq!(owner(&world, [3; 32], 1).await, None, "deleted");
    let absent = world.store.put_password_link([4; 32], ann, at(100)).await;
    assert!(matches!(absent, Err(ChangeUserError::Absent)));
}

#[tokio::test]
async fn a_link_is_worth_nothing_once_its_owner_chose_a_password_or_was_locked() {
    let world = world();
    let ann = world.user("ann").await;
    let session = SessionRecord {
        id_hash: [1; 32],
        user: ann,
        created_at: at(0),
        last_seen: at(0),
        address: "::1".into(),
        confirmed_at: None,
        browser: String::new(),
    };
    world.store.add_session(&session).await.expect("begun");
    put(&world, [7; 32], ann, 100).await;
    let renewal = stagedoor_store::Renewal {
        old: [1; 32],
        new: [2; 32],
        confirmed_at: at(1),
    };
    let changed = world
        .store
        .change_password(ann, "new".into(), renewal)
        .await;
    assert!(changed.expect("changed"));
    assert_eq!(owner(&world, [7; 32], 2).await, None, "she has another one");
    put(&world, [8; 32], ann, 100).await;
    world.store.set_disabled(ann, true).await.expect("locked");
    world
        .store
        .set_disabled(ann, false)
        .await
        .expect("unlocked");
    assert_eq!(owner(&world, [8; 32], 2).await, None, "she was locked");
    put(&world, [9; 32], ann, 100).await;
    assert_eq!(owner(&world, [9; 32], 2).await, Some(ann));
}
