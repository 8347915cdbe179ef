//! The whole tree of an attempt: whatever a script starts and however it hides it, it is known,
//! counted and ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use stagedoor_domain::sandbox::{Level, Measure};
use stagedoor_runner::{Plan, Runner, StopKind};

use crate::house::*;

/// A file that scripts may write to, empty.
pub fn notes(house: &House) -> PathBuf {
    let path = house.base.path().join("notes");
    fs::write(&path, "").expect("written");
    set_mode(&path, 0o666);
    path
}

pub fn pids(notes: &Path) -> Vec<u32> {
    let text = fs::read_to_string(notes).expect("notes");
    text.lines()
        .map(|line| line.parse().expect("a number"))
        .collect()
}

/// Zombies do not count.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ") && !stat.contains(") X ")
}

/// A script that starts processes in sessions of their own, with nothing in their environment and
/// without a parent, and then does something else.
fn hider(house: &House, notes: &Path, then: &str) -> Plan {
    let hidden = "env -i setsid sh -c 'echo $$ >> NOTES; exec sleep 1000' &";
    let text = format!(
        "#!/bin/sh\n({hidden}) ; ({hidden})\nwhile [ $(wc -l < NOTES) -lt 2 ]; do sleep 0.01; done\n{then}\n"
    );
    let text = text.replace("NOTES", &notes.display().to_string());
    house.script("hider", &text)
}

#[tokio::test]
async fn what_hides_its_session_its_environment_and_its_parent_is_found_counted_and_ended() {
    let mut house = House::open();
    let notes = notes(&house);
    let plan = hider(&house, &notes, "exit 3");
    let record = house.run(plan).await.record;
    assert_eq!((record.exit_code, record.leftovers), (Some(3), 2));
    assert!(
        !record.killed && !record.stopped,
        "TERM was enough: {record:?}"
    );
    let hidden = pids(&notes);
    assert_eq!(hidden.len(), 2);
    assert!(!hidden.iter().copied().any(is_alive));
}

#[tokio::test]
async fn a_stop_reaches_what_hides_too() {
    let mut house = House::open();
    let notes = notes(&house);
    let plan = hider(&house, &notes, "echo up; while :; do sleep 1; done");
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    rustix::io::read(&started.stdout, &mut [0; 3]).expect("its first line");
    let stop = house.runner.stop(run, epoch, StopKind::Term, "asked");
    stop.await.expect("sent");
    let record = house.exited().await;
    assert!(record.stopped && !record.killed, "{record:?}");
    assert!(!pids(&notes).into_iter().any(is_alive));
}

#[tokio::test]
async fn one_that_forks_faster_than_it_can_be_looked_at_ends() {
    let mut house = House::open();
    let notes = notes(&house);
    let text = "#!/bin/sh\ntrap '' TERM\necho $$ >> NOTES\nfork() { setsid sh -c 'trap \"\" TERM; sleep 0.02; sleep 1000' & }\necho up\nwhile :; do fork; sleep 0.02; done\n";
    let text = text.replace("NOTES", &notes.display().to_string());
    let mut plan = house.script("forks", &text);
    plan.stop_grace = Duration::from_millis(100);
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    rustix::io::read(&started.stdout, &mut [0; 3]).expect("its first line");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stop = house.runner.stop(run, epoch, StopKind::Term, "asked");
    stop.await.expect("sent");
    assert!(house.exited().await.killed);
    assert!(!pids(&notes).into_iter().any(is_alive));
    let run = format!("STAGEDOOR_RUN_ID={run}");
    let of_run = |entry: fs::DirEntry| {
        let env = fs::read(entry.path().join("environ")).unwrap_or_default();
        env.split(|byte| *byte == 0)
            .any(|word| word == run.as_bytes())
    };
    let left = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|e| of_run(e).then_some(()));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn nothing_outlives_a_runner_that_is_killed_and_its_successor() {
    let mut house = House::open();
    let notes = notes(&house);
    let plan = hider(&house, &notes, "echo up; while :; do sleep 1; done");
    let started = house.start(plan).await;
    rustix::io::read(&started.stdout, &mut [0; 3]).expect("its first line");
    let hidden = pids(&notes);
    assert!(is_alive(started.pid) && hidden.iter().copied().all(is_alive));
    let runner = Pid::from_raw(i32::try_from(house.pid).expect("it fits")).expect("a pid");
    rustix::process::kill_process(runner, Signal::KILL).expect("killed");
    eventually("the main process ends with its runner", || {
        !is_alive(started.pid)
    })
    .await;
    let next = Runner::ensure(binary(), &options(house.base.path())).expect("another runner");
    assert_eq!(next.held(), 0);
    eventually("and all that it started", || {
        !hidden.iter().copied().any(is_alive)
    })
    .await;
    house.pid = next.pid().expect("a pid");
}

#[tokio::test]
async fn a_script_that_kills_what_keeps_it_ends_and_nobody_claims_to_know_how() {
    if is_root() {
        // Its parent is root's: see the twin, which holds for both.
        return;
    }
    let mut house = House::open();
    let notes = notes(&house);
    let mut plan = hider(&house, &notes, "kill -9 $PPID; sleep 1000");
    plan.sandbox.level = Level::None;
    let record = house.run(plan).await.record;
    assert_eq!(
        (record.exit_code, record.signal),
        (None, None),
        "{record:?}"
    );
    eventually("nothing is left", || {
        !pids(&notes).into_iter().any(is_alive)
    })
    .await;
    let done = house.run(command(&["/bin/true"])).await;
    assert_eq!(done.record.exit_code, Some(0), "the runner goes on");
}

#[tokio::test]
async fn a_leftover_that_kills_what_keeps_it_is_ended_all_the_same() {
    let mut house = House::open();
    let notes = notes(&house);
    let text = "#!/bin/sh\n(trap '' TERM; echo $(exec sh -c 'echo $PPID') >> NOTES; sleep 0.2; kill -9 $(cut -d' ' -f4 /proc/$(tail -1 NOTES)/stat); exec sleep 1000) &\nwhile [ $(wc -l < NOTES) -lt 1 ]; do sleep 0.01; done\nexit 6\n";
    let text = text.replace("NOTES", &notes.display().to_string());
    let mut plan = house.script("killer", &text);
    plan.stop_grace = Duration::from_secs(1);
    plan.sandbox.level = Level::None;
    let record = house.run(plan).await.record;
    assert_eq!(
        (record.exit_code, record.signal),
        (Some(6), None),
        "{record:?}"
    );
    assert!(record.killed && record.leftovers > 0, "{record:?}");
    assert!(!pids(&notes).into_iter().any(is_alive));
}

#[tokio::test]
async fn w43_a_script_cannot_end_what_keeps_it_nor_the_runner() {
    let mut house = House::open();
    let text = format!(
        "#!/bin/sh\nkill -9 $PPID && echo killed its parent; kill -9 {} && echo killed the runner; exit 4\n",
        house.pid
    );
    let plan = house.script("killer", &text);
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    if !is_root() && !started.enforced.holds(Measure::Processes) {
        println!("skipped: this kernel cannot separate processes of one account");
        let _ = house.exited().await;
        return;
    }
    let record = house.exited().await;
    assert_eq!(record.exit_code, Some(4), "{record:?}");
    assert_eq!(read_all(started.stdout), b"");
    house.runner.forget(&[(run, epoch)]).await.expect("sent");
    let done = house.run(command(&["/bin/true"])).await;
    assert_eq!(done.record.exit_code, Some(0), "the runner goes on");
}

#[tokio::test]
async fn a_script_that_sends_its_parent_term_changes_nothing() {
    let mut house = House::open();
    let plan = house.script(
        "term",
        "#!/bin/sh\nkill -TERM $PPID; kill -HUP $PPID; sleep 0.1; exit 4\n",
    );
    let record = house.run(plan).await.record;
    assert_eq!(record.exit_code, Some(4), "{record:?}");
}

#[tokio::test]
async fn every_script_has_a_cgroup_of_its_own_or_a_keeper() {
    let mut house = House::open();
    let text = "#!/bin/sh\ngrep ^0:: /proc/self/cgroup\necho $PPID\n";
    let plan = house.script("where", text);
    let text = house.run(plan).await.text();
    let (cgroup, parent) = text.trim_end().rsplit_once('\n').expect("two lines");
    let has_cgroup = cgroup.contains("/stagedoor-");
    let has_keeper = parent != house.pid.to_string();
    assert!(has_cgroup != has_keeper, "one of the two: {text}");
    println!("a cgroup: {has_cgroup}, a keeper: {has_keeper}");
}

#[tokio::test]
async fn a_script_starts_also_when_somebody_has_removed_its_cgroup() {
    let mut house = House::open();
    let plan = house.script("where", "#!/bin/sh\ngrep ^0:: /proc/self/cgroup\n");
    let text = house.run(plan.clone()).await.text();
    let own = text.trim_end().rsplit_once("/stagedoor-");
    let Some((base, cgroup)) = own.and_then(|(_, own)| own.split_once('/')) else {
        println!("skipped: no cgroups here");
        return;
    };
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
    let folders = mounts.map(|mount| mount.join(format!("stagedoor-{base}")));
    let Some(folder) = folders.into_iter().find(|folder| folder.exists()) else {
        println!("skipped: the hierarchy is mounted elsewhere");
        return;
    };
    fs::remove_dir(folder.join(cgroup)).expect("removed");
    assert!(!house.run(plan.clone()).await.text().contains(base));
    let next = house.run(plan).await.text();
    assert!(
        next.contains(base),
        "the next one has a cgroup again: {next}"
    );
}
