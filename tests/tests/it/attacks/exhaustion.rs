//! To use up what others need: processes, memory, disk, descriptors, watches, the reader of output.

use std::fs;

use serde_json::json;

use super::{Arena, assert_over_limit, holds, perl, shell};
use crate::kill_loops::chance::number;
use crate::program::as_root;
use crate::robot::id;

/// What ends an attack that nothing else has ended.
const AT_MOST: &str = "timeout = \"10s\"\n# stop_grace = \"1s\"";

fn limited(limits: &str) -> String {
    format!("limits = {{ {limits} }}\n# {AT_MOST}")
}

/// Where a run is not counted as a whole its account is: all tests of this account together have fewer.
const MANY: &str = "processes = 600";

#[test]
fn w43_a_fork_bomb_is_stopped_by_its_limit_and_others_go_on() {
    let few = if as_root() { "processes = 60" } else { MANY };
    let bomb = "bomb() { bomb | bomb & }; bomb; sleep 2; /bin/true; exit 3";
    // All of its processes fork for ever, whatever is said to them.
    let deaf = "$SIG{TERM} = $SIG{HUP} = $SIG{INT} = 'IGNORE'; while (1) { fork }";
    let keys = format!("timeout = \"2s\"\n# stop_grace = \"1s\"\n# limits = {{ {few} }}");
    let mut arena = Arena::with(&[
        ("bomb.sh", &shell(&limited(few), bomb)),
        ("deaf.pl", &perl(&keys, deaf)),
    ]);
    let run = arena.attack("bomb");
    if holds(&run, "run_processes", "the limit in the outcome") {
        assert_over_limit(&run, "limits.processes", "60");
    } else {
        assert_ne!(run["outcome"], "succeeded", "{run}");
    }
    let run = arena.attack("deaf");
    let reason = run["reason"].as_str().unwrap_or_default();
    assert_eq!(run["outcome"], "timed_out", "{run}");
    assert!(
        reason.contains("2.0 s") && reason.contains("timeout"),
        "{run}"
    );
}

#[test]
fn w43_a_memory_bomb_is_stopped_by_its_limit_and_others_go_on() {
    let keys = limited("memory = \"100MiB\"");
    let one = "my @x; push @x, 'x' x (1 << 20) while 1;";
    let crowd = "fork; fork; fork; my $x = 'x' x 40_000_000; sleep 1; exit 3;";
    let mut arena = Arena::with(&[
        ("one.pl", &perl(&keys, one)),
        ("crowd.pl", &perl(&keys, crowd)),
    ]);
    for name in ["one", "crowd"] {
        let run = arena.attack(name);
        if holds(&run, "run_memory", "the limit in the outcome") {
            assert_over_limit(&run, "limits.memory", "100 MiB");
        } else {
            assert!(holds(&run, "memory", "any limit of memory"), "{run}");
            assert_eq!(run["outcome"], "failed", "{run}");
        }
    }
}

#[test]
fn w43_a_disk_is_not_filled_beyond_a_limit_and_what_was_written_is_gone() {
    let keys = limited("file_size = \"1MiB\"");
    let body = "echo $HOME; exec dd if=/dev/zero of=$HOME/large bs=65536";
    let mut arena = Arena::with(&[("filler.sh", &shell(&keys, body))]);
    let run = arena.attack("filler");
    assert_over_limit(&run, "limits.file_size", "1 MiB");
    let home = arena.printed(&run);
    let large = format!("{}/large", home.trim_end());
    assert!(
        large.starts_with('/') && fs::metadata(&large).is_err(),
        "{large}"
    );
}

#[test]
fn w43_who_opens_all_that_can_be_opened_takes_it_from_nobody() {
    let files =
        "my @f; while (open(my $f, '<', '/dev/null')) { push @f, $f } print scalar(@f), \" $!\\n\"";
    // inotify_init1: all that the kernel gives one account.
    let watches = "my @w; while ((my $w = syscall(INIT, 0)) >= 0) { push @w, $w } print \"full $!\\n\"; sleep 600";
    let init = if cfg!(target_arch = "x86_64") {
        "294"
    } else {
        "26"
    };
    let watches = watches.replace("INIT", init);
    let mut arena = Arena::with(&[
        ("files.pl", &perl(&limited("open_files = 64"), files)),
        ("watches.pl", &perl("", &watches)),
        (
            "all.pl",
            &perl(
                AT_MOST,
                "my @f; for (1 .. 8) { last if !fork } while (open(my $f, '<', '/dev/null')) { push @f, $f } sleep 1;",
            ),
        ),
    ]);
    let run = arena.attack("files");
    assert_eq!(arena.printed(&run), "61 Too many open files\n", "{run}");
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(arena.attack("all")["outcome"], "succeeded");

    let run = arena
        .mallory
        .start("watches", &json!({}))
        .expect(201)
        .json();
    arena.mallory.until_printed(&run, "full");
    // The server goes on to see what changes, and so does the next.
    arena.add("news.sh", &shell("", "echo news"));
    assert_eq!(arena.bob.run("news", &json!({}))["outcome"], "succeeded");
    let mut arena = arena.after_a_crash();
    arena.add("later.sh", &shell("", "echo later"));
    assert_eq!(arena.bob.run("later", &json!({}))["outcome"], "succeeded");
    let still = arena
        .mallory
        .get(&format!("/api/v1/runs/{}", id(&run)))
        .json();
    assert_eq!(still["state"], "running", "{still}");
    let stop = format!("/api/v1/runs/{}/stop", id(&run));
    arena.mallory.post(&stop, &json!({})).expect(202);
    let run = arena.watch(&run);
    assert_eq!(run["outcome"], "cancelled", "{run}");
}

/// Makes shared objects of 1 MiB and fills them; says when it is told that there are no more. Each is
/// marked to be removed when nobody has it any more, so that this test leaves none behind.
const OBJECTS: &str = "use IPC::SysV qw(IPC_PRIVATE IPC_RMID shmat memwrite);
my $many = 0;
for (1 .. 200) {
    my $id = shmget(IPC_PRIVATE, 1 << 20, 0600);
    if (!defined $id) { print \"no more: $!\\n\"; last }
    my $at = shmat($id, undef, 0); shmctl($id, IPC_RMID, 0);
    defined $at or last;
    memwrite($at, 'x' x (1 << 20), 0, 1 << 20); $many++;
}
print \"$many\\n\"; exit 3;";

/// A file in memory and its like with `.N` behind, which go with the test.
struct InMemory(String);

impl Drop for InMemory {
    fn drop(&mut self) {
        let numbered = (1..=4).map(|n| format!("{}.{n}", self.0));
        for name in numbered.chain([self.0.clone()]) {
            let _ = fs::remove_file(name);
        }
    }
}

#[test]
fn w43_shared_memory_is_bounded_and_what_is_left_of_it_harms_no_later_run() {
    let keys = limited("memory = \"100MiB\", file_size = \"200MiB\"");
    let name = format!("/dev/shm/stagedoor-attack-{}", std::process::id());
    let leavings = InMemory(name.clone());
    let left = format!("echo {name} >&2; exec head -c 80000000 /dev/zero > {name}");
    let many = format!(
        "trap 'rm -f {name}.*' EXIT; for n in 1 2 3 4; do head -c 40000000 /dev/zero > {name}.$n; done; exit 3"
    );
    let own = "my $x = 'x' x 30_000_000; print \"had it\\n\";";
    let strict = "sandbox = { level = \"strict\" }";
    let mut arena = Arena::with(&[
        ("left.sh", &shell(&keys, &left)),
        ("many.sh", &shell(&keys, &many)),
        ("own.pl", &perl(&keys, own)),
        ("objects.pl", &perl(&keys, OBJECTS)),
        ("strict.pl", &perl(strict, OBJECTS)),
        ("file.sh", &shell(&limited("file_size = \"1MiB\""), &left)),
    ]);
    assert_over_limit(&arena.attack("file"), "limits.file_size", "1 MiB");
    let run = arena.attack("strict");
    assert_eq!(
        arena.printed(&run),
        "no more: Operation not permitted\n0\n",
        "{run}"
    );
    let run = arena.attack("left");
    assert_eq!(run["outcome"], "succeeded", "{run}");
    // What it has left is not charged to whom it does not belong.
    for _ in 0..3 {
        let run = arena.attack("own");
        assert_eq!(arena.printed(&run), "had it\n", "{run}");
    }
    drop(leavings);
    let _leavings = InMemory(name);
    for attack in ["many", "objects"] {
        let run = arena.attack(attack);
        if holds(
            &run,
            "run_memory",
            "shared memory, which no limit of a single process counts",
        ) {
            assert_over_limit(&run, "limits.memory", "100 MiB");
        }
    }
}

#[test]
fn w43_output_without_end_is_stopped_by_its_limit_or_its_time_and_read_meanwhile() {
    let seconds = number("STAGEDOOR_ATTACK_SECONDS").unwrap_or(3);
    let slow = "trap '' TERM HUP INT; while :; do yes | head -c 8192; sleep 0.01; done";
    let keys = format!(
        "timeout = \"{seconds}s\"\n# stop_grace = \"1s\"\n# limits = {{ output = \"4GiB\" }}"
    );
    let mut arena = Arena::with(&[
        ("yes.sh", &shell(&limited("output = \"4MiB\""), "exec yes")),
        ("slow.sh", &shell(&keys, slow)),
    ]);
    let run = arena.attack("yes");
    assert_over_limit(&run, "limits.output", "4 MiB");
    let run = arena.mallory.start("slow", &json!({})).expect(201).json();
    let lines = format!("/api/v1/runs/{}/lines", id(&run));
    arena.mallory.until_printed(&run, "y\n");
    arena.mallory.get(&lines).expect(200);
    let run = arena.watch(&run);
    assert_eq!(run["outcome"], "timed_out", "{run}");
    arena.mallory.get(&lines).expect(200);
}
