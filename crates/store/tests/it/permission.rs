//! Grants, groups, and the administrator that has to remain.

use stagedoor_domain::access::{Actions, Gives, Scope, Verb, Verbs};
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::GroupName;
use stagedoor_domain::pattern::parse_patterns;
use stagedoor_store::{ChangeUserError, NewToken, RenameError, Renamed, SessionRecord, Store};

use crate::world::{World, at, group_names, new_user, user_name, world};

fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a group")
}

fn gives(may: &[Verb], scripts: &str) -> Gives {
    Gives::Scripts {
        scripts: parse_patterns(scripts).expect("patterns"),
        may: Verbs::of(may),
    }
}

async fn said(world: &World) -> Vec<String> {
    let stored = world.store.grants().await.expect("read");
    let said = |grant: &stagedoor_domain::access::Grant| format!("{}: {grant}", grant.origin);
    stored.grants.iter().map(said).collect()
}

#[tokio::test]
async fn a_grant_is_kept_as_it_was_given_until_it_is_taken_away() {
    let world = world();
    let add = |name: &str, gives| world.store.add_grant(group(name), gives, at(1));
    let first = add("ops", gives(&[Verb::Stop, Verb::Run], "backup/* a"))
        .await
        .expect("added");
    add("wardens", Gives::Admin).await.expect("added");
    assert_eq!(
        said(&world).await,
        [
            "grant 1: ops may run, stop: backup/*, a",
            "grant 2: wardens may administer"
        ]
    );
    assert!(world.store.remove_grant(first).await.expect("removed"));
    assert!(!world.store.remove_grant(first).await.expect("gone"));
    add("ops", gives(&[Verb::View], "*")).await.expect("added");
    assert_eq!(
        said(&world).await,
        [
            "grant 2: wardens may administer",
            "grant 3: ops may view: *"
        ]
    );
}

#[tokio::test]
async fn every_change_of_the_grants_shows_at_each_account_also_when_another_process_made_it() {
    let world = world();
    let ann = world.user("ann").await;
    let other = Store::open_beside(world.dir.path()).expect("a second process");
    let version = async || {
        let record = world.store.user(ann).await.expect("read").expect("found");
        let grants = world.store.grants().await.expect("read");
        assert_eq!(record.grants_version, grants.version);
        record.grants_version
    };
    let before = version().await;
    let grant = gives(&[Verb::Run], "*");
    let id = other
        .add_grant(group("ops"), grant, at(1))
        .await
        .expect("added");
    let added = version().await;
    other
        .add_user(new_user("bob", &["ops"]), at(2))
        .await
        .expect("added");
    assert_eq!(version().await, added, "an account is no grant");
    other
        .rename_group(group("ops"), group("crew"))
        .await
        .expect("renamed");
    let renamed = version().await;
    other.remove_grant(id).await.expect("removed");
    let removed = version().await;
    assert!(before < added && added < renamed && renamed < removed);
}

#[tokio::test]
async fn a_group_is_renamed_with_its_members_and_grants_at_once_and_nothing_is_merged() {
    let world = world();
    let ann = new_user("ann", &["ops", "dev"]);
    world.store.add_user(ann, at(0)).await.expect("added");
    let grant = gives(&[Verb::Run], "*");
    world
        .store
        .add_grant(group("ops"), grant, at(1))
        .await
        .expect("added");
    let rename = |from: &str, to: &str| world.store.rename_group(group(from), group(to));
    assert_eq!(
        rename("ops", "crew").await.expect("renamed"),
        Renamed {
            members: 1,
            grants: 1
        }
    );
    let record = world
        .store
        .user_by_name(&user_name("ann"))
        .await
        .expect("read");
    assert_eq!(
        record.expect("found").user.groups,
        group_names(&["crew", "dev"])
    );
    assert_eq!(said(&world).await, ["grant 1: crew may run: *"]);
    assert!(matches!(
        rename("ops", "x").await,
        Err(RenameError::Absent(_))
    ));
    assert!(matches!(
        rename("crew", "dev").await,
        Err(RenameError::Taken(_))
    ));
    for (from, to) in [
        ("admins", "x"),
        ("crew", "admins"),
        ("everyone", "x"),
        ("crew", "everyone"),
    ] {
        assert!(
            matches!(rename(from, to).await, Err(RenameError::BuiltIn(_))),
            "{from} {to}"
        );
    }
    let names = world.store.group_names().await.expect("read");
    assert_eq!(names, [group("crew"), group("dev")]);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let world = world();
    let root = new_user("root", &["admins"]);
    let root = world.store.add_user(root, at(0)).await.expect("added");
    let refused = async || {
        let store = &world.store;
        [
            store.set_disabled(root, true).await.is_err(),
            store.delete_user(root).await.is_err(),
            store.set_groups(root, group_names(&["ops"])).await.is_err(),
            store.leave_group(root, group("admins")).await.is_err(),
        ]
    };
    assert_eq!(refused().await, [true; 4]);
    let error = world
        .store
        .delete_user(root)
        .await
        .expect_err("the last one");
    assert!(matches!(error, ChangeUserError::LastAdmin));
    assert!(error.to_string().contains("make another one first"));
    // Who cannot sign in is no help.
    let second = new_user("second", &["admins"]);
    let second = world.store.add_user(second, at(0)).await.expect("added");
    world
        .store
        .set_disabled(second, true)
        .await
        .expect("not the last");
    assert_eq!(refused().await, [true; 4]);
    // Other changes of the last one are free.
    world
        .store
        .set_groups(root, group_names(&["admins", "ops"]))
        .await
        .expect("stays");
    assert!(
        world
            .store
            .leave_group(root, group("ops"))
            .await
            .expect("left")
    );
    world
        .store
        .set_disabled(second, false)
        .await
        .expect("enabled");
    world
        .store
        .delete_user(root)
        .await
        .expect("another one is there");
    let error = world.store.delete_user(root).await.expect_err("gone");
    assert!(matches!(error, ChangeUserError::Absent));
}

#[tokio::test]
async fn of_two_administrators_who_remove_each_other_at_once_one_remains() {
    let world = world();
    let mut ids = Vec::new();
    for name in ["ann", "bob"] {
        let new = new_user(name, &["admins"]);
        ids.push(world.store.add_user(new, at(0)).await.expect("added"));
    }
    let other = Store::open_beside(world.dir.path()).expect("a second process");
    let (one, two) = tokio::join!(world.store.delete_user(ids[0]), other.delete_user(ids[1]));
    assert_ne!(one.is_ok(), two.is_ok(), "{one:?} {two:?}");
    assert!(world.store.has_admin().await.expect("read"));
}

#[tokio::test]
async fn an_account_goes_with_its_sessions_tokens_and_memberships_and_its_number_stays_unused() {
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
        world
            .store
            .add_token(token(user, byte), at(0))
            .await
            .expect("added");
    }
    assert!(
        world
            .store
            .join_group(ann, group("ops"))
            .await
            .expect("joined")
    );
    assert!(
        !world
            .store
            .join_group(ann, group("ops"))
            .await
            .expect("is in it")
    );
    world.store.delete_user(ann).await.expect("deleted");
    for (byte, is_there) in [(1, false), (2, true)] {
        let (session, token) = (
            world.store.session([byte; 32]),
            world.store.token([byte; 32]),
        );
        assert_eq!(session.await.expect("read").is_some(), is_there);
        assert_eq!(token.await.expect("read").is_some(), is_there);
    }
    assert!(world.store.group_names().await.expect("read").is_empty());
    let again = world.user("ann").await;
    assert!(again != ann && again > bob, "{again:?}");
}

fn token(user: UserId, byte: u8) -> NewToken {
    NewToken {
        hash: [byte; 32],
        user,
        name: String::new(),
        expires_at: None,
        scope: Scope {
            actions: Actions::parse("run admin").expect("actions"),
            scripts: parse_patterns("ops/* a").expect("patterns"),
        },
        addresses: vec!["10.0.0.0/8".parse().expect("a network")],
    }
}

#[tokio::test]
async fn a_token_keeps_its_scope_and_one_of_before_has_all_but_administration() {
    let world = world();
    let ann = world.user("ann").await;
    world
        .store
        .add_token(token(ann, 1), at(0))
        .await
        .expect("added");
    let (found, _) = world
        .store
        .token([1; 32])
        .await
        .expect("read")
        .expect("found");
    assert_eq!((found.scope, found.addresses), {
        let new = token(ann, 1);
        (new.scope, new.addresses)
    });
    let file = rusqlite::Connection::open(world.dir.path().join("stagedoor.db")).expect("opens");
    let sql = "INSERT INTO tokens (hash, user_id, name, created_at) VALUES (?1, ?2, '', 0)";
    file.execute(sql, ([2_u8; 32], ann.0))
        .expect("as an earlier version did");
    let (found, _) = world
        .store
        .token([2; 32])
        .await
        .expect("read")
        .expect("found");
    assert_eq!(found.scope, Scope::all_scripts());
    assert!(found.addresses.is_empty() && !found.scope.actions.admin);
}

#[tokio::test]
async fn the_last_local_administrator_stays_one_whomever_a_command_names() {
    let world = world();
    let root = new_user("root", &["admins"]);
    let root = world.store.add_user(root, at(0)).await.expect("added");
    let outside = async |name: &str| {
        let groups = group_names(&["admins"]);
        let added = world
            .store
            .add_external_user(user_name(name), groups, at(0));
        added.await.expect("added")
    };
    let (one, _) = (outside("one").await, outside("other").await);
    let refused = world.store.set_disabled(root, true).await;
    assert!(matches!(refused, Err(ChangeUserError::LastAdmin)));
    let gone = world.store.set_groups(one, group_names(&["ops"])).await;
    gone.expect("a local one is left");
    let second = new_user("second", &["admins"]);
    world.store.add_user(second, at(0)).await.expect("added");
    world
        .store
        .delete_user(root)
        .await
        .expect("a local one is left");
}
