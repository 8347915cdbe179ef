//! Tokens of programs.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use stagedoor_app::session_key::{new_api_token, token_hash};
use stagedoor_domain::access::{Actions, Scope, User, may_run};
use stagedoor_domain::name::{GroupName, ScriptName};
use stagedoor_domain::pattern::parse_patterns;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{NewToken, TokenId};

use crate::house::House;

/// From where tokens are sent.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn token(house: &House, user: &User, expires_at: Option<Timestamp>) -> (String, TokenId) {
    scoped(house, user, expires_at, Scope::all_scripts(), &[]).await
}

async fn scoped(
    house: &House,
    user: &User,
    expires_at: Option<Timestamp>,
    scope: Scope,
    from: &[&str],
) -> (String, TokenId) {
    let token = new_api_token(&*house.chance);
    let new = NewToken {
        hash: token_hash(&token),
        user: user.id,
        name: "ci".to_owned(),
        expires_at,
        scope,
        addresses: from
            .iter()
            .map(|text| text.parse().expect("a network"))
            .collect(),
    };
    let id = house
        .store()
        .add_token(new, house.now())
        .await
        .expect("a token");
    (token, id)
}

async fn owner(house: &House, token: &str) -> Option<String> {
    let token = token.to_owned();
    house
        .inside(move |app| async move {
            let user = app.bearer(&token, HERE).await.expect("the store");
            user.map(|found| found.user.name.to_string())
        })
        .await
}

#[tokio::test]
async fn a_token_is_of_its_owner_and_nothing_else_is_a_token() {
    let house = House::with(&[]).await;
    let (ann, bob) = (
        house.user("ann", &[]).await.user,
        house.user("bob", &[]).await.user,
    );
    let (anns, _) = token(&house, &ann, None).await;
    let (bobs, _) = token(&house, &bob, None).await;
    assert_eq!(owner(&house, &anns).await.as_deref(), Some("ann"));
    assert_eq!(owner(&house, &bobs).await.as_deref(), Some("bob"));
    for bad in [
        "",
        "sd_",
        &anns[..anns.len() - 1],
        &anns.to_uppercase(),
        &format!("{anns} "),
    ] {
        assert_eq!(owner(&house, bad).await, None, "{bad:?}");
    }
}

#[tokio::test]
async fn a_token_is_good_until_it_expires() {
    let house = House::with(&[]).await;
    let ann = house.user("ann", &[]).await.user;
    let end = house.now().plus(Duration::from_hours(1));
    let (short, _) = token(&house, &ann, Some(end)).await;
    let (endless, _) = token(&house, &ann, None).await;
    house
        .clock
        .pass(Duration::from_hours(1) - Duration::from_millis(1));
    assert!(owner(&house, &short).await.is_some());
    house.clock.pass(Duration::from_millis(1));
    assert!(owner(&house, &short).await.is_none());
    assert!(owner(&house, &endless).await.is_some());
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing() {
    let house = House::with(&[]).await;
    let ann = house.user("ann", &[]).await.user;
    let (revoked, id) = token(&house, &ann, None).await;
    let (kept, _) = token(&house, &ann, None).await;
    assert!(owner(&house, &revoked).await.is_some());
    assert!(house.store().revoke_token(id).await.expect("the store"));
    assert!(owner(&house, &revoked).await.is_none());
    assert!(owner(&house, &kept).await.is_some());
}

#[tokio::test]
async fn the_token_of_a_disabled_owner_is_worth_nothing_while_they_are_disabled() {
    let house = House::with(&[]).await;
    let (ann, bob) = (
        house.user("ann", &[]).await.user,
        house.user("bob", &[]).await.user,
    );
    let (anns, _) = token(&house, &ann, None).await;
    let (bobs, _) = token(&house, &bob, None).await;
    house
        .store()
        .set_disabled(bob.id, true)
        .await
        .expect("the store");
    assert!(owner(&house, &bobs).await.is_none());
    assert!(owner(&house, &anns).await.is_some());
    house
        .store()
        .set_disabled(bob.id, false)
        .await
        .expect("the store");
    assert!(owner(&house, &bobs).await.is_some());
}

#[tokio::test]
async fn the_last_use_of_a_token_is_noted_once_a_minute() {
    let house = House::with(&[]).await;
    let ann = house.user("ann", &[]).await.user;
    let (used, _) = token(&house, &ann, None).await;
    let last_used = async || {
        let tokens = house
            .store()
            .list_tokens(Some(ann.id))
            .await
            .expect("the store");
        tokens[0].last_used
    };
    assert_eq!(last_used().await, None);
    let first = house.now();
    owner(&house, &used).await;
    house.clock.pass(Duration::from_secs(59));
    owner(&house, &used).await;
    assert_eq!(last_used().await, Some(first));
    house.clock.pass(Duration::from_secs(1));
    owner(&house, &used).await;
    assert_eq!(last_used().await, Some(house.now()));
    let tokens = house.store().list_tokens(None).await.expect("the store");
    assert_eq!(tokens[0].last_address.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_token_is_good_from_its_networks_only() {
    let house = House::with(&[]).await;
    let ann = house.user("ann", &[]).await.user;
    let scope = Scope::all_scripts();
    let from = &["10.0.0.0/8", "2001:db8::/32"];
    let (bound, _) = scoped(&house, &ann, None, scope, from).await;
    let (free, _) = token(&house, &ann, None).await;
    for (address, is_good) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("11.0.0.1", false),
        ("::ffff:11.0.0.1", false),
        ("2001:db8:1::2", true),
        ("2001:db9::1", false),
        ("127.0.0.1", false),
        ("::1", false),
    ] {
        for (token, is_good) in [(&bound, is_good), (&free, true)] {
            let (token, address) = (token.clone(), address.parse().expect("an address"));
            let found = house
                .inside(move |app| async move { app.bearer(&token, address).await })
                .await;
            assert_eq!(found.expect("the store").is_some(), is_good, "{address}");
        }
    }
}

#[tokio::test]
async fn a_token_may_what_its_owner_may_now_and_its_scope_says_and_no_more() {
    const OWN: (&str, &str) = (
        "x.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"], stop = [\"ops\"] }\n# ///\n",
    );
    const OTHER: (&str, &str) = (
        "a.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\n",
    );
    let house = House::with(&[OWN, OTHER]).await;
    let ann = house.user("ann", &["ops", "admins"]).await.user;
    house.user("root", &["admins"]).await;
    let scope = Scope {
        actions: Actions::parse("run").expect("actions"),
        scripts: parse_patterns("x").expect("patterns"),
    };
    let (narrow, _) = scoped(&house, &ann, None, scope, &[]).await;
    let may = async |token: &str| {
        let token = token.to_owned();
        let asked = house.inside(move |app| async move {
            let user = app
                .bearer(&token, HERE)
                .await
                .expect("the store")
                .expect("good")
                .user;
            let catalog = app.catalog().await;
            let runs = |name: &str| {
                let name = ScriptName::parse(name).expect("a name");
                may_run(&user, catalog.get(&name).expect("there"), &app.grants()).is_ok()
            };
            [runs("x"), runs("a"), app.administers(&user).is_ok()]
        });
        asked.await
    };
    assert_eq!(may(&narrow).await, [true, false, false], "an admin's token");
    let set = |groups: &[&str]| {
        let groups = groups
            .iter()
            .map(|name| GroupName::parse(name).expect("a group"));
        house.store().set_groups(ann.id, groups.collect())
    };
    set(&["ops"]).await.expect("set");
    assert_eq!(
        may(&narrow).await,
        [true, false, false],
        "as long as the owner may"
    );
    set(&[]).await.expect("set");
    assert_eq!(may(&narrow).await, [false; 3], "no more than the owner");
    let (whole, _) = token(&house, &ann, None).await;
    set(&["admins"]).await.expect("set");
    assert_eq!(
        may(&whole).await,
        [true, true, false],
        "administration is asked for by name"
    );
}

#[tokio::test]
async fn f12_an_exposed_token_is_noted_and_another_is_not() {
    let house = House::with(&[]).await;
    let ann = house.user("ann", &[]).await.user;
    let (sent, id) = token(&house, &ann, None).await;
    let (_, kept) = token(&house, &ann, None).await;
    for text in ["sd_nobody's", "", &sent] {
        let text = text.to_owned();
        house
            .inside(move |app| async move { app.expose_token(&text).await })
            .await;
    }
    let exposed = async || {
        let all = house.store().list_tokens(None).await.expect("listed");
        let exposed = all.iter().filter(|token| token.exposed_at.is_some());
        exposed.map(|token| token.id).collect::<Vec<_>>()
    };
    for _ in 0..500 {
        if !exposed().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(exposed().await, [id]);
    assert_ne!(id, kept);
}
