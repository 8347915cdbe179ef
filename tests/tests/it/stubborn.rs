//! The example that will not stop: it ignores TERM and leaves a process in a session of its own.
//!
//! How long its end takes is printed. A busy machine may take longer than the second after the grace
//! that is promised; what is ten seconds late is broken.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::kill_loops::server::now;
use crate::processes;
use crate::program::Program;
use crate::robot::{Robot, id};

/// `stop_grace` of the example.
const GRACE: Duration = Duration::from_secs(2);
/// After the grace, on a machine that has much else to do.
const AT_MOST: Duration = Duration::from_secs(10);
/// When it gives up by itself, in seconds; the process that it leaves lives 5 s longer.
const STUBBORN: u64 = 45;

/// A run of the example, whose process and grandchild are there; and the number of the former.
fn begun(ann: &Robot) -> (Value, i32) {
    let args = json!({"seconds": STUBBORN});
    let run = ann.start("diagnostics/stubborn", &args).expect(201).json();
    ann.until_printed(&run, "still here after 1 s");
    let said = String::from_utf8(ann.output(&run, "stdout")).expect("text");
    let named = said.lines().next().unwrap_or_default().to_owned();
    let named = named.split(|c: char| !c.is_ascii_digit());
    let named: Vec<i32> = named.filter_map(|word| word.parse().ok()).collect();
    assert_eq!(named.len(), 2, "it names itself and its grandchild: {said}");
    let alive = processes::of_run(id(&run));
    assert!(
        named.iter().all(|pid| alive.contains(pid)),
        "{named:?} live among {alive:?}"
    );
    (run, named[0])
}

/// Waits until no process of the run is left; says how long that took since `told`.
#[track_caller]
fn gone(run: &Value, told: Instant) -> Duration {
    loop {
        let left = processes::of_run(id(run));
        let took = told.elapsed();
        if left.is_empty() {
            return took;
        }
        assert!(
            took < GRACE + AT_MOST,
            "{left:?} have not ended after {took:?}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Ended by KILL, and with both of its processes.
fn judge(ann: &Robot, run: &Value) {
    let ended = ann.until(run, |run| run["state"] == "ended");
    assert_eq!(
        processes::of_run(id(run)),
        [0; 0],
        "it has ended, and yet they live"
    );
    assert_eq!(ended["outcome"], "cancelled", "{ended}");
    // How many outlived the main process for a moment is not judged: all got the same KILL.
    assert_eq!(ended["signal"], 9, "{ended}");
    let said = String::from_utf8(ann.output(run, "stdout")).expect("text");
    assert!(!said.contains("Nobody stopped me"), "{said}");
}

#[test]
fn a_stop_ends_every_process_of_the_stubborn_example_after_its_grace() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let (run, _) = begun(&ann);
    let (other, _) = begun(&ann);
    let told = now();
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &json!({}))
        .expect(202);
    let took = gone(&run, told);
    println!("no process was left {took:?} after the stop; the grace is {GRACE:?}");
    assert!(
        took >= GRACE,
        "TERM is ignored, and KILL comes after {GRACE:?}"
    );
    judge(&ann, &run);
    // Only what was told to end has ended.
    assert!(processes::of_run(id(&other)).len() >= 2);
    let other = ann.get(&format!("/api/v1/runs/{}", id(&other))).json();
    assert_eq!(other["state"], "running", "{other}");
}

#[test]
fn a_stop_goes_on_when_the_server_dies_just_after_it() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let (run, _) = begun(&ann);
    let told = now();
    ann.post(&format!("/api/v1/runs/{}/stop", id(&run)), &json!({}))
        .expect(202);
    let program = program.crash_and_restart();
    let took = gone(&run, told);
    println!("no process was left {took:?} after the stop; the grace is {GRACE:?}");
    let bob = Robot::new(&program, "bob", &["admins"]);
    judge(&bob, &run);
}

/// Nobody tells it to end: what it leaves behind is ended all the same, and counted.
#[test]
fn what_the_stubborn_example_leaves_behind_is_ended_when_it_ends_by_a_signal() {
    let program = Program::with_examples();
    let ann = Robot::user(&program);
    let (run, main) = begun(&ann);
    kill_process(Pid::from_raw(main).expect("a number"), Signal::KILL).expect("it lives");
    let ended = ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(processes::of_run(id(&run)), [0; 0]);
    assert_eq!(
        (&ended["outcome"], &ended["signal"]),
        (&json!("signalled"), &json!(9)),
        "{ended}"
    );
    assert!(ended["leftovers"].as_u64() >= Some(1), "{ended}");
}
