use futures_util::future::join_all;
use stagedoor_store::SetupError;

use crate::world::{at, group_names, new_user, user_name, world};

const LINK: [u8; 32] = [7; 32];

#[tokio::test]
async fn the_link_makes_one_account_and_is_burnt() {
    let world = world();
    world.store.put_setup(LINK, at(1000)).await.expect("put");
    assert!(world.store.setup_open(at(0)).await.expect("asked"));
    let id = world
        .store
        .use_setup(LINK, at(5), new_user("ann", &["admins"]))
        .await
        .expect("used");
    let ann = world
        .store
        .user_by_name(&user_name("ann"))
        .await
        .expect("read")
        .expect("found");
    assert_eq!((ann.user.id, ann.created_at), (id, at(5)));
    assert_eq!(ann.user.groups, group_names(&["admins"]));

    assert!(!world.store.setup_open(at(6)).await.expect("asked"));
    let again = world
        .store
        .use_setup(LINK, at(6), new_user("eve", &["admins"]))
        .await;
    assert!(matches!(again, Err(SetupError::Used)), "{again:?}");
    assert_eq!(world.store.count_users().await.expect("counted"), 1);
}

#[tokio::test]
async fn of_fifty_who_use_the_link_at_once_one_gets_the_account() {
    let world = world();
    world.store.put_setup(LINK, at(1000)).await.expect("put");
    let uses = (0..50).map(|n| {
        world
            .store
            .use_setup(LINK, at(1), new_user(&format!("u{n}"), &[]))
    });
    let results = join_all(uses).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(
        results
            .iter()
            .all(|r| matches!(r, Ok(_) | Err(SetupError::Used)))
    );
    assert_eq!(world.store.count_users().await.expect("counted"), 1);
}

#[tokio::test]
async fn an_unknown_an_expired_and_a_replaced_link_make_no_account() {
    let world = world();
    let unknown = world
        .store
        .use_setup(LINK, at(1), new_user("ann", &[]))
        .await;
    assert!(matches!(unknown, Err(SetupError::Unknown)), "{unknown:?}");

    world.store.put_setup(LINK, at(1000)).await.expect("put");
    let late = world
        .store
        .use_setup(LINK, at(1000), new_user("ann", &[]))
        .await;
    assert!(matches!(late, Err(SetupError::Expired)), "{late:?}");
    assert!(!world.store.setup_open(at(1000)).await.expect("asked"));

    world.store.put_setup([8; 32], at(2000)).await.expect("put");
    let old = world
        .store
        .use_setup(LINK, at(1), new_user("ann", &[]))
        .await;
    assert!(matches!(old, Err(SetupError::Unknown)), "{old:?}");
    assert_eq!(world.store.count_users().await.expect("counted"), 0);
    world
        .store
        .use_setup([8; 32], at(1), new_user("ann", &[]))
        .await
        .expect("the newer one");
}

#[tokio::test]
async fn an_administrator_made_otherwise_closes_the_link_and_another_account_does_not() {
    let world = world();
    world.store.put_setup(LINK, at(1000)).await.expect("put");
    world.user("ann").await;
    assert!(world.store.setup_open(at(1)).await.expect("asked"));
    assert!(!world.store.has_admin().await.expect("asked"));
    let taken = world
        .store
        .use_setup(LINK, at(1), new_user("ann", &["admins"]))
        .await;
    assert!(matches!(taken, Err(SetupError::NameTaken)), "{taken:?}");
    world
        .store
        .add_user(new_user("root", &["admins"]), at(1))
        .await
        .expect("made");
    assert!(world.store.has_admin().await.expect("asked"));
    assert!(!world.store.setup_open(at(1)).await.expect("asked"));
    let late = world
        .store
        .use_setup(LINK, at(1), new_user("eve", &["admins"]))
        .await;
    assert!(matches!(late, Err(SetupError::Used)), "{late:?}");
}
