use stagedoor_domain::id::UserId;
use stagedoor_store::{MOST_SESSIONS, Renewal, SessionRecord};

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

#[tokio::test]
async fn of_too_many_sessions_of_one_user_the_one_used_longest_ago_goes() {
    let world = world();
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let most = u8::try_from(MOST_SESSIONS).expect("a few");
    world
        .store
        .add_session(&session(bob, 255, -5))
        .await
        .expect("begun");
    for n in 0..=most {
        let begun = session(ann, n, i64::from(n));
        world.store.add_session(&begun).await.expect("begun");
    }
    let kept = world.store.sessions_of(ann).await.expect("read");
    assert_eq!(kept.len(), usize::from(most));
    assert_eq!(kept[0].id_hash, [most; 32], "the last one used first");
    assert!(kept.iter().all(|session| session.id_hash != [0; 32]));
    assert_eq!(world.store.sessions_of(bob).await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_renewed_session_is_known_by_its_new_secret_alone() {
    let world = world();
    let ann = world.user("ann").await;
    world
        .store
        .add_session(&session(ann, 1, 10))
        .await
        .expect("begun");
    let renewal = Renewal {
        old: [1; 32],
        new: [2; 32],
        confirmed_at: at(50),
    };
    assert!(world.store.renew_session(renewal).await.expect("renewed"));
    assert!(!world.store.renew_session(renewal).await.expect("over"));
    assert_eq!(world.store.session([1; 32]).await.expect("read"), None);
    let (kept, _) = world
        .store
        .session([2; 32])
        .await
        .expect("read")
        .expect("found");
    assert_eq!(
        (kept.created_at, kept.confirmed_at),
        (at(10), Some(at(50))),
        "it gets no older and no younger"
    );
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_none_when_this_one_is_over() {
    let world = world();
    let ann = world.user("ann").await;
    for n in [1, 2] {
        world
            .store
            .add_session(&session(ann, n, 0))
            .await
            .expect("begun");
    }
    let renewal = |old: u8| Renewal {
        old: [old; 32],
        new: [9; 32],
        confirmed_at: at(1),
    };
    let change = |old| {
        world
            .store
            .change_password(ann, "new".to_owned(), renewal(old))
    };
    assert!(!change(7).await.expect("over"));
    let user = world.store.user(ann).await.expect("read").expect("ann");
    assert_ne!(user.password_hash, "new", "nothing was changed");
    assert!(change(1).await.expect("changed"));
    let left = world.store.sessions_of(ann).await.expect("read");
    let left: Vec<[u8; 32]> = left.iter().map(|session| session.id_hash).collect();
    assert_eq!(left, [[9; 32]]);
    let user = world.store.user(ann).await.expect("read").expect("ann");
    assert_eq!(user.password_hash, "new");
}

#[tokio::test]
async fn the_number_of_rights_changes_with_every_end_of_a_right_and_with_nothing_else() {
    let world = world();
    let ann = world.user("ann").await;
    let number = async || world.store.rights_changes().await.expect("read");
    let mut last = number().await;
    world
        .store
        .add_session(&session(ann, 1, 0))
        .await
        .expect("begun");
    world
        .store
        .touch_session([1; 32], at(5))
        .await
        .expect("touched");
    assert_eq!(number().await, last, "nobody has lost anything");
    let mut has_changed = async |what: &str| {
        let now = number().await;
        assert_ne!(now, last, "{what}");
        last = now;
    };
    world.store.end_session([1; 32]).await.expect("ended");
    has_changed("a session ended").await;
    world.store.set_disabled(ann, true).await.expect("disabled");
    has_changed("disabled").await;
    world
        .store
        .set_groups(ann, group_names(&["ops"]))
        .await
        .expect("set");
    world
        .store
        .set_groups(ann, group_names(&[]))
        .await
        .expect("set");
    has_changed("out of a group").await;
}

#[tokio::test]
async fn w74_a_session_begins_only_if_the_account_is_as_it_was_when_the_password_was_compared() {
    let world = world();
    let ann = world.user("ann").await;
    let begin = async |byte, compared: Option<&str>| {
        let compared = compared.map(str::to_owned);
        let begun = session(ann, byte, 0);
        let begun = world.store.add_proved_session(&begun, compared).await;
        let begun = begun.expect("the store");
        let is_there = world.store.session([byte; 32]).await.expect("read");
        assert_eq!(begun, is_there.is_some());
        begun
    };
    assert!(begin(1, Some("hash of ann")).await);
    assert!(begin(2, None).await, "an external one has no hash");
    let set = world.store.set_password(ann, "new".to_owned()).await;
    assert!(set.expect("set"));
    assert!(!begin(3, Some("hash of ann")).await);
    assert!(begin(4, Some("new")).await);
    world.user("admin").await;
    world.store.set_disabled(ann, true).await.expect("disabled");
    assert!(!begin(5, Some("new")).await);
    assert!(!begin(6, None).await);
}

#[tokio::test]
async fn who_is_in_a_group_that_is_renamed_signs_in_again_and_streams_look_again() {
    let world = world();
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    for (user, group, byte) in [(ann, "ops", 1), (bob, "dev", 2)] {
        let groups = world.store.set_groups(user, group_names(&[group]));
        groups.await.expect("set");
        world
            .store
            .add_session(&session(user, byte, 0))
            .await
            .expect("begun");
    }
    let before = world.store.rights_changes().await.expect("read");
    let group = |name: &str| group_names(&[name]).pop_first().expect("a name");
    let renamed = world.store.rename_group(group("ops"), group("crew")).await;
    assert_eq!(renamed.expect("renamed").members, 1);
    assert_ne!(world.store.rights_changes().await.expect("read"), before);
    assert_eq!(world.store.session([1; 32]).await.expect("read"), None);
    let bobs = world.store.session([2; 32]).await.expect("read");
    assert!(bobs.is_some());
}
