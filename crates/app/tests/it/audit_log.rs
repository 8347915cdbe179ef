//! What is in the audit log, how long, and how little of it strangers can bring about.

use std::net::IpAddr;
use std::time::Duration;

use stagedoor_domain::audit::Act;
use stagedoor_store::{AuditFilter, AuditLog, AuditRecord, Verified};

use crate::house::House;
use crate::sessions::{PASSWORD, signed_in};

const DAY: Duration = Duration::from_hours(24);

async fn records(house: &House, act: Act) -> Vec<AuditRecord> {
    let filter = AuditFilter {
        act: Some(act),
        limit: 200,
        ..AuditFilter::default()
    };
    let page = house.store().audit_page(&filter).await;
    page.expect("a page").items
}

fn verified(house: &House) -> Verified {
    let log = AuditLog::open(&house.state()).expect("opens");
    log.verify().expect("read")
}

/// Somebody signs in; then so many days pass, and another server begins.
async fn after(days: u32, keep: Option<Duration>) -> House {
    let mut house = House::with(&[]).await;
    house.person("ann", PASSWORD).await;
    signed_in(&house, "ann").await;
    assert_eq!(records(&house, Act::SignIn).await.len(), 1);
    house.crash();
    house.clock.pass(DAY * days);
    house.keep_audit_log = keep;
    house.serve().await;
    house
}

async fn look(house: &House) {
    let more = house.inside(|app| async move { app.remove_old_records().await });
    assert!(!more.await, "all at once");
}

#[tokio::test]
async fn records_go_when_they_are_as_old_as_the_operator_says_and_the_log_stays_whole() {
    let house = after(40, Some(DAY * 30)).await;
    signed_in(&house, "ann").await;
    assert_eq!(records(&house, Act::SignIn).await.len(), 2);
    house.clock.pass(DAY * 2);
    look(&house).await;
    assert_eq!(records(&house, Act::LogTrimmed).await.len(), 1);
    assert_eq!(records(&house, Act::SignIn).await.len(), 1);
    let found = verified(&house);
    assert!(found.is_whole(), "{found:?}");
    assert!(found.start.first > 1, "{found:?}");
}

#[tokio::test]
async fn records_stay_that_are_not_as_old_or_are_kept_for_ever() {
    for (days, keep) in [(29, Some(DAY * 30)), (4000, None)] {
        let house = after(days, keep).await;
        signed_in(&house, "ann").await;
        look(&house).await;
        assert_eq!(records(&house, Act::SignIn).await.len(), 2, "{days}");
        assert_eq!(records(&house, Act::LogTrimmed).await, []);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_once_takes_no_record_with_it() {
    let house = after(4000, Some(DAY * 30)).await;
    look(&house).await;
    // Nor with what is done by it.
    signed_in(&house, "ann").await;
    look(&house).await;
    assert_eq!(records(&house, Act::SignIn).await.len(), 2);
    assert_eq!(records(&house, Act::LogTrimmed).await, []);
}

#[tokio::test]
async fn a_cookie_that_comes_from_elsewhere_many_times_at_once_leaves_one_record() {
    let house = House::with(&[]).await;
    house.person("ann", PASSWORD).await;
    let cookie = signed_in(&house, "ann").await;
    let elsewhere: IpAddr = "198.51.100.9".parse().expect("an address");
    house
        .inside(move |app| async move {
            let mut many = tokio::task::JoinSet::new();
            for _ in 0..30 {
                let (app, cookie) = (app.clone(), cookie.clone());
                many.spawn(async move {
                    let found = app.session(&cookie, elsewhere).await;
                    assert!(found.expect("the store").is_none());
                });
            }
            many.join_all().await;
        })
        .await;
    let ended = records(&house, Act::SessionsEnded).await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].detail["why"], "used from another address");
}
