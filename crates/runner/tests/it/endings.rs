//! How attempts end: by themselves, in time, when they are told, and with all they left behind.

use std::time::{Duration, Instant};

use stagedoor_runner::StopKind;

use crate::house::*;

#[tokio::test]
async fn an_exit_code_and_a_signal_are_told_apart() {
    let mut house = House::open();
    let plan = house.script("three", "#!/bin/sh\nexit 3\n");
    let record = house.run(plan).await.record;
    assert_eq!((record.exit_code, record.signal), (Some(3), None));
    assert!(!record.stopped && !record.timed_out && !record.killed && record.leftovers == 0);
    let plan = house.script("killed", "#!/bin/sh\nkill -9 $$\n");
    let record = house.run(plan).await.record;
    assert_eq!((record.exit_code, record.signal), (None, Some(9)));
    assert!(!record.stopped && !record.killed, "nobody else did it");
}

#[tokio::test]
async fn one_that_takes_too_long_is_ended() {
    let mut house = House::open();
    let mut plan = command(&["/bin/sleep", "60"]);
    plan.timeout = Some(Duration::from_millis(200));
    let record = house.run(plan).await.record;
    assert_eq!(record.signal, Some(15));
    assert!(record.timed_out && record.stopped && !record.killed);
    let mut plan = command(&["/bin/sleep", "0.1"]);
    plan.timeout = Some(Duration::from_secs(20));
    assert!(!house.run(plan).await.record.timed_out);
}

#[tokio::test]
async fn a_polite_stop_lets_the_script_clean_up() {
    let mut house = House::open();
    let plan = house.script(
        "polite",
        "#!/bin/sh\ntrap 'echo bye; exit 5' TERM\necho up\nwhile :; do sleep 0.05; done\n",
    );
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    let mut first = [0; 3];
    rustix::io::read(&started.stdout, &mut first).expect("its first line");
    house
        .runner
        .stop(run, epoch, StopKind::Term, "asked")
        .await
        .expect("sent");
    let record = house.exited().await;
    assert_eq!(record.exit_code, Some(5));
    assert!(record.stopped && !record.killed && !record.timed_out);
    assert_eq!(read_all(started.stdout), b"bye\n");
}

const DEAF: &str = "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\nsh -c 'sleep 1000; :' &\necho up\nwhile :; do sleep 1; done\n";

#[tokio::test]
async fn one_that_ignores_term_is_killed_with_all_its_children() {
    let mut house = House::open();
    let mut plan = house.script("deaf", DEAF);
    plan.stop_grace = Duration::from_millis(300);
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    let mut first = [0; 3];
    rustix::io::read(&started.stdout, &mut first).expect("its first line");
    assert!(processes_of(started.pid) >= 3);
    let before = Instant::now();
    house
        .runner
        .stop(run, epoch, StopKind::Term, "asked")
        .await
        .expect("sent");
    let record = house.exited().await;
    assert!(
        before.elapsed() >= Duration::from_millis(300),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(record.signal, Some(9));
    assert!(record.stopped && record.killed && !record.timed_out);
    assert_eq!(processes_of(started.pid), 0);
    let _ = read_all(started.stdout);
}

#[tokio::test]
async fn what_was_killed_leaves_nothing_that_kills_the_next_one() {
    let mut house = House::open();
    for _ in 0..5 {
        let plan = house.script("deaf", DEAF);
        let (run, epoch) = (plan.run, plan.epoch);
        let _ = house.start(plan).await;
        let stop = house.runner.stop(run, epoch, StopKind::Kill, "now");
        stop.await.expect("sent");
        assert_eq!(house.exited().await.signal, Some(9));
        for _ in 0..3 {
            let record = house.run(command(&["/bin/true"])).await.record;
            assert_eq!((record.exit_code, record.signal), (Some(0), None));
        }
    }
}

#[tokio::test]
async fn a_kill_needs_no_grace() {
    let mut house = House::open();
    let plan = house.script("deaf", DEAF);
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    let before = Instant::now();
    house
        .runner
        .stop(run, epoch, StopKind::Kill, "now")
        .await
        .expect("sent");
    let record = house.exited().await;
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "the grace is 10 s"
    );
    assert!(record.killed && record.stopped);
    assert_eq!(processes_of(started.pid), 0);
}

#[tokio::test]
async fn a_stop_right_behind_the_start_is_not_lost() {
    let mut house = House::open();
    for _ in 0..20 {
        let plan = command(&["/bin/sleep", "1000"]);
        let (run, epoch) = (plan.run, plan.epoch);
        house.runner.start(plan).await.expect("sent");
        house
            .runner
            .stop(run, epoch, StopKind::Term, "asked")
            .await
            .expect("sent");
        let _ = house.started().await;
        let record = house.exited().await;
        assert_eq!(record.signal, Some(15));
        assert!(!record.killed, "TERM alone did it");
    }
}

#[tokio::test]
async fn what_a_script_leaves_behind_is_ended_and_counted() {
    let mut house = House::open();
    let plan = house.script(
        "leaves",
        "#!/bin/sh\nsleep 1000 &\nsetsid sleep 1000 &\nsleep 0.2\necho $!\nexit 4\n",
    );
    let before = Instant::now();
    let done = house.run(plan).await;
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "the pipes were closed too"
    );
    assert_eq!((done.record.exit_code, done.record.leftovers), (Some(4), 2));
    assert!(!done.record.stopped, "the script itself ended by itself");
    assert_eq!(processes_of(done.pid), 0);
    let escaped = done.text().trim().parse().expect("a pid");
    assert_eq!(
        processes_of(escaped),
        0,
        "a session of its own does not help"
    );
}

#[tokio::test]
async fn a_deaf_leftover_with_its_own_session_is_killed() {
    let mut house = House::open();
    let mut plan = house.script(
        "leaves",
        "#!/bin/sh\nsetsid sh -c 'trap \"\" TERM; sleep 1000 & sleep 1000; :' &\nsleep 0.2\necho $!\n",
    );
    plan.stop_grace = Duration::from_millis(300);
    let done = house.run(plan).await;
    assert!(done.record.killed && !done.record.stopped);
    assert!(done.record.leftovers >= 1);
    let escaped = done.text().trim().parse().expect("a pid");
    assert_eq!(processes_of(escaped), 0);
}

#[tokio::test]
async fn leftovers_of_one_run_do_not_touch_another() {
    let mut house = House::open();
    let other = house.start(command(&["/bin/sleep", "1000"])).await;
    let plan = house.script("leaves", "#!/bin/sh\nsetsid sleep 1000 &\nsleep 0.1\n");
    let done = house.run(plan).await;
    assert_eq!(done.record.leftovers, 1);
    assert_eq!(processes_of(other.pid), 1);
}

#[tokio::test]
async fn a_hundred_at_once_all_end_and_all_are_told() {
    let mut house = House::open();
    for _ in 0..100 {
        house
            .runner
            .start(command(&["/bin/echo", "x"]))
            .await
            .expect("sent");
    }
    let (mut outputs, mut ended) = (Vec::new(), 0);
    while ended < 100 {
        match house.news().await {
            stagedoor_runner::Report::Started(started) => outputs.push(started.stdout),
            stagedoor_runner::Report::Exited { record, run, epoch } => {
                assert_eq!(record.exit_code, Some(0));
                house.runner.forget(&[(run, epoch)]).await.expect("sent");
                ended += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(outputs.len(), 100);
    assert!(outputs.into_iter().all(|output| read_all(output) == b"x\n"));
}

#[tokio::test]
async fn a_start_takes_about_a_millisecond() {
    let mut house = House::open();
    let rounds = 200;
    let before = Instant::now();
    for _ in 0..rounds {
        assert_eq!(
            house.run(command(&["/bin/true"])).await.record.exit_code,
            Some(0)
        );
    }
    let each = before.elapsed() / rounds;
    println!("{each:?} from request to exit, one after the other");
    assert!(each < Duration::from_millis(100), "{each:?}");
}
