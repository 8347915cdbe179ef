use stagedoor_domain::id::UserId;
use stagedoor_store::{AddUserError, ChangeUserError, SessionRecord};

use crate::world::{at, group_names, new_user, user_name, world};

#[tokio::test]
async fn an_account_is_found_by_its_name_with_its_groups() {
    let world = world();
    let id = world
        .store
        .add_user(new_user("ann", &["ops", "dev"]), at(7))
        .await
        .expect("added");
    let ann = world
        .store
        .user_by_name(&user_name("ann"))
        .await
        .expect("read")
        .expect("found");
    assert_eq!((ann.user.id, ann.user.name.as_str()), (id, "ann"));
    assert_eq!(ann.user.groups, group_names(&["dev", "ops"]));
    assert_eq!(
        (ann.password_hash.as_str(), ann.disabled, ann.created_at),
        ("hash of ann", false, at(7))
    );
    assert_eq!(world.store.user(id).await.expect("read"), Some(ann));
    assert_eq!(
        world
            .store
            .user_by_name(&user_name("bob"))
            .await
            .expect("read"),
        None
    );
    assert_eq!(world.store.user(UserId(99)).await.expect("read"), None);
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_the_account_stays_as_it_was() {
    let world = world();
    world.user("ann").await;
    let again = world
        .store
        .add_user(new_user("ann", &["admins"]), at(1))
        .await;
    assert!(matches!(again, Err(AddUserError::NameTaken)), "{again:?}");
    let ann = world
        .store
        .user_by_name(&user_name("ann"))
        .await
        .expect("read")
        .expect("found");
    assert_eq!((ann.user.groups, ann.created_at), (group_names(&[]), at(0)));
    world
        .store
        .add_user(new_user("ann2", &[]), at(1))
        .await
        .expect("another name is free");
}

#[tokio::test]
async fn accounts_are_listed_by_name_and_counted() {
    let world = world();
    assert_eq!(world.store.count_users().await.expect("counted"), 0);
    for name in ["cid", "ann", "bob"] {
        world.user(name).await;
    }
    let names: Vec<String> = world
        .store
        .list_users()
        .await
        .expect("listed")
        .into_iter()
        .map(|u| u.user.name.into())
        .collect();
    assert_eq!(names, ["ann", "bob", "cid"]);
    assert_eq!(world.store.count_users().await.expect("counted"), 3);
}

#[tokio::test]
async fn groups_are_replaced_as_a_whole() {
    let world = world();
    let ann = world.user("ann").await;
    for groups in [&["a", "b"], &["b", "c"]] {
        let groups = group_names(groups);
        world.store.set_groups(ann, groups).await.expect("set");
    }
    let record = world.store.user(ann).await.expect("read").expect("found");
    assert_eq!(record.user.groups, group_names(&["b", "c"]));
    let absent = world.store.set_groups(UserId(99), group_names(&["a"]));
    assert!(matches!(absent.await, Err(ChangeUserError::Absent)));
}

#[tokio::test]
async fn a_new_password_and_disabling_end_the_account_s_sessions_and_no_others() {
    let world = world();
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let begin = async |user: UserId, id_hash: [u8; 32]| {
        let (created_at, last_seen) = (at(0), at(0));
        let session = SessionRecord {
            id_hash,
            user,
            created_at,
            last_seen,
            address: "::1".into(),
            confirmed_at: None,
            browser: String::new(),
        };
        world.store.add_session(&session).await.expect("begun");
    };
    let is_open = async |id_hash| world.store.session(id_hash).await.expect("read").is_some();
    begin(ann, [1; 32]).await;
    begin(bob, [2; 32]).await;

    assert!(
        world
            .store
            .set_password(ann, "new".into())
            .await
            .expect("set")
    );
    assert!(!is_open([1; 32]).await && is_open([2; 32]).await);
    let record = world.store.user(ann).await.expect("read").expect("found");
    assert_eq!(record.password_hash, "new");

    begin(ann, [3; 32]).await;
    world.store.set_disabled(ann, true).await.expect("set");
    assert!(!is_open([3; 32]).await && is_open([2; 32]).await);
    assert!(
        world
            .store
            .user(ann)
            .await
            .expect("read")
            .expect("found")
            .disabled
    );
    world.store.set_disabled(ann, false).await.expect("set");
    assert!(
        !world
            .store
            .user(ann)
            .await
            .expect("read")
            .expect("found")
            .disabled
    );
    assert!(
        !world
            .store
            .set_password(UserId(99), "x".into())
            .await
            .expect("no such account")
    );
}
