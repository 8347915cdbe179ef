//! A server that has no descriptor free for the pipes of a run.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stagedoor_runner::{Refusal, Report, Runner};

use crate::house::*;

/// The limit is the whole process's, so these have one each.
#[test]
fn no_run_is_lost_when_the_server_has_no_descriptor_free() {
    in_processes_of_their_own(&[
        "a_run_is_told_again_once_descriptors_are_free",
        "a_held_run_is_told_again_once_descriptors_are_free",
    ]);
}

#[test]
fn a_runner_that_may_have_few_descriptors_starts_and_runs_what_it_has_them_for() {
    in_processes_of_their_own(&["a_runner_with_few_descriptors_runs_one_after_the_other"]);
}

fn in_processes_of_their_own(names: &[&str]) {
    let own = std::env::current_exe().expect("this program");
    for name in names {
        let name = format!("descriptors::{name}");
        let output = Command::new(&own)
            .args(["--ignored", "--exact", &name])
            .output()
            .expect("started");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
    }
}

#[tokio::test]
#[ignore = "needs a process of its own, which a test above gives it"]
async fn a_runner_with_few_descriptors_runs_one_after_the_other() {
    // The runner begins with the limit of who starts it, and raises the soft one where it may.
    for (soft, hard) in [(300, 300), (64, 300), (90, 90), (64, 64)] {
        let limit = Rlimit {
            current: Some(soft),
            maximum: Some(hard),
        };
        setrlimit(Resource::Nofile, limit).expect("a lower limit");
        let mut house = House::open();
        for _ in 0..3 {
            let done = house.run(command(&["/bin/echo", "x"])).await;
            assert_eq!(done.stdout, b"x\n", "{soft} of {hard}");
        }
    }
}

#[tokio::test]
#[ignore = "needs a process of its own, which the test above gives it"]
async fn a_run_is_told_again_once_descriptors_are_free() {
    let mut house = House::open();
    let plan = house.script("hello", "#!/bin/sh\necho hello\nexit 3\n");
    let other = command(&["relative"]);
    let other_run = other.run;
    let mut full = fill();
    house.runner.start(plan.clone()).await.expect("sent");
    let early = house.silent().await;
    assert!(early.is_none(), "not even its end is told: {early:?}");
    house.runner.start(other).await.expect("sent");
    match house.news().await {
        Report::Refused { run, reason, .. } => {
            assert_eq!(run, other_run);
            assert!(matches!(reason, Refusal::Unsafe(_)), "{reason:?}");
        }
        report => panic!("another's report is told meanwhile, not {report:?}"),
    }
    // Room for one of the three: what arrives is closed again.
    full.pop();
    assert!(house.silent().await.is_none());
    let last = rustix::io::dup(&full[0]).expect("the one that is free");
    assert!(rustix::io::dup(&full[0]).is_err(), "no other is");
    drop((full, last));
    let started = house.started().await;
    assert_eq!((started.run, started.epoch), (plan.run, plan.epoch));
    assert_eq!(read_all(started.stdout), b"hello\n");
    assert_eq!(read_all(started.stderr), b"");
    assert_eq!(house.exited().await.exit_code, Some(3));
    assert!(house.silent().await.is_none(), "told once");
}

#[tokio::test]
#[ignore = "needs a process of its own, which the first test gives it"]
async fn a_held_run_is_told_again_once_descriptors_are_free() {
    let mut house = House::open();
    let plan = house.script("hello", "#!/bin/sh\necho hello\nsleep 0.3\n");
    drop(house.start(plan.clone()).await);
    let path = house.base.path().join("state/runner.sock");
    let next = Runner::connect(&path).expect("a runner");
    (house.runner, house.reports) = next.attach().expect("attached");
    let full = fill();
    // It is held, so the take-over must not end as if it were not.
    match house.report().await {
        Report::Complete { starting } => assert_eq!(starting, [(plan.run, plan.epoch)]),
        other => panic!("{other:?}"),
    }
    drop(full);
    let started = house.started().await;
    assert_eq!((started.run, started.epoch), (plan.run, plan.epoch));
    assert_eq!(read_all(started.stdout), b"hello\n");
    assert_eq!(house.exited().await.exit_code, Some(0));
}

impl House {
    /// What is reported within half a second, which is to be nothing.
    async fn silent(&mut self) -> Option<Report> {
        let soon = Duration::from_millis(500);
        tokio::time::timeout(soon, self.news()).await.ok()
    }
}

/// Takes every descriptor that this process may still have.
fn fill() -> Vec<OwnedFd> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(128);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("a lower limit");
    let mut taken = vec![OwnedFd::from(File::open("/dev/null").expect("opened"))];
    while let Ok(next) = rustix::io::dup(&taken[0]) {
        taken.push(next);
    }
    taken
}
