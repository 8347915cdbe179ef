//! Trees that take no notice of TERM and hide, on every footing that a runner can have: with cgroups,
//! without, and short of what it would need to look at them.

use std::fs;
use std::io::Write;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use stagedoor_runner::{Plan, Report, Started, StopKind};
use std::time::Duration;

use crate::house::*;
use crate::tree::{is_alive, notes, pids};

/// It and what it hides take no notice of TERM.
fn stubborn(house: &House, notes: &std::path::Path) -> Plan {
    let deaf = "trap \"\" TERM; echo $$ >> NOTES; while :; do sleep 1; done";
    let text = format!(
        "#!/bin/sh\ntrap '' TERM\nenv -i setsid sh -c '{deaf}' &\n(env -i setsid sh -c '{deaf}' &)\nwhile [ $(wc -l < NOTES) -lt 2 ]; do sleep 0.01; done\necho up\nwhile :; do sleep 1; done\n"
    );
    house.script(
        "stubborn",
        &text.replace("NOTES", &notes.display().to_string()),
    )
}

/// A house of each kind that can be had here, with a stubborn run in it.
async fn begun(grace: Duration) -> Vec<(House, Plan, Started)> {
    let mut all = Vec::new();
    for mut house in [Some(House::open()), House::without_cgroups()]
        .into_iter()
        .flatten()
    {
        let mut plan = stubborn(&house, &notes(&house));
        plan.stop_grace = grace;
        let started = house.start(plan.clone()).await;
        rustix::io::read(&started.stdout, &mut [0; 3]).expect("its first line");
        all.push((house, plan, started));
    }
    all
}

impl House {
    async fn stop(&self, plan: &Plan, kind: StopKind) {
        let stop = self.runner.stop(plan.run, plan.epoch, kind, "asked");
        stop.await.expect("sent");
    }

    /// Waits for the end, after which nothing of it may live.
    async fn is_over(&mut self, started: &Started) {
        let hidden = pids(&self.base.path().join("notes"));
        assert_eq!(hidden.len(), 2);
        let record = self.exited().await;
        assert!(record.stopped && record.killed, "{record:?}");
        assert_eq!(record.signal, Some(9), "{record:?}");
        assert!(!hidden.into_iter().any(is_alive) && !is_alive(started.pid));
    }
}

fn process(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("it fits")).expect("a pid")
}

fn parent(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let mut lines = status.lines();
    let parent = lines.find_map(|line| line.strip_prefix("PPid:"));
    parent.expect("a parent").trim().parse().expect("a number")
}

#[tokio::test]
async fn a_stubborn_tree_is_killed_after_its_grace() {
    for (mut house, plan, started) in begun(Duration::from_millis(200)).await {
        house.stop(&plan, StopKind::Term).await;
        house.is_over(&started).await;
    }
}

#[tokio::test]
async fn a_runner_of_root_that_sees_no_cgroups_has_keepers() {
    let Some(mut house) = House::without_cgroups() else {
        return;
    };
    let started = house.start(command(&["/bin/sleep", "1000"])).await;
    let keeper = parent(started.pid);
    assert_ne!(keeper, house.pid);
    assert_eq!(parent(keeper), house.pid);
}

#[tokio::test]
async fn a_kill_ends_the_whole_tree_also_when_the_runner_has_no_descriptor_free() {
    for (mut house, plan, started) in begun(Duration::from_secs(10)).await {
        let none = Rlimit {
            current: Some(3),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        let runner = Some(process(house.pid));
        let before = prlimit(runner, Resource::Nofile, none).expect("lowered");
        house.stop(&plan, StopKind::Kill).await;
        house.is_over(&started).await;
        prlimit(runner, Resource::Nofile, before).expect("raised");
        house
            .runner
            .forget(&[(plan.run, plan.epoch)])
            .await
            .expect("sent");
        assert_eq!(
            house.run(command(&["/bin/true"])).await.record.exit_code,
            Some(0)
        );
    }
}

#[tokio::test]
async fn a_kill_ends_the_whole_tree_also_when_its_keeper_is_suspended() {
    for (mut house, plan, started) in begun(Duration::from_secs(10)).await {
        let keeper = parent(started.pid);
        if keeper != house.pid {
            kill_process(process(keeper), Signal::STOP).expect("suspended");
        }
        house.stop(&plan, StopKind::Kill).await;
        house.is_over(&started).await;
    }
}

/// What the runner reads is counted by the kernel.
fn reads(house: &House) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{}/io", house.pid)).ok()?;
    let count = io.lines().find_map(|line| line.strip_prefix("syscr: "))?;
    count.parse().ok()
}

#[tokio::test]
async fn the_end_of_one_run_does_not_have_all_others_with_leftovers_looked_at() {
    const LEFT: usize = 20;
    let mut house = House::open();
    if reads(&house).is_none() {
        println!("skipped: this account may not look at its runner");
        return;
    }
    let notes = notes(&house);
    let text = "#!/bin/sh\nsh -c 'trap \"\" TERM; echo $$ >> NOTES; exec sleep 1000' &\nread line < GATE\n";
    let gate = house.base.path().join("gate");
    rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RWXU).expect("made");
    set_mode(&gate, 0o666);
    let text = text.replace("NOTES", &notes.display().to_string());
    let mut plan = house.script("leaves", &text.replace("GATE", &gate.display().to_string()));
    plan.stop_grace = Duration::from_mins(1);
    let (mut plans, mut mains) = (Vec::new(), Vec::new());
    for _ in 0..LEFT {
        plan.run = new_run();
        mains.push(house.start(plan.clone()).await.pid);
        plans.push(plan.clone());
    }
    eventually("all have left something", || pids(&notes).len() == LEFT).await;
    // One line for each of them, whenever it comes to read.
    let mut lines = fs::File::options()
        .read(true)
        .write(true)
        .open(&gate)
        .expect("opened");
    lines.write_all(&[b'\n'; LEFT]).expect("written");
    eventually("the main processes have ended", || {
        !mains
            .iter()
            .any(|pid| fs::exists(format!("/proc/{pid}")).is_ok_and(|is| is))
    })
    .await;
    let before = reads(&house).expect("it lives");
    for _ in 0..50 {
        house.run(command(&["/bin/true"])).await;
    }
    let each = (reads(&house).expect("it lives") - before) / 50;
    assert!(each < LEFT as u64, "{each} reads for each end");
    for plan in plans {
        house.stop(&plan, StopKind::Kill).await;
        house.exited().await;
    }
}

/// The runner's only child once its run has ended: it empties the run's folder.
fn sweeper(house: &House) -> Option<Pid> {
    let pid = house.pid;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
        .map(process)
}

#[tokio::test]
async fn a_suspended_sweeper_does_not_keep_a_runner_that_was_told_to_end() {
    let mut house = House::open();
    let fill = "#!/bin/sh\ncd $HOME && seq 1 3000 | xargs mkdir\n";
    for _ in 0..100 {
        let plan = house.script("fill", fill);
        house.run(plan).await;
        // It takes a while to remove so many; should it have been missed, there is a next one.
        let found = (0..10_000).find_map(|_| sweeper(&house));
        let Some(sweeper) = found else { continue };
        if kill_process(sweeper, Signal::STOP).is_err() {
            continue;
        }
        let socket = house.base.path().join("state/runner.sock");
        kill_process(process(house.pid), Signal::TERM).expect("it lives");
        eventually("the runner has ended", || !socket.exists()).await;
        return;
    }
    panic!("no sweeper was seen");
}

/// A kill that arrives with the start reaches a child that has not come to its first step yet.
#[tokio::test]
async fn a_kill_at_the_very_beginning_ends_a_run_too() {
    let houses = [Some(House::open()), House::without_cgroups()];
    for mut house in houses.into_iter().flatten() {
        for _ in 0..100 {
            let plan = command(&["/bin/sleep", "1000"]);
            house.runner.start(plan.clone()).await.expect("sent");
            house.stop(&plan, StopKind::Kill).await;
            loop {
                match house.news().await {
                    Report::Started(_) => {}
                    Report::Exited { record, .. } => break assert!(record.stopped, "{record:?}"),
                    other => panic!("neither started nor ended: {other:?}"),
                }
            }
            let over = [(plan.run, plan.epoch)];
            house.runner.forget(&over).await.expect("sent");
        }
    }
}
