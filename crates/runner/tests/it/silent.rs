//! Attempts that print nothing before anybody is told of them, and their pipes.

use std::time::Duration;

use rustix::process::{Pid, Signal};
use stagedoor_runner::{Plan, Report, Runner};

use crate::house::*;

/// A plan that waits until it may end, then does this.
fn waiting(house: &House, then: &str) -> Plan {
    let may_end = house.base.path().join("may-end");
    let waits = format!(
        "while [ ! -e {} ]; do sleep 0.01; done; {then}",
        may_end.display()
    );
    command(&["/bin/sh", "-c", &waits])
}

fn may_end(house: &House) {
    std::fs::write(house.base.path().join("may-end"), "").expect("written");
}

/// What a server is told of such an attempt when that has ended before it came.
async fn told_later(house: &mut House, plan: Plan) -> Report {
    let (runner, _) = Runner::connect(&house.base.path().join("state/runner.sock"))
        .and_then(|next| Ok(next.attach()?))
        .expect("a runner");
    let itself = Pid::from_raw(i32::try_from(house.pid).expect("it fits")).expect("a pid");
    // It finds the order and the end of who gave it together, so that nobody is told of the start.
    rustix::process::kill_process(itself, Signal::STOP).expect("suspended");
    runner.start(plan).await.expect("sent");
    drop(runner);
    rustix::process::kill_process(itself, Signal::CONT).expect("it goes on");
    let children = format!("/proc/{0}/task/{0}/children", house.pid);
    let children = || std::fs::read_to_string(&children).expect("the runner's children");
    while children().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    may_end(house);
    while !children().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    house.next_server();
    house.plain_report().await
}

#[tokio::test]
async fn what_has_printed_nothing_before_it_was_told_comes_without_pipes_however_often() {
    let mut house = House::open();
    let plan = waiting(&house, "exit 3");
    let run = plan.run;
    let ran = told_later(&mut house, plan).await;
    let is_it = |report: &Report| {
        matches!(report, Report::Ran { run: of, record, enforced, .. }
            if *of == run && record.exit_code == Some(3) && enforced.account.is_some())
    };
    assert!(is_it(&ran), "{ran:?}");
    house.next_server();
    let again = house.plain_report().await;
    assert!(is_it(&again), "{again:?}");
}

#[tokio::test]
async fn what_has_printed_something_comes_with_it() {
    for to in ["1", "2"] {
        let mut house = House::open();
        let plan = waiting(&house, &format!("echo x >&{to}"));
        let Report::Started(started) = told_later(&mut house, plan).await else {
            panic!("its pipes are missing");
        };
        let printed = [started.stdout, started.stderr].map(read_all).concat();
        assert_eq!(printed, b"x\n", "on {to}");
        assert_eq!(house.exited().await.exit_code, Some(0));
    }
}

#[tokio::test]
async fn what_was_told_to_execute_keeps_its_pipes_though_it_has_printed_nothing() {
    let mut house = House::open();
    let plan = waiting(&house, "exit 0");
    house.runner.start(plan).await.expect("sent");
    let Report::Complete { .. } = house.plain_report().await else {
        panic!("it is new");
    };
    let Report::Started(_) = house.plain_report().await else {
        panic!("it executes for a while");
    };
    may_end(&house);
    assert!(matches!(house.plain_report().await, Report::Exited { .. }));
    house.next_server();
    // Whether an earlier server has read of them, only it could know.
    assert!(matches!(house.plain_report().await, Report::Started(_)));
    assert!(matches!(house.plain_report().await, Report::Exited { .. }));
}
