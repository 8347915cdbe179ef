//! A server dies or is upgraded: no run ends, no byte is lost.

use std::time::Duration;

use stagedoor_domain::id::Epoch;
use stagedoor_runner::{Report, Runner, StopKind};

use crate::house::*;

const TALKER: &str = "#!/bin/sh\ni=0\nwhile [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done\nsleep 0.5\necho end\necho err >&2\nexit 6\n";

fn whole() -> Vec<u8> {
    let mut lines: Vec<String> = (0..3000).map(|i| format!("line {i}")).collect();
    lines.push("end\n".to_owned());
    lines.join("\n").into_bytes()
}

#[tokio::test]
async fn the_next_server_gets_the_ends_and_no_byte_is_lost() {
    let mut house = House::open();
    let plan = house.script("talker", TALKER);
    let (run, epoch) = (plan.run, plan.epoch);
    let first = house.start(plan).await;
    let mut head = vec![0; 1000];
    let read = rustix::io::read(&first.stdout, &mut head).expect("its first bytes");
    head.truncate(read);
    drop(first);
    house.next_server();
    assert_eq!(house.held, 1);
    let second = house.started().await;
    assert_eq!((second.run, second.epoch), (run, epoch));
    assert!(matches!(house.report().await, Report::Complete { starting } if starting.is_empty()));
    let rest = tokio::task::spawn_blocking(move || read_all(second.stdout))
        .await
        .expect("read");
    assert_eq!([head, rest].concat(), whole());
    assert_eq!(house.exited().await.exit_code, Some(6));
}

#[tokio::test]
async fn an_end_that_nobody_saw_is_kept_until_it_is_forgotten() {
    let mut house = House::open();
    let plan = house.script("talker", TALKER);
    let (run, epoch) = (plan.run, plan.epoch);
    let _ = house.start(plan).await;
    // Without a server for longer than the script takes; more than once.
    for _ in 0..2 {
        house.runner = Runner::connect(&house.base.path().join("state/runner.sock"))
            .expect("a runner")
            .attach()
            .expect("attached")
            .0;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    house.next_server();
    let started = house.started().await;
    let record = house.exited().await;
    assert_eq!((record.exit_code, record.leftovers), (Some(6), 0));
    assert!(record.ended_at >= started.started_at);
    assert_eq!(read_all(started.stdout), whole());
    assert_eq!(read_all(started.stderr), b"err\n");
    house.runner.forget(&[(run, epoch)]).await.expect("sent");
    // The answer to this one proves that the one before it was obeyed.
    house.run(command(&["/bin/true"])).await;
    let held = Runner::connect(&house.base.path().join("state/runner.sock"))
        .expect("a runner")
        .held();
    assert_eq!(held, 0);
}

#[tokio::test]
async fn a_run_without_a_server_still_ends_in_time() {
    let mut house = House::open();
    let mut plan = command(&["/bin/sleep", "1000"]);
    plan.timeout = Some(Duration::from_millis(300));
    let _ = house.start(plan).await;
    let (runner, reports) = Runner::connect(&house.base.path().join("state/runner.sock"))
        .expect("a runner")
        .attach()
        .expect("attached");
    drop((runner, reports));
    tokio::time::sleep(Duration::from_millis(800)).await;
    house.next_server();
    let _ = house.started().await;
    assert!(house.exited().await.timed_out);
}

#[tokio::test]
async fn a_live_attempt_cannot_be_forgotten() {
    let mut house = House::open();
    let plan = command(&["/bin/sleep", "1000"]);
    let (run, epoch) = (plan.run, plan.epoch);
    let _ = house.start(plan).await;
    house.runner.forget(&[(run, epoch)]).await.expect("sent");
    house
        .runner
        .stop(run, Epoch(9), StopKind::Kill, "another attempt")
        .await
        .expect("sent");
    house
        .runner
        .stop(run, epoch, StopKind::Term, "asked")
        .await
        .expect("sent");
    assert_eq!(house.exited().await.signal, Some(15));
}

#[tokio::test]
async fn the_old_server_is_told_that_it_was_replaced() {
    let mut house = House::open();
    let _ = house.start(command(&["/bin/sleep", "1000"])).await;
    let path = house.base.path().join("state/runner.sock");
    let (_runner, mut reports) = Runner::connect(&path)
        .expect("a runner")
        .attach()
        .expect("attached");
    assert!(matches!(house.news().await, Report::Gone));
    assert!(matches!(reports.recv().await, Report::Started(_)));
}

#[tokio::test]
async fn garbage_ends_the_connection_and_nothing_else() {
    let mut house = House::open();
    let started = house.start(command(&["/bin/sleep", "1000"])).await;
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        None,
    )
    .expect("a socket");
    let path = house.base.path().join("state/runner.sock");
    let address = rustix::net::SocketAddrUnix::new(&path).expect("an address");
    rustix::net::connect(&socket, &address).expect("connected");
    let junk = [0xff; 600];
    rustix::net::send(&socket, &junk, rustix::net::SendFlags::NOSIGNAL).expect("sent");
    let mut answer = [0; 16];
    let read = rustix::net::recv(&socket, &mut answer, rustix::net::RecvFlags::empty());
    assert!(matches!(read, Ok((_, 0)) | Err(_)), "{read:?}");
    house.next_server();
    assert_eq!(house.started().await.pid, started.pid);
}

#[tokio::test]
async fn a_runner_with_other_settings_is_not_mistaken_for_ours() {
    let mut house = House::open();
    let _ = house.start(command(&["/bin/sleep", "1000"])).await;
    let mut other = options(house.base.path());
    other.scratch = house.base.path().join("elsewhere");
    let error = Runner::ensure(binary(), &other).expect_err("another runner's settings");
    // It says how many runs are in the way, and which process ends them.
    let text = error.to_string();
    assert!(text.contains("1 runs of that time still go on"), "{text}");
    assert!(text.contains(&format!("`kill {}`", house.pid)), "{text}");
    house.next_server();
}

#[tokio::test]
async fn a_runner_that_holds_nothing_is_replaced() {
    let house = House::open();
    let connection = Runner::ensure(binary(), &options(house.base.path())).expect("a runner");
    assert_ne!(
        connection.pid(),
        Some(house.pid),
        "a new binary and new settings count"
    );
    let (runner, _reports) = connection.attach().expect("attached");
    runner.bye().await.expect("sent");
    let socket = house.base.path().join("state/runner.sock");
    eventually("the runner ends after goodbye", || !socket.exists()).await;
}

#[tokio::test]
async fn a_runner_that_nobody_needs_ends_by_itself() {
    let mut house = House::open();
    house.run(command(&["/bin/true"])).await;
    let socket = house.base.path().join("state/runner.sock");
    let unneeded = house;
    let base = new_base();
    // Another one with something to hold stays.
    let mut needed = House::in_base(base);
    let _ = needed.start(command(&["/bin/sleep", "1000"])).await;
    let kept = needed.base.path().join("state/runner.sock");
    drop(Runner::connect(&socket).expect("a runner"));
    drop(Runner::connect(&kept).expect("a runner"));
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(socket.exists(), "not before ten seconds");
    eventually("the runner ends", || !socket.exists()).await;
    assert!(kept.exists());
    drop(unneeded);
}

#[tokio::test]
async fn a_runner_that_is_told_to_end_ends_its_runs_first() {
    let mut house = House::open();
    let started = house.start(command(&["/bin/sleep", "1000"])).await;
    let pid = i32::try_from(house.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::TERM)
        .expect("sent");
    assert!(house.exited().await.stopped);
    assert!(matches!(house.news().await, Report::Gone));
    assert_eq!(processes_of(started.pid), 0);
}
