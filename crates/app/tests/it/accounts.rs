//! The setup link, and signing in.

use std::time::Duration;

use stagedoor_app::password::{Password, Weak};
use stagedoor_app::people::{SetUpError, SignInError};
use stagedoor_app::session_key::setup_hash;
use stagedoor_app::sessions::NewSession;

use crate::house::House;
use crate::sessions::PASSWORD;

const KEY: &str = "the-key-of-the-link";

async fn sign_in(house: &House, name: &str, password: &str) -> Result<NewSession, SignInError> {
    let (name, password) = (name.to_owned(), Password::from(password.to_owned()));
    house
        .inside(move |app| async move { app.sign_in(&name, password, [127, 0, 0, 1].into()).await })
        .await
}

async fn set_up(
    house: &House,
    key: &'static str,
    name: &'static str,
    password: &str,
) -> Result<NewSession, SetUpError> {
    let password = Password::from(password.to_owned());
    house
        .inside(
            move |app| async move { app.set_up(key, name, password, [127, 0, 0, 1].into()).await },
        )
        .await
}

/// A house without an account, with a link that is good for a day.
async fn new_house() -> House {
    let house = House::with(&[]).await;
    let expires = house.now().plus(Duration::from_hours(24));
    house
        .store()
        .put_setup(setup_hash(KEY), expires)
        .await
        .expect("the store");
    house
}

async fn is_open(house: &House) -> bool {
    house
        .inside(|app| async move { app.setup_is_open().await.expect("the store") })
        .await
}

#[tokio::test]
async fn only_the_right_password_of_an_enabled_user_signs_in() {
    let house = House::with(&[]).await;
    house.person("ann", PASSWORD).await;
    let bob = house.person("bob", PASSWORD).await;
    house
        .store()
        .set_disabled(bob.id, true)
        .await
        .expect("the store");
    let good = sign_in(&house, "ann", PASSWORD).await.expect("signed in");
    assert_eq!(good.user.name.as_str(), "ann");
    let long = "x".repeat(300);
    for (name, password) in [
        ("ann", "violet tractor ninety owl"),
        ("ann", ""),
        ("ann", &long),
        ("bob", PASSWORD),
        ("nobody", PASSWORD),
        ("nobody", "nobody has this password"),
        ("no such/name", PASSWORD),
        ("", PASSWORD),
    ] {
        let refused = sign_in(&house, name, password).await.expect_err("refused");
        assert!(matches!(refused, SignInError::Refused), "{name}: {refused}");
    }
    house
        .store()
        .set_disabled(bob.id, false)
        .await
        .expect("the store");
    assert!(sign_in(&house, "bob", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn the_link_makes_one_administrator_and_then_nobody() {
    let house = new_house().await;
    assert!(is_open(&house).await);
    let made = set_up(&house, KEY, " ann ", PASSWORD)
        .await
        .expect("an account");
    assert_eq!(made.user.name.as_str(), "ann");
    assert!(made.user.is_in_admins());
    let kept = house.user("ann", &[]).await.user;
    assert_eq!(kept, made.user);
    assert!(!is_open(&house).await);
    let again = set_up(&house, KEY, "bob", PASSWORD)
        .await
        .expect_err("used");
    assert!(matches!(again, SetUpError::UnknownLink), "{again}");
    assert_eq!(house.store().count_users().await.expect("the store"), 1);
    assert!(sign_in(&house, "ann", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn the_link_is_still_good_after_a_weak_password_a_bad_name_or_a_wrong_key() {
    let house = new_house().await;
    let short = set_up(&house, KEY, "ann", "short").await.expect_err("weak");
    assert!(
        matches!(short, SetUpError::WeakPassword(Weak::Short)),
        "{short}"
    );
    let plain = set_up(&house, KEY, "ann", "password12345")
        .await
        .expect_err("weak");
    assert!(
        matches!(plain, SetUpError::WeakPassword(Weak::Guessable(_))),
        "{plain}"
    );
    let name = set_up(&house, KEY, "no name", PASSWORD)
        .await
        .expect_err("no name");
    assert!(matches!(name, SetUpError::BadName(_)), "{name}");
    let key = set_up(&house, "another-key", "ann", PASSWORD)
        .await
        .expect_err("no such link");
    assert!(matches!(key, SetUpError::UnknownLink), "{key}");
    // Who has no link is not told about passwords, and costs no work.
    let both = set_up(&house, "another-key", "ann", "short")
        .await
        .expect_err("no such link");
    assert!(matches!(both, SetUpError::UnknownLink), "{both}");
    assert_eq!(house.store().count_users().await.expect("the store"), 0);
    assert!(set_up(&house, KEY, "ann", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn the_link_expires_and_says_so() {
    let house = new_house().await;
    house.clock.pass(Duration::from_hours(24));
    assert!(!is_open(&house).await);
    let late = set_up(&house, KEY, "ann", PASSWORD)
        .await
        .expect_err("too late");
    assert!(matches!(late, SetUpError::Expired), "{late}");
    assert_eq!(house.store().count_users().await.expect("the store"), 0);
}

#[tokio::test]
async fn the_link_is_good_until_it_expires() {
    let house = new_house().await;
    house
        .clock
        .pass(Duration::from_hours(24) - Duration::from_millis(1));
    assert!(set_up(&house, KEY, "ann", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_link_is_good_until_there_is_an_administrator_however_one_was_made() {
    let house = new_house().await;
    house.person("ann", PASSWORD).await;
    let taken = set_up(&house, KEY, "ann", PASSWORD)
        .await
        .expect_err("taken");
    assert!(matches!(taken, SetUpError::NameTaken), "{taken}");
    assert!(is_open(&house).await);
    house.user("root", &["admins"]).await;
    assert!(!is_open(&house).await);
    let refused = set_up(&house, KEY, "bob", PASSWORD)
        .await
        .expect_err("too late");
    assert!(matches!(refused, SetUpError::UnknownLink), "{refused}");
}

#[tokio::test]
async fn a_link_that_is_used_twice_at_once_makes_one_account() {
    let house = new_house().await;
    let (one, two) = tokio::join!(
        set_up(&house, KEY, "ann", PASSWORD),
        set_up(&house, KEY, "bob", PASSWORD)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    assert_eq!(house.store().count_users().await.expect("the store"), 1);
}

#[tokio::test]
async fn a_password_of_256_characters_signs_in_and_a_longer_one_is_not_even_hashed() {
    let house = House::with(&[]).await;
    let longest = "ä9".repeat(128);
    house.person("ann", &longest).await;
    assert!(sign_in(&house, "ann", &longest).await.is_ok());
    let longer = format!("{longest}x");
    house.person("bob", &longer).await;
    let refused = sign_in(&house, "bob", &longer).await.expect_err("too long");
    assert!(matches!(refused, SignInError::Refused), "{refused}");
}

#[tokio::test]
async fn a_password_of_any_characters_is_taken_exactly_as_it_is_and_does_not_expire() {
    let house = House::with(&[]).await;
    for (name, password) in [
        ("ann", " spaces around and within "),
        ("bob", "onlysmallletterswithoutend"),
        ("eve", "пароль из слов и 🦦\t"),
    ] {
        house.person(name, password).await;
        assert!(sign_in(&house, name, password).await.is_ok(), "{name}");
        for other in [
            password.trim(),
            &password.to_uppercase(),
            &password[..password.len() - 1],
        ] {
            let exact = sign_in(&house, name, other).await.is_ok();
            assert_eq!(exact, other == password, "{other:?}");
        }
    }
    house.clock.pass(Duration::from_hours(24 * 365 * 3));
    let later = sign_in(&house, "ann", " spaces around and within ").await;
    assert!(later.is_ok());
}
