use stagedoor_domain::id::UserId;
use stagedoor_store::SessionRecord;

use crate::world::{at, group_names, world};

fn session(user: UserId, byte: u8, began: i64) -> SessionRecord {
    SessionRecord {
        id_hash: [byte; 32],
        user,
        created_at: at(began),
        last_seen: at(began),
        address: "2001:db8::1".to_owned(),
        confirmed_at: Some(at(began)),
        browser: "Firefox on Linux".to_owned(),
    }
}

#[tokio::test]
async fn a_session_comes_with_its_account() {
    let world = world();
    let ann = world.user("ann").await;
    world
        .store
        .set_groups(ann, group_names(&["ops"]))
        .await
        .expect("set");
    let begun = session(ann, 1, 0);
    world.store.add_session(&begun).await.expect("begun");
    let (record, user) = world
        .store
        .session([1; 32])
        .await
        .expect("read")
        .expect("found");
    assert_eq!(record, begun);
    assert_eq!(Some(user), world.store.user(ann).await.expect("read"));
    assert_eq!(world.store.session([2; 32]).await.expect("read"), None);
}

#[tokio::test]
async fn a_session_without_an_account_cannot_begin() {
    let world = world();
    world
        .store
        .add_session(&session(UserId(99), 1, 0))
        .await
        .expect_err("no such account");
    assert_eq!(world.store.session([1; 32]).await.expect("read"), None);
}

#[tokio::test]
async fn a_touch_moves_last_seen_forwards_only() {
    let world = world();
    let ann = world.user("ann").await;
    world
        .store
        .add_session(&session(ann, 1, 10))
        .await
        .expect("begun");
    for (touch, expected) in [(50, 50), (20, 50), (60, 60)] {
        world
            .store
            .touch_session([1; 32], at(touch))
            .await
            .expect("touched");
        let (record, _) = world
            .store
            .session([1; 32])
            .await
            .expect("read")
            .expect("found");
        assert_eq!(record.last_seen, at(expected));
    }
}

#[tokio::test]
async fn sessions_end_one_by_one_by_user_and_by_age() {
    let world = world();
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    for (user, byte, began) in [
        (ann, 1, 0),
        (ann, 2, 5),
        (ann, 3, 9),
        (bob, 4, 5),
        (bob, 5, 9),
    ] {
        world
            .store
            .add_session(&session(user, byte, began))
            .await
            .expect("begun");
    }
    let open = async || {
        let mut open = Vec::new();
        for byte in 1..=5 {
            open.extend(
                world
                    .store
                    .session([byte; 32])
                    .await
                    .expect("read")
                    .map(|_| byte),
            );
        }
        open
    };
    assert!(world.store.end_session([3; 32]).await.expect("ended"));
    assert!(
        !world
            .store
            .end_session([3; 32])
            .await
            .expect("ended before")
    );
    assert_eq!(open().await, [1, 2, 4, 5]);
    assert_eq!(
        world
            .store
            .end_old_sessions(at(5), at(0))
            .await
            .expect("ended"),
        1
    );
    assert_eq!(open().await, [2, 4, 5]);
    assert_eq!(world.store.end_sessions_of(ann).await.expect("ended"), 1);
    assert_eq!(open().await, [4, 5]);
    world
        .store
        .touch_session([4; 32], at(20))
        .await
        .expect("touched");
    assert_eq!(
        world
            .store
            .end_old_sessions(at(0), at(15))
            .await
            .expect("ended"),
        1
    );
    assert_eq!(open().await, [4]);
}
