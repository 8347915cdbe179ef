//! Sessions: whose they are, and how they end.

use std::net::IpAddr;
use std::time::Duration;

use stagedoor_app::csrf::Spent;
use stagedoor_app::password::Password;
use stagedoor_app::sessions::SignedIn;

use crate::house::House;

pub const PASSWORD: &str = "violet tractor ninety owls";
const HERE: &str = "192.0.2.7";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A cookie's value of somebody who signed in from here.
pub async fn signed_in(house: &House, name: &'static str) -> String {
    signed_in_from(house, name, HERE).await
}

async fn signed_in_from(house: &House, name: &'static str, from: &'static str) -> String {
    house
        .inside(move |app| async move {
            let password = Password::from(PASSWORD.to_owned());
            app.sign_in(name, password, address(from).into())
                .await
                .expect("signed in")
                .cookie_value
        })
        .await
}

/// The name of whose session it is, if it is good.
async fn whose(house: &House, cookie: &str, from: &'static str) -> Option<String> {
    let cookie = cookie.to_owned();
    house
        .inside(move |app| async move {
            let session = app
                .session(&cookie, address(from))
                .await
                .expect("the store");
            session.map(|session| session.user.name.to_string())
        })
        .await
}

pub async fn who(house: &House, cookie: &str) -> SignedIn {
    let cookie = cookie.to_owned();
    house
        .inside(move |app| async move {
            let found = app.session(&cookie, address(HERE)).await;
            found.expect("the store").expect("a session")
        })
        .await
}

pub async fn is_good(house: &House, cookie: &str) -> bool {
    whose(house, cookie, HERE).await.is_some()
}

pub async fn house_of_ann() -> House {
    let house = House::with(&[]).await;
    house.person("ann", PASSWORD).await;
    house
}

#[tokio::test]
async fn a_session_is_of_who_signed_in() {
    let house = house_of_ann().await;
    house.person("bob", PASSWORD).await;
    let (ann, bob) = (
        signed_in(&house, "ann").await,
        signed_in(&house, "bob").await,
    );
    assert_eq!(whose(&house, &ann, HERE).await.as_deref(), Some("ann"));
    assert_eq!(whose(&house, &bob, HERE).await.as_deref(), Some("bob"));
    let (_, token) = ann.split_once(':').expect("two parts");
    let (bobs_id, _) = bob.split_once(':').expect("two parts");
    assert_eq!(
        whose(&house, &format!("{bobs_id}:{token}"), HERE).await,
        None
    );
    assert_eq!(whose(&house, "", HERE).await, None);
}

#[tokio::test]
async fn w74_a_session_that_comes_from_another_address_is_over_for_good() {
    let house = house_of_ann().await;
    let cookie = signed_in(&house, "ann").await;
    let other = signed_in(&house, "ann").await;
    assert_eq!(whose(&house, &cookie, "192.0.2.8").await, None);
    assert!(
        !is_good(&house, &cookie).await,
        "not even from where it began"
    );
    assert!(
        is_good(&house, &other).await,
        "another session of the same user goes on"
    );
}

#[tokio::test]
async fn w74_an_ipv6_session_may_move_inside_its_network_only() {
    let house = house_of_ann().await;
    let cookie = signed_in_from(&house, "ann", "2001:db8::1").await;
    assert!(whose(&house, &cookie, "2001:db8::ffff:2").await.is_some());
    assert!(whose(&house, &cookie, "2001:db8:0:1::1").await.is_none());
    assert!(whose(&house, &cookie, "2001:db8::1").await.is_none());
}

#[tokio::test]
async fn w75_a_session_ends_an_hour_after_it_began_however_busy_it_is() {
    let house = house_of_ann().await;
    let cookie = signed_in(&house, "ann").await;
    for _ in 0..3 {
        house.clock.pass(Duration::from_mins(19));
        assert!(is_good(&house, &cookie).await);
    }
    house
        .clock
        .pass(Duration::from_mins(3) - Duration::from_millis(1));
    assert!(
        is_good(&house, &cookie).await,
        "one millisecond before the hour"
    );
    house.clock.pass(Duration::from_millis(1));
    assert!(!is_good(&house, &cookie).await, "at the hour");
}

#[tokio::test]
async fn w75_a_session_ends_after_half_an_hour_without_a_request() {
    let house = house_of_ann().await;
    let (quiet, busy) = (
        signed_in(&house, "ann").await,
        signed_in(&house, "ann").await,
    );
    house
        .clock
        .pass(Duration::from_mins(30) - Duration::from_millis(1));
    assert!(
        is_good(&house, &busy).await,
        "one millisecond before the half hour"
    );
    house.clock.pass(Duration::from_millis(1));
    assert!(!is_good(&house, &quiet).await, "at the half hour");
    house.clock.pass(Duration::from_mins(29));
    assert!(
        is_good(&house, &busy).await,
        "a request begins another half hour"
    );
}

const MINUTE: i64 = 60_000;

/// How long a session has lasted cannot be told by a clock that was wrong when it began.
#[tokio::test]
async fn w75_a_clock_that_is_set_back_by_hours_ends_sessions_and_does_not_lengthen_them() {
    let house = house_of_ann().await;
    for (jump, goes_on, and_back) in [
        (0, true, true),
        (-MINUTE, true, true),
        (4 * MINUTE, true, true),
        (20 * MINUTE, true, false),
        (-6 * MINUTE, false, false),
        (-3 * 60 * MINUTE, false, false),
        (3 * 60 * MINUTE, false, false),
        (-20 * 365 * 24 * 60 * MINUTE, false, false),
        (20 * 365 * 24 * 60 * MINUTE, false, false),
    ] {
        let cookie = signed_in(&house, "ann").await;
        house.clock.jump(jump);
        assert_eq!(is_good(&house, &cookie).await, goes_on, "{jump}");
        house.clock.jump(-jump);
        assert_eq!(is_good(&house, &cookie).await, and_back, "and back: {jump}");
    }
}

/// Set back by a little, it is no reason to turn somebody away, who gets no more than that.
#[tokio::test]
async fn w75_a_clock_that_is_set_back_by_a_little_lengthens_a_session_by_no_more() {
    let house = house_of_ann().await;
    let cookie = signed_in(&house, "ann").await;
    house.clock.jump(-4 * MINUTE);
    house.clock.pass(Duration::from_mins(33));
    assert!(is_good(&house, &cookie).await);
    house.clock.pass(Duration::from_mins(30));
    assert!(!is_good(&house, &cookie).await);
}

#[tokio::test]
async fn a_disabled_user_has_no_session_any_more() {
    let house = house_of_ann().await;
    let bob = house.person("bob", PASSWORD).await;
    let (ann, bobs) = (
        signed_in(&house, "ann").await,
        signed_in(&house, "bob").await,
    );
    house
        .store()
        .set_disabled(bob.id, true)
        .await
        .expect("the store");
    assert!(!is_good(&house, &bobs).await);
    assert!(is_good(&house, &ann).await);
    house
        .store()
        .set_disabled(bob.id, false)
        .await
        .expect("the store");
    assert!(
        !is_good(&house, &bobs).await,
        "a session that is over stays over"
    );
    let again = signed_in(&house, "bob").await;
    assert!(is_good(&house, &again).await);
}

#[tokio::test]
async fn signing_out_ends_this_session_and_its_tokens_and_no_other() {
    let house = house_of_ann().await;
    let (gone, kept) = (
        signed_in(&house, "ann").await,
        signed_in(&house, "ann").await,
    );
    let both = [who(&house, &gone).await, who(&house, &kept).await];
    let keys = [both[0].session, both[1].session];
    let spent = house
        .inside(move |app| async move {
            let tokens = keys.map(|key| app.csrf().mint(&key));
            app.sign_out(&both[0]).await.expect("the store");
            [0, 1].map(|which| app.csrf().spend(&keys[which], &tokens[which]))
        })
        .await;
    assert_eq!(spent[0], Spent::Unknown);
    assert!(matches!(spent[1], Spent::Fresh(_)));
    assert!(!is_good(&house, &gone).await);
    assert!(is_good(&house, &kept).await);
}

#[tokio::test]
async fn a_session_survives_a_restart_of_the_server() {
    let mut house = house_of_ann().await;
    let cookie = signed_in(&house, "ann").await;
    house.crash();
    house.serve().await;
    assert!(is_good(&house, &cookie).await);
}
