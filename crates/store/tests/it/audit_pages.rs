//! Pages of the log: newest first, by each filter, at a cost that does not grow.

use stagedoor_domain::access::User;
use stagedoor_domain::audit::{Act, Entry, Origin, Outcome};
use stagedoor_domain::id::UserId;
use stagedoor_store::{AuditCursor, AuditFilter, AuditPage, Store};

use crate::audit::by_uid;
use crate::world::{at, user_name, world};

fn by(name: &str, address: &str) -> Origin {
    let user = User::new(
        UserId(1),
        user_name(name),
        std::collections::BTreeSet::new(),
    );
    Origin::user(&user, address.parse().expect("an address"))
}

fn all() -> AuditFilter {
    AuditFilter {
        limit: 50,
        ..AuditFilter::default()
    }
}

async fn page(store: &Store, filter: &AuditFilter) -> AuditPage {
    store.audit_page(filter).await.expect("a page")
}

/// The records of all pages, by number.
async fn numbers(store: &Store, filter: AuditFilter) -> Vec<i64> {
    let (mut filter, mut numbers) = (filter, Vec::new());
    loop {
        let page = page(store, &filter).await;
        numbers.extend(page.items.iter().map(|record| record.seq));
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => return numbers,
        }
    }
}

type Change = fn(&mut AuditFilter);

#[tokio::test]
async fn each_filter_finds_what_it_says_and_together_they_find_less() {
    let world = world();
    let record = |entry: Entry| world.store.record(entry);
    let (ann, bob) = (by("ann", "192.0.2.1"), by("bob", "192.0.2.2"));
    record(Entry::new(Act::SignIn, ann.clone(), at(1)))
        .await
        .expect("1");
    record(Entry::new(Act::SignIn, bob.clone(), at(2)).refused())
        .await
        .expect("2");
    record(Entry::new(Act::RunStarted, ann.clone(), at(3)))
        .await
        .expect("3");
    record(Entry::new(Act::UserAdded, ann.clone(), at(4)))
        .await
        .expect("4");
    record(Entry::new(Act::SignOut, bob.clone(), at(5)))
        .await
        .expect("5");
    let cases: [(Change, &[i64]); 11] = [
        (|_| (), &[5, 4, 3, 2, 1]),
        (|it| it.without_starts = true, &[5, 4, 2, 1]),
        (|it| it.act = Some(Act::SignIn), &[2, 1]),
        (|it| it.act = Some(Act::RunStarted), &[3]),
        (|it| it.user = Some(user_name("ann")), &[4, 3, 1]),
        (
            |it| (it.user, it.without_starts) = (Some(user_name("ann")), true),
            &[4, 1],
        ),
        (
            |it| (it.address, it.without_starts) = (Some("192.0.2.2".to_owned()), true),
            &[5, 2],
        ),
        (|it| it.outcome = Some(Outcome::Refused), &[2]),
        (|it| (it.from, it.to) = (Some(at(2)), Some(at(4))), &[3, 2]),
        (
            |it| (it.act, it.user) = (Some(Act::SignIn), Some(user_name("ann"))),
            &[1],
        ),
        (|it| it.user = Some(user_name("zoe")), &[]),
    ];
    for (change, expected) in cases {
        let mut filter = all();
        change(&mut filter);
        assert_eq!(
            numbers(&world.store, filter.clone()).await,
            expected,
            "{filter:?}"
        );
        let short = AuditFilter { limit: 1, ..filter };
        assert_eq!(numbers(&world.store, short).await, expected, "one by one");
    }
}

#[tokio::test]
async fn records_of_one_moment_are_on_one_page_each() {
    let world = world();
    for _ in 0..7 {
        world
            .store
            .record(by_uid(Act::UserAdded))
            .await
            .expect("recorded");
    }
    let filter = AuditFilter { limit: 2, ..all() };
    assert_eq!(numbers(&world.store, filter).await, [7, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_record_has_who_what_where_and_how() {
    let world = world();
    let entry = Entry::new(Act::SignIn, by("ann", "::ffff:192.0.2.1"), at(1));
    let entry = entry.on("ann").with("agent", "curl").failed();
    world.store.record(entry).await.expect("recorded");
    let record = page(&world.store, &all()).await.items.remove(0);
    assert_eq!(record.address.as_deref(), Some("192.0.2.1"));
    assert_eq!(
        (record.actor.as_str(), record.user.as_deref()),
        ("user", Some("ann"))
    );
    assert_eq!(
        (record.act.as_str(), record.outcome.as_str()),
        ("sign_in", "failed")
    );
    assert_eq!(record.detail["agent"], "curl");
    assert_eq!(record.at, at(1));
}

#[test]
fn a_cursor_is_read_back_and_nothing_else_is() {
    let cursor = AuditCursor::parse("1790000000001.7").expect("one of ours");
    assert_eq!(cursor.to_string(), "1790000000001.7");
    for bad in [
        "",
        ".",
        "1",
        "1.",
        "-1.2",
        "1.2.3",
        "1.9999999999999999999",
        "1.٣",
    ] {
        assert_eq!(AuditCursor::parse(bad), None, "{bad:?}");
    }
}
