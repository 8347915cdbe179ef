//! To stay when the run is over: as a process that hides, or as bytes on the disk of the state.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{Arena, assert_over_limit, perl, shell};
use crate::processes;
use crate::program::Home;
use crate::robot::id;
use crate::small_disk::SmallDisk;

/// Ignores every signal that can be ignored, forks twice, and begins a session of its own in between;
/// has neither environment, streams nor a parent in the end.
const HIDE: &str = r#"
use POSIX qw(setsid);
$SIG{$_} = 'IGNORE' for grep { !/^(KILL|STOP|CHLD|CLD)$/ } split(' ', $Config::Config{sig_name});
sub hide {
    my ($then) = @_;
    return if fork;
    setsid();
    exit 0 if fork;
    setsid(); setpgrp(0, 0); chdir('/'); %ENV = ();
    print "hidden\n";
    close($_) for (*STDIN, *STDOUT, *STDERR);
    $then->();
    exec('/bin/sleep', 'MARK');
}
"#;

fn alive(mark: &str) -> Vec<i32> {
    let has_mark = |pid: &i32| {
        processes::command_line(*pid)
            .iter()
            .any(|word| word == mark)
    };
    processes::numbers().filter(has_mark).collect()
}

#[test]
fn w43_who_forks_twice_with_a_session_of_its_own_and_ignores_all_signals_ends_with_its_run() {
    let mark = format!("54321.{}", std::process::id());
    let hide = format!("use Config;\n{}", HIDE.replace("MARK", &mark));
    let leave = format!("{hide}\nhide(sub {{}}) for 1 .. 3; select(undef, undef, undef, 0.5);");
    let stay = format!("{hide}\nhide(sub {{}}) for 1 .. 3; sleep 1 while 1;");
    // Each one that hides makes the next before it ends, and so on.
    let relay = format!(
        "{hide}\nsub relay {{ $0 = 'MARK'; while (1) {{ select(undef, undef, undef, 0.01); fork and exit 0; setsid() }} }}\n\
         hide(\\&relay); sleep 1 while 1;"
    );
    let (relay, grace) = (relay.replace("MARK", &mark), "stop_grace = \"300ms\"");
    let mut arena = Arena::with(&[
        ("leave.pl", &perl(grace, &leave)),
        ("stay.pl", &perl(grace, &stay)),
        ("relay.pl", &perl(grace, &relay)),
    ]);
    let run = arena.attack("leave");
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert!(run["leftovers"].as_u64() >= Some(1), "{run}");
    assert_eq!(alive(&mark), [0; 0]);
    for name in ["stay", "relay"] {
        let run = arena.mallory.start(name, &json!({})).expect(201).json();
        arena.mallory.until_printed(&run, "hidden");
        arena.others_go_on();
        // The search finds what is there.
        let mut looks = 0;
        while alive(&mark).is_empty() {
            looks += 1;
            assert!(looks < 600, "nothing hides");
            thread::sleep(Duration::from_millis(50));
        }
        let stop = format!("/api/v1/runs/{}/stop", id(&run));
        arena.mallory.post(&stop, &json!({})).expect(202);
        let run = arena.watch(&run);
        assert_eq!(
            (&run["outcome"], &run["signal"]),
            (&json!("cancelled"), &json!(9)),
            "{run}"
        );
        assert_eq!(alive(&mark), [0; 0]);
    }
}

#[test]
fn w43_who_fills_the_disk_of_the_state_takes_no_page_and_no_run_that_was_accepted() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home.state(), "16m") else {
        return;
    };
    let yes = shell(
        "limits = { output = \"24MiB\" }\n# stop_grace = \"1s\"",
        "exec yes",
    );
    let mut arena = Arena::on(home, &[("yes.sh", &yes)]);
    let begun = arena.bob.start("fine", &json!({})).expect(201).json();
    let flood = arena.mallory.start("yes", &json!({})).expect(201).json();
    let refused = (0..2_000).map(|_| arena.bob.start("fine", &json!({})));
    let refused = refused.into_iter().find(|answer| answer.status != 201);
    let refused = refused.expect("the disk is full some time").expect(507);
    println!("told: {}", refused.text());
    for _ in 0..10 {
        assert_eq!(arena.cleo.get("/").status, 200);
    }
    // Its output waits, and it with it, until there is room.
    let still = arena.mallory.get(&format!("/api/v1/runs/{}", id(&flood)));
    assert_ne!(still.expect(200).json()["state"], "ended");
    assert!(disk.remount("size=64m"), "there is room again");
    let again = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(50));
        arena.bob.start("fine", &json!({})).status == 201
    });
    assert!(again, "runs are accepted again");
    let run = arena.watch(&flood);
    assert_over_limit(&run, "limits.output", "24 MiB");
    let begun = arena.bob.until(&begun, |run| run["state"] == "ended");
    assert_eq!(begun["outcome"], "succeeded", "{begun}");
}
