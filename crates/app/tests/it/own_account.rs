//! What users do with their own account, and how long a password that was given counts.

use std::time::Duration;

use stagedoor_app::account::{ChangePasswordError, OwnSession};
use stagedoor_app::confirm::ConfirmError;
use stagedoor_app::password::Password;
use stagedoor_app::people::SignInError;
use stagedoor_app::sessions::{NewSession, SignedIn};
use stagedoor_domain::name::GroupName;

use crate::house::House;
use crate::sessions::{PASSWORD, house_of_ann, is_good, signed_in, who};

const NEW: &str = "nine quiet herons paint walls";
const TEN: Duration = Duration::from_mins(10);

async fn change(
    house: &House,
    by: SignedIn,
    old: &str,
    new: &str,
) -> Result<NewSession, ChangePasswordError> {
    let (old, new) = (
        Password::from(old.to_owned()),
        Password::from(new.to_owned()),
    );
    house
        .inside(move |app| async move { app.change_password(&by, old, new).await })
        .await
}

async fn confirm(house: &House, by: SignedIn, password: &str) -> Result<NewSession, ConfirmError> {
    let password = Password::from(password.to_owned());
    house
        .inside(move |app| async move { app.confirm(&by, password).await })
        .await
}

async fn listed(house: &House, by: SignedIn) -> Vec<OwnSession> {
    house
        .inside(move |app| async move { app.own_sessions(&by).await.expect("the store") })
        .await
}

#[tokio::test]
async fn b28_a_changed_password_ends_the_other_sessions_and_renews_this_one() {
    let house = house_of_ann().await;
    let (here, there) = (
        signed_in(&house, "ann").await,
        signed_in(&house, "ann").await,
    );
    let ann = who(&house, &here).await;
    for (old, new) in [
        ("wrong wrong wrong", NEW),
        (PASSWORD, PASSWORD),
        (PASSWORD, "short"),
    ] {
        let refused = change(&house, ann.clone(), old, new).await;
        refused.expect_err("not changed");
    }
    assert!(is_good(&house, &there).await);
    let renewed = change(&house, ann.clone(), PASSWORD, NEW)
        .await
        .expect("changed");
    assert!(is_good(&house, &renewed.cookie_value).await);
    for old in [&here, &there] {
        assert!(!is_good(&house, old).await);
    }
    let again = change(&house, ann, NEW, "four wet otters sing loudly").await;
    assert!(
        matches!(again, Err(ChangePasswordError::Over)),
        "by the session of before"
    );
    let in_again = house.inside(move |app| async move {
        let sign_in = async |password: &str| {
            let password = Password::from(password.to_owned());
            app.sign_in("ann", password, [192, 0, 2, 7].into()).await
        };
        (sign_in(PASSWORD).await.is_ok(), sign_in(NEW).await.is_ok())
    });
    assert_eq!(in_again.await, (false, true));
}

#[tokio::test]
async fn w75_a_password_counts_for_ten_minutes_and_gives_the_session_another_secret() {
    let house = house_of_ann().await;
    let cookie = signed_in(&house, "ann").await;
    assert!(
        who(&house, &cookie).await.is_confirmed,
        "who has just signed in"
    );
    house.clock.pass(TEN);
    let stale = who(&house, &cookie).await;
    assert!(!stale.is_confirmed);
    let wrong = confirm(&house, stale.clone(), "wrong wrong wrong").await;
    assert!(matches!(
        wrong,
        Err(ConfirmError::NotProved(SignInError::Refused))
    ));
    assert!(!who(&house, &cookie).await.is_confirmed);
    let renewed = confirm(&house, stale, PASSWORD).await.expect("confirmed");
    assert!(!is_good(&house, &cookie).await, "the old cookie");
    let cookie = renewed.cookie_value;
    house.clock.pass(TEN - Duration::from_millis(1));
    assert!(who(&house, &cookie).await.is_confirmed);
    house.clock.pass(Duration::from_millis(1));
    assert!(!who(&house, &cookie).await.is_confirmed);
    // It does not make the session younger.
    house.clock.pass(Duration::from_mins(29));
    assert!(is_good(&house, &cookie).await);
    house.clock.pass(Duration::from_mins(11));
    assert!(!is_good(&house, &cookie).await, "an hour after it began");
}

#[tokio::test]
async fn w75_a_clock_that_is_set_back_asks_for_the_password_again() {
    let house = house_of_ann().await;
    let cookie = signed_in(&house, "ann").await;
    house.clock.jump(-60_000);
    let early = who(&house, &cookie).await;
    assert!(!early.is_confirmed, "it was given in the future");
    house.clock.jump(60_000);
    assert!(who(&house, &cookie).await.is_confirmed);
}

#[tokio::test]
async fn w21_wrong_passwords_of_somebody_signed_in_count_as_those_of_signing_in() {
    let house = house_of_ann().await;
    let cookie = signed_in(&house, "ann").await;
    let ann = who(&house, &cookie).await;
    for _ in 0..5 {
        let wrong = confirm(&house, ann.clone(), "wrong wrong wrong").await;
        assert!(matches!(
            wrong,
            Err(ConfirmError::NotProved(SignInError::Refused))
        ));
    }
    let blocked = confirm(&house, ann.clone(), PASSWORD).await;
    assert!(matches!(
        blocked,
        Err(ConfirmError::NotProved(SignInError::Blocked(_)))
    ));
    house.clock.pass(Duration::from_mins(16));
    confirm(&house, ann, PASSWORD)
        .await
        .expect("after the block");
}

#[tokio::test]
async fn one_s_own_sessions_are_listed_and_ended_and_nobody_else_s() {
    let house = house_of_ann().await;
    house.person("bob", PASSWORD).await;
    let (here, there) = (
        signed_in(&house, "ann").await,
        signed_in(&house, "ann").await,
    );
    let bobs = signed_in(&house, "bob").await;
    let (ann, bob) = (who(&house, &here).await, who(&house, &bobs).await);
    let list = listed(&house, ann.clone()).await;
    let this: Vec<bool> = list.iter().map(|session| session.is_this).collect();
    assert_eq!(this, [true, false]);
    assert!(list.iter().all(|session| session.address == "192.0.2.7"));
    let of_bob = listed(&house, bob).await.remove(0).id;
    let (other, by) = (list[1].id.clone(), ann.clone());
    let ended = house.inside(move |app| async move {
        let end = async |id: &str| app.end_own_session(&by, id).await.expect("the store");
        [
            end(&of_bob).await,
            end("").await,
            end(&other).await,
            end(&other).await,
        ]
    });
    assert_eq!(ended.await, [false, false, true, false]);
    assert!(!is_good(&house, &there).await);
    assert!(is_good(&house, &bobs).await);
    let fresh = signed_in(&house, "ann").await;
    let by = ann.clone();
    let all = house.inside(move |app| async move { app.sign_out_everywhere(&by).await });
    all.await.expect("the store");
    for cookie in [&here, &fresh] {
        assert!(!is_good(&house, cookie).await);
    }
    assert!(is_good(&house, &bobs).await);
}

#[tokio::test]
async fn b28_who_joins_or_leaves_a_group_signs_in_again() {
    let house = house_of_ann().await;
    house.person("bob", PASSWORD).await;
    let bobs = signed_in(&house, "bob").await;
    let ops = GroupName::parse("ops").expect("a name");
    for joins in [true, false] {
        let cookie = signed_in(&house, "ann").await;
        let ann = who(&house, &cookie).await.user.id;
        let changed = if joins {
            house.store().join_group(ann, ops.clone()).await
        } else {
            house.store().leave_group(ann, ops.clone()).await
        };
        assert!(changed.expect("the store"));
        assert!(!is_good(&house, &cookie).await, "{joins}");
    }
    let cookie = signed_in(&house, "ann").await;
    let ann = who(&house, &cookie).await.user.id;
    let none = house.store().leave_group(ann, ops).await;
    assert!(!none.expect("the store"), "she is in it no more");
    assert!(is_good(&house, &cookie).await && is_good(&house, &bobs).await);
}

#[tokio::test]
async fn b35_a_cookie_that_was_not_signed_here_is_nobody_s() {
    let house = house_of_ann().await;
    let good = signed_in(&house, "ann").await;
    let value = good.split('.').nth(1).expect("what is signed").to_owned();
    let pre_session = house.inside(|app| async move { app.pre_session().0 }).await;
    for forged in [value, format!("{good}0"), pre_session] {
        assert!(!is_good(&house, &forged).await, "{forged}");
    }
    assert!(is_good(&house, &good).await);
}
