use stagedoor_domain::access::Scope;
use stagedoor_store::{AddTokenError, NewToken};

use crate::world::{at, world};

#[tokio::test]
async fn a_token_comes_with_its_account_until_it_is_revoked() {
    let world = world();
    let ann = world.user("ann").await;
    let new = |byte, expires_at| NewToken {
        hash: [byte; 32],
        user: ann,
        name: format!("ci {byte}"),
        expires_at,
        scope: Scope::all_scripts(),
        addresses: Vec::new(),
    };
    let id = world
        .store
        .add_token(new(1, Some(at(900))), at(3))
        .await
        .expect("added");
    let (token, user) = world
        .store
        .token([1; 32])
        .await
        .expect("read")
        .expect("found");
    assert_eq!(
        (token.id, token.user, token.name.as_str()),
        (id, ann, "ci 1")
    );
    assert_eq!(
        (token.created_at, token.expires_at, token.last_used),
        (at(3), Some(at(900)), None)
    );
    assert_eq!(user.user.name.as_str(), "ann");
    assert_eq!(world.store.token([2; 32]).await.expect("read"), None);

    world
        .store
        .touch_token(id, at(60), "::1".into())
        .await
        .expect("touched");
    let (token, _) = world
        .store
        .token([1; 32])
        .await
        .expect("read")
        .expect("found");
    assert_eq!(token.last_used, Some(at(60)));
    assert_eq!(token.last_address.as_deref(), Some("::1"));

    assert!(world.store.revoke_token(id).await.expect("revoked"));
    assert!(!world.store.revoke_token(id).await.expect("revoked before"));
    assert_eq!(world.store.token([1; 32]).await.expect("read"), None);
    let next = world
        .store
        .add_token(new(1, None), at(4))
        .await
        .expect("added");
    assert!(next > id, "an id is never used twice");
}

#[tokio::test]
async fn tokens_are_listed_for_one_user_or_all() {
    let world = world();
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    for (byte, user) in [(1, ann), (2, bob), (3, ann)] {
        let name = byte.to_string();
        let new = NewToken {
            hash: [byte; 32],
            user,
            name,
            expires_at: None,
            scope: Scope::all_scripts(),
            addresses: Vec::new(),
        };
        world.store.add_token(new, at(0)).await.expect("added");
    }
    let names = async |user| {
        let tokens = world.store.list_tokens(user).await.expect("listed");
        tokens
            .into_iter()
            .map(|token| token.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(None).await, ["1", "2", "3"]);
    assert_eq!(names(Some(ann)).await, ["1", "3"]);
}

#[tokio::test]
async fn two_tokens_cannot_have_one_secret() {
    let world = world();
    let ann = world.user("ann").await;
    let new = NewToken {
        hash: [1; 32],
        user: ann,
        name: "x".into(),
        expires_at: None,
        scope: Scope::all_scripts(),
        addresses: Vec::new(),
    };
    world
        .store
        .add_token(new.clone(), at(0))
        .await
        .expect("added");
    world
        .store
        .add_token(new, at(0))
        .await
        .expect_err("the hash is taken");
    assert_eq!(
        world.store.list_tokens(None).await.expect("listed").len(),
        1
    );
}

#[tokio::test]
async fn a_token_was_exposed_when_it_was_first_seen() {
    let world = world();
    let ann = world.user("ann").await;
    let new = NewToken {
        hash: [1; 32],
        user: ann,
        name: "x".into(),
        expires_at: None,
        scope: Scope::all_scripts(),
        addresses: Vec::new(),
    };
    let id = world.store.add_token(new, at(0)).await.expect("added");
    let exposed = async || {
        let found = world.store.token([1; 32]).await.expect("read");
        found.expect("a token").0.exposed_at
    };
    assert_eq!(exposed().await, None);
    for time in [5, 9] {
        let noted = world.store.expose_token(id, at(time)).await;
        noted.expect("noted");
        assert_eq!(exposed().await, Some(at(5)));
    }
}

#[tokio::test]
async fn a_user_has_a_hundred_tokens_at_most_and_one_that_is_ended_makes_room() {
    let world = world();
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let new = |user, n: u8| NewToken {
        hash: [n; 32],
        user,
        name: format!("ci {n}"),
        // Long over: its owner still has to see that it is there.
        expires_at: Some(at(1)),
        scope: Scope::all_scripts(),
        addresses: Vec::new(),
    };
    let add = async |user, n| world.store.add_token(new(user, n), at(3)).await;
    let first = add(ann, 0).await.expect("added");
    for n in 1..100 {
        add(ann, n).await.expect("added");
    }
    let refused = add(ann, 100).await.expect_err("too many");
    assert!(matches!(refused, AddTokenError::TooMany), "{refused}");
    assert!(refused.to_string().contains("end one"), "{refused}");
    let tokens = world.store.list_tokens(Some(ann)).await.expect("read");
    assert_eq!(tokens.len(), 100);
    add(bob, 101).await.expect("another one's are not theirs");
    assert!(world.store.revoke_token(first).await.expect("revoked"));
    add(ann, 100).await.expect("there is room");
}
