//! Which runner an earlier server had: only that one can say what was never handed to it.

use stagedoor_runner::{Connection, Runner};

use crate::house::{House, binary, command, new_base, options};

/// So that no runner outlives the test.
async fn dismiss(connection: Connection) {
    let (runner, _reports) = connection.attach().expect("attached");
    runner.bye().await.expect("sent");
}

#[tokio::test]
async fn a_runner_that_is_taken_over_knows_all_that_its_servers_handed_over() {
    let mut house = House::open();
    let _ = house.start(command(&["/bin/sleep", "1000"])).await;
    let again = || Runner::ensure(binary(), &options(house.base.path())).expect("a runner");
    let own = again().identity().expect("an identity");
    assert!(again().after(Some(&own)).knows_all());
    assert!(!again().after(Some("another")).knows_all());
    assert!(!again().after(None).knows_all());
    let (_runner, reports) = again().after(Some(&own)).attach().expect("attached");
    assert!(reports.knows_all());
    house.next_server();
}

#[tokio::test]
async fn a_runner_that_was_replaced_said_that_it_held_nothing() {
    let house = House::open();
    let next = Runner::ensure(binary(), &options(house.base.path())).expect("a runner");
    let first = next.identity().expect("an identity");
    drop(next);
    let second = Runner::ensure(binary(), &options(house.base.path())).expect("a runner");
    let own = second.identity().expect("an identity");
    assert_ne!(first, own);
    let second = second.after(Some(&own));
    assert!(!second.knows_all(), "it was not there before");
    let second = second.after(Some(&first));
    assert!(second.knows_all());
    dismiss(second).await;
}

#[tokio::test]
async fn a_runner_that_found_nobody_knows_nothing_of_before() {
    let base = new_base();
    let only = Runner::ensure(binary(), &options(base.path())).expect("a runner");
    let own = only.identity();
    assert!(own.is_some());
    let only = only.after(own.as_deref());
    assert!(!only.knows_all());
    dismiss(only).await;
}
