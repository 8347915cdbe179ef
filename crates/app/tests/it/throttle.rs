//! Row W21: how often somebody may be wrong, at each door.

use std::net::IpAddr;
use std::time::Duration;

use stagedoor_app::password::Password;
use stagedoor_app::people::SignInError;
use stagedoor_app::session_key::{new_api_token, token_hash};
use stagedoor_app::throttle::BearerError;
use stagedoor_domain::access::{Scope, User};
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::name::UserName;
use stagedoor_store::{AuditFilter, AuditRecord, FailureKind, NewToken};

use crate::house::House;
use crate::sessions::PASSWORD;

const OFFICE: &str = "192.0.2.7";
const STRANGER: &str = "198.51.100.9";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    In,
    Refused,
    Wait(Duration),
}

impl Said {
    fn of<T>(result: Result<T, SignInError>) -> Self {
        match result {
            Ok(_) => Self::In,
            Err(SignInError::Refused) => Self::Refused,
            Err(SignInError::Blocked(blocked)) => Self::Wait(blocked.wait),
            Err(other) => panic!("{other}"),
        }
    }
}

async fn sign_in(house: &House, name: &str, password: &str, from: &str) -> Said {
    let (name, password) = (name.to_owned(), Password::from(password.to_owned()));
    let from = address(from);
    let tried =
        house.inside(move |app| async move { app.sign_in(&name, password, from.into()).await });
    Said::of(tried.await)
}

/// As many as asked for; the last answer.
async fn guess(house: &House, name: &str, from: &str, tries: u32) -> Said {
    let mut last = Said::In;
    for _ in 0..tries {
        last = sign_in(house, name, "not her password", from).await;
    }
    last
}

async fn house_of_ann() -> (House, User) {
    let house = House::with(&[]).await;
    let ann = house.person("ann", PASSWORD).await;
    (house, ann)
}

const QUARTER: Duration = Duration::from_mins(15);

#[tokio::test]
async fn w21_after_fifty_wrong_passwords_the_right_one_is_refused_there_and_not_where_its_owner_is()
{
    let (mut house, _) = house_of_ann().await;
    assert_eq!(sign_in(&house, "ann", PASSWORD, OFFICE).await, Said::In);
    assert_eq!(guess(&house, "ann", STRANGER, 5).await, Said::Refused);
    assert_eq!(
        guess(&house, "ann", STRANGER, 45).await,
        Said::Wait(QUARTER)
    );
    for _ in 0..2 {
        let there = sign_in(&house, "ann", PASSWORD, STRANGER).await;
        assert_eq!(there, Said::Wait(QUARTER));
        assert_eq!(sign_in(&house, "ann", PASSWORD, OFFICE).await, Said::In);
        house.crash();
        house.serve().await;
    }
    house.clock.pass(QUARTER);
    assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
}

#[tokio::test]
async fn w21_unknown_disabled_and_known_names_are_counted_and_answered_alike() {
    let (house, _) = house_of_ann().await;
    let bob = house.person("bob", PASSWORD).await;
    let disabled = house.store().set_disabled(bob.id, true);
    disabled.await.expect("the store");
    let mut stories = Vec::new();
    for (name, from) in [
        ("ann", "192.0.2.1"),
        ("bob", "192.0.2.2"),
        ("eve", "192.0.2.3"),
    ] {
        let mut story = Vec::new();
        for _ in 0..7 {
            story.push(sign_in(&house, name, "a guess of a password", from).await);
        }
        story.push(sign_in(&house, name, PASSWORD, from).await);
        stories.push(story);
    }
    assert_eq!(stories[0], stories[1]);
    assert_eq!(stories[0], stories[2]);
    assert_eq!(stories[0][4..6], [Said::Refused, Said::Wait(QUARTER)]);
}

#[tokio::test]
async fn w21_another_spelling_of_a_name_is_no_further_try() {
    let (house, _) = house_of_ann().await;
    assert_eq!(sign_in(&house, " Ann\t", PASSWORD, OFFICE).await, Said::In);
    for name in ["ann", "ANN", " ann", "Ann ", "a\u{a0}nn"] {
        assert_eq!(guess(&house, name, STRANGER, 1).await, Said::Refused);
    }
    for name in ["aNN", "ann", "ann\u{200}"] {
        let said = sign_in(&house, name, PASSWORD, STRANGER).await;
        let is_ann = name.is_ascii();
        assert_eq!(said == Said::Wait(QUARTER), is_ann, "{name:?}: {said:?}");
        assert_ne!(said, Said::In);
    }
}

#[tokio::test]
async fn w21_ipv6_neighbours_are_one_address_and_another_network_is_another() {
    let (house, _) = house_of_ann().await;
    for n in 1..=5 {
        let from = format!("2001:db8:0:1::{n}");
        assert_eq!(guess(&house, "ann", &from, 1).await, Said::Refused);
    }
    let near = sign_in(&house, "ann", PASSWORD, "2001:db8:0:1:ffff::1").await;
    assert_eq!(near, Said::Wait(QUARTER));
    let mapped = guess(&house, "ann", "::ffff:192.0.2.1", 5).await;
    assert_eq!(mapped, Said::Refused);
    let plain = sign_in(&house, "ann", PASSWORD, "192.0.2.1").await;
    assert_eq!(plain, Said::Wait(QUARTER));
    let far = sign_in(&house, "ann", PASSWORD, "2001:db8:0:2::1").await;
    assert_eq!(far, Said::In);
}

#[tokio::test]
async fn w21_a_clock_that_jumps_neither_unblocks_early_nor_blocks_for_ever() {
    let (house, _) = house_of_ann().await;
    guess(&house, "ann", STRANGER, 5).await;
    let day = 24 * 3_600_000;
    for jump in [day, -2 * day, day] {
        house.clock.jump(jump);
        let said = sign_in(&house, "ann", PASSWORD, STRANGER).await;
        assert_eq!(said, Said::Wait(QUARTER), "{jump}");
    }
    house.clock.jump(-30 * day);
    house.clock.pass(QUARTER);
    assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
}

#[tokio::test]
async fn w21_a_clock_that_was_put_back_over_a_restart_blocks_no_longer_than_a_block_lasts() {
    let (mut house, _) = house_of_ann().await;
    guess(&house, "ann", STRANGER, 5).await;
    house.crash();
    house.clock.jump(-400 * 24 * 3_600_000);
    house.serve().await;
    let said = sign_in(&house, "ann", PASSWORD, STRANGER).await;
    assert_eq!(said, Said::Wait(QUARTER));
    house.clock.pass(QUARTER);
    assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
}

#[tokio::test]
async fn w21_who_tries_many_passwords_at_once_has_no_more_tries() {
    let (house, _) = house_of_ann().await;
    let from = address(STRANGER);
    let tried = house.inside(move |app| async move {
        let mut tries = tokio::task::JoinSet::new();
        for n in 0..30 {
            let (app, password) = (app.clone(), Password::from(format!("guess number {n}")));
            tries.spawn(async move { app.sign_in("ann", password, from.into()).await.map(|_| ()) });
        }
        tries.join_all().await
    });
    let looked_at = tried.await.into_iter().map(Said::of);
    assert_eq!(looked_at.filter(|said| *said == Said::Refused).count(), 5);
    assert_eq!(
        sign_in(&house, "ann", PASSWORD, STRANGER).await,
        Said::Wait(QUARTER)
    );
}

#[tokio::test]
async fn w21_who_goes_away_before_the_answer_has_tried_all_the_same() {
    let (house, _) = house_of_ann().await;
    for _ in 0..5 {
        house
            .inside(|app| async move {
                let from = address(STRANGER);
                let guess = Password::from("not her password".to_owned());
                let tried = app.sign_in("ann", guess, from.into());
                // It hashes, which takes longer than this.
                let gone = tokio::time::timeout(Duration::from_millis(1), tried).await;
                assert!(gone.is_err(), "it was answered: {:?}", gone.map(|_| ()));
            })
            .await;
    }
    for _ in 0..100 {
        let blocked = house.inside(|app| async move { app.count_blocked().await });
        if blocked.await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let there = sign_in(&house, "ann", PASSWORD, STRANGER).await;
    assert_eq!(there, Said::Wait(QUARTER));
}

#[tokio::test]
async fn w21_asking_for_the_password_once_more_counts_like_signing_in() {
    let (house, ann) = house_of_ann().await;
    let confirm = async |password: &str| {
        let (ann, password) = (ann.clone(), Password::from(password.to_owned()));
        let asked = house.inside(move |app| async move {
            app.confirm_password(&ann, password, address(OFFICE)).await
        });
        Said::of(asked.await)
    };
    assert_eq!(confirm(PASSWORD).await, Said::In);
    for _ in 0..5 {
        assert_eq!(confirm("not her password").await, Said::Refused);
    }
    assert_eq!(confirm(PASSWORD).await, Said::Wait(QUARTER));
    let there = sign_in(&house, "ann", PASSWORD, OFFICE).await;
    assert_eq!(there, Said::Wait(QUARTER));
    assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
}

async fn token(house: &House, user: &User) -> String {
    let token = new_api_token(&*house.chance);
    let new = NewToken {
        hash: token_hash(&token),
        user: user.id,
        name: "ci".to_owned(),
        expires_at: None,
        scope: Scope::all_scripts(),
        addresses: Vec::new(),
    };
    let added = house.store().add_token(new, house.now());
    added.await.expect("a token");
    token
}

/// Whether the token is good, or how long to wait.
async fn call(house: &House, token: &str, from: &str) -> Result<bool, Duration> {
    let (token, from) = (token.to_owned(), address(from));
    let called = house.inside(move |app| async move { app.bearer_from(&token, from).await });
    match called.await {
        Ok(_) => Ok(true),
        Err(BearerError::Bad(_)) => Ok(false),
        Err(BearerError::Blocked(blocked)) => Err(blocked.wait),
        Err(BearerError::Store(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn w21_fifty_wrong_tokens_block_an_address_but_not_a_program_that_worked_there() {
    let (mut house, ann) = house_of_ann().await;
    let (used, fresh) = (token(&house, &ann).await, token(&house, &ann).await);
    assert_eq!(call(&house, &used, STRANGER).await, Ok(true));
    for n in 0..50 {
        let said = call(&house, &format!("sd_wrong{n}"), STRANGER).await;
        assert_eq!(said.is_err(), n >= 20, "{n}: {said:?}");
    }
    for _ in 0..2 {
        assert_eq!(call(&house, &fresh, STRANGER).await, Err(QUARTER));
        assert_eq!(call(&house, &used, STRANGER).await, Ok(true));
        assert_eq!(call(&house, &fresh, OFFICE).await, Ok(true));
        assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
        house.crash();
        house.serve().await;
    }
    house.clock.pass(QUARTER);
    assert_eq!(call(&house, &fresh, STRANGER).await, Ok(true));
}

async fn records(house: &House, act: Act) -> Vec<AuditRecord> {
    let filter = AuditFilter {
        act: Some(act),
        limit: 200,
        ..AuditFilter::default()
    };
    let page = house.store().audit_page(&filter).await.expect("a page");
    assert!(page.next.is_none(), "more than can be counted here");
    page.items
}

#[tokio::test]
async fn w21_wrong_tokens_from_any_number_of_networks_leave_few_records_that_say_how_many_there_were()
 {
    let (house, ann) = house_of_ann().await;
    let good = token(&house, &ann).await;
    for n in 0..300 {
        let from = format!("2001:db8:{n:x}::1");
        assert_eq!(call(&house, "sd_wrong", &from).await, Ok(false), "{n}");
    }
    assert_eq!(records(&house, Act::TokenUsed).await.len(), 100);
    assert_eq!(
        house.store().failures().await.expect("the store").len(),
        100
    );
    assert_eq!(
        call(&house, &good, "2001:db8:ffff::1").await,
        Ok(true),
        "nobody guesses a token, so a good one is good wherever it comes from"
    );
    house.clock.pass(Duration::from_secs(3));
    for n in 0..9 {
        let from = format!("2001:db8:a:{n:x}::1");
        assert_eq!(call(&house, "sd_wrong", &from).await, Ok(false), "{n}");
    }
    let after = records(&house, Act::TokenUsed).await;
    assert_eq!(after.len(), 101, "20 a minute");
    assert_eq!(after[0].outcome, "refused");
    assert_eq!(after[0].detail["left_out_before"], 200);
}

#[tokio::test]
async fn w21_a_right_token_works_from_an_address_that_is_blocked_for_passwords() {
    let (house, ann) = house_of_ann().await;
    let good = token(&house, &ann).await;
    for n in 0..20 {
        guess(&house, &format!("name{n}"), STRANGER, 1).await;
    }
    let there = sign_in(&house, "ann", PASSWORD, STRANGER).await;
    assert_eq!(there, Said::Wait(QUARTER));
    assert_eq!(call(&house, &good, STRANGER).await, Ok(true));
}

#[tokio::test]
async fn an_admin_sees_what_is_blocked_and_lifts_one_block_or_all() {
    let (house, ann) = house_of_ann().await;
    guess(&house, "ann", STRANGER, 5).await;
    guess(&house, "eve", OFFICE, 5).await;
    let blocked = async || house.inside(|app| async move { app.blocked().await }).await;
    let places = blocked().await.expect("the store");
    let mut seen: Vec<_> = places
        .iter()
        .map(|place| {
            (
                place.user.as_ref().map(UserName::as_str),
                place.network.as_str(),
            )
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [(None, OFFICE), (Some("ann"), STRANGER)]);
    assert!(
        places
            .iter()
            .all(|place| place.until == house.now().plus(QUARTER))
    );

    let lift = async |id: Option<String>| {
        let by = Origin::user(&ann, address(OFFICE));
        house
            .inside(move |app| async move {
                app.lift_blocks(&by, id.as_deref())
                    .await
                    .expect("the store")
            })
            .await
    };
    assert_eq!(lift(Some("000000000000".to_owned())).await, 0);
    let of_ann = places.iter().find(|place| place.user.is_some());
    assert_eq!(lift(of_ann.map(|place| place.id.clone())).await, 1);
    assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
    assert_eq!(blocked().await.expect("the store").len(), 1);
    assert_eq!(lift(None).await, 1);
    assert!(blocked().await.expect("the store").is_empty());
    assert!(
        house
            .store()
            .failures()
            .await
            .expect("the store")
            .iter()
            .all(|kept| { kept.blocked_until.is_none() })
    );
}

#[tokio::test]
async fn a_block_that_was_lifted_beside_the_server_is_over_at_once() {
    let (house, _) = house_of_ann().await;
    guess(&house, "ann", STRANGER, 5).await;
    let kept = house.store().failures().await.expect("the store");
    let places: Vec<_> = kept
        .into_iter()
        .filter(|record| record.blocked_until.is_some())
        .map(|record| record.place)
        .collect();
    assert_eq!(places.len(), 1);
    let lifted = house.store().lift_failures(places);
    assert_eq!(lifted.await.expect("the store"), 1);
    assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
}

#[tokio::test]
async fn a_block_that_was_lifted_beside_the_server_stays_lifted_whoever_fails_there_next() {
    let (mut house, _) = house_of_ann().await;
    assert_eq!(sign_in(&house, "ann", PASSWORD, OFFICE).await, Said::In);
    for n in 0..20 {
        guess(&house, &format!("name{n}"), OFFICE, 1).await;
    }
    assert_eq!(guess(&house, "eve", OFFICE, 1).await, Said::Wait(QUARTER));
    let blocked = async |house: &House| {
        let blocked =
            house.inside(|app| async move { (app.blocked().await, app.count_blocked().await) });
        let (blocked, count) = blocked.await;
        assert_eq!(blocked.expect("the store").len(), count);
        count
    };
    assert_eq!(blocked(&house).await, 1);
    let kept = house.store().failures().await.expect("the store");
    let place = kept
        .into_iter()
        .find(|record| record.place.kind == FailureKind::Address && record.blocked_until.is_some());
    let place = place.expect("a block").place;
    let lifted = house.store().lift_failures(vec![place.clone()]);
    assert_eq!(lifted.await.expect("the store"), 1);

    // Somebody who is known there is not asked about the block, and fails.
    assert_eq!(guess(&house, "ann", OFFICE, 1).await, Said::Refused);
    for _ in 0..2 {
        assert_eq!(guess(&house, "eve", OFFICE, 1).await, Said::Refused);
        assert_eq!(blocked(&house).await, 0);
        house.crash();
        house.serve().await;
    }
}

#[tokio::test]
async fn a_block_that_was_lifted_beside_the_server_is_not_shown_any_more_at_once() {
    let (house, ann) = house_of_ann().await;
    guess(&house, "ann", STRANGER, 5).await;
    for n in 0..20 {
        call(&house, &format!("sd_{n}"), STRANGER)
            .await
            .expect("looked at");
    }
    let fresh = token(&house, &ann).await;
    assert_eq!(call(&house, &fresh, STRANGER).await, Err(QUARTER));
    let shown = async || {
        let blocked = house.inside(|app| async move { app.blocked().await });
        blocked.await.expect("the store").len()
    };
    assert_eq!(shown().await, 2);
    let kept = house.store().failures().await.expect("the store");
    let running = kept
        .into_iter()
        .filter(|record| record.blocked_until.is_some());
    let places: Vec<_> = running.map(|record| record.place).collect();
    let lifted = house.store().lift_failures(places);
    assert_eq!(lifted.await.expect("the store"), 2);
    assert_eq!(shown().await, 0);
    assert_eq!(call(&house, &fresh, STRANGER).await, Ok(true));
    assert_eq!(sign_in(&house, "ann", PASSWORD, STRANGER).await, Said::In);
}
