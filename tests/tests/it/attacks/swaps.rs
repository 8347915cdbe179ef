//! To change what runs between its check and its start: the file, a link in its place, the folder above,
//! swapped in a loop while runs are started.
//!
//! `STAGEDOOR_SWAPS` says how often a run is started (200 when not set), `STAGEDOOR_SEED` repeats a loop.

mod stock;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use self::stock::{AWAY, BINARY, COMMAND, LINKED, ONE, OPEN, OTHER, SHEBANG, Stock, Swapped};
use super::{Arena, holds, shell};
use crate::kill_loops::chance::{Dice, number, seed};
use crate::program::{as_root, command};

const ALL: [&str; 5] = [ONE, OTHER, AWAY, LINKED, OPEN];

/// Why a start is refused while these are swapped.
const REASONS: [&str; 6] = [
    "was moved or replaced at this moment",
    "changed between the click and the start",
    "is a symbolic link",
    "may be changed by every account",
    "cannot be opened",
    "is gone",
];

/// What came of the starts.
#[derive(Debug, Default)]
struct Tally {
    /// Which content ran, by its name.
    ran: BTreeMap<String, u64>,
    /// Why others did not.
    refused: BTreeMap<String, u64>,
    /// Not there at the click.
    absent: u64,
}

/// Ends the swapping, also where a start was not as it should be.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts runs while somebody swaps.
fn race(arena: &Arena, stock: &mut Stock, judge: impl Fn(&Value)) -> Tally {
    let (times, seed) = (number("STAGEDOOR_SWAPS").unwrap_or(200), seed());
    println!(
        "{}: {times} starts, STAGEDOOR_SEED={seed}",
        stock.swapped.name
    );
    let says = stock.swapped.says;
    let texts: BTreeMap<String, &str> = ALL.into_iter().map(|which| (says(which), which)).collect();
    let (name, is_over) = (stock.swapped.name, AtomicBool::new(false));
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let over = Over(&is_over);
        let swapper = scope.spawn(|| {
            let mut dice = Dice::new(seed);
            while !is_over.load(Ordering::Relaxed) {
                stock.swap(&mut dice);
            }
        });
        let mut started = 0;
        while started < times {
            let body = json!({"script": name, "args": {}});
            let answer = arena.mallory.post("/api/v1/runs?wait=60", &body);
            if answer.status == 404 {
                tally.absent += 1;
                assert!(tally.absent < 10 * times, "it is never there: {tally:?}");
                continue;
            }
            started += 1;
            let run = answer.expect(201).json();
            if run["outcome"] == "refused" {
                let reason = run["reason"].as_str().expect("a reason").to_owned();
                let is_known = REASONS.iter().any(|known| reason.contains(known));
                assert!(is_known, "{run}");
                *tally.refused.entry(reason).or_default() += 1;
                continue;
            }
            judge(&run);
            let text = arena.printed(&run);
            let which = texts.get(&text).copied().unwrap_or("something else");
            *tally.ran.entry(which.to_owned()).or_default() += 1;
            assert!(
                which != "something else",
                "{run}: {text:?}, none of {texts:?}"
            );
            if swapper.is_finished() {
                break;
            }
        }
        drop(over);
        swapper.join().expect("it swapped until the end");
    });
    println!("{name}: {tally:?}");
    // Else nothing was tried. Most starts are refused; a few hundred are too few to see each content run.
    let kinds = if times < 5_000 { 1 } else { 2 };
    let (ran, refused) = (tally.ran.len(), tally.refused.len());
    assert!(ran >= kinds && refused > 0, "{tally:?}");
    tally
}

/// When nobody swaps any more it runs as it stands there.
#[track_caller]
fn runs_again(arena: &Arena, stock: &mut Stock) {
    stock.as_it_was();
    let run = arena.mallory.run(stock.swapped.name, &json!({}));
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(arena.printed(&run), (stock.swapped.says)(ONE), "{run}");
}

#[test]
fn w36_only_the_binary_that_was_checked_ever_runs_whoever_swaps_it() {
    binary_race(BINARY);
}

#[test]
fn w36_only_the_command_that_was_checked_ever_runs_whoever_swaps_its_program() {
    binary_race(COMMAND);
}

fn binary_race(swapped: Swapped) {
    let arena = Arena::with(&[]);
    let mut stock = Stock::new(&arena, swapped);
    let tally = race(&arena, &mut stock, |run| {
        assert!(holds(run, "pinned", "binaries"), "{run}");
    });
    for which in [LINKED, OPEN] {
        assert_eq!(tally.ran.get(which), None, "{tally:?}");
    }
    runs_again(&arena, &mut stock);
}

#[test]
fn w36_a_script_that_is_swapped_runs_whole_or_is_refused_and_the_record_says_where_it_is_not_pinned()
 {
    let arena = Arena::with(&[]);
    let mut stock = Stock::new(&arena, SHEBANG);
    let tally = race(&arena, &mut stock, |run| {
        // The owner, who is root, may swap; no account that scripts run as may.
        let pinned = run["sandbox"]["held"].to_string().contains("pinned");
        assert_eq!(pinned, as_root(), "{run}");
        let missing = run["sandbox"]["missing"].to_string();
        assert_eq!(missing.contains("pinned"), !as_root(), "{run}");
    });
    println!(
        "by a link that the owner put there: {:?}",
        tally.ran.get(LINKED)
    );
    runs_again(&arena, &mut stock);
}

/// Somebody else's file, one that waits for its turn, is changed meanwhile.
#[test]
fn w36_what_changed_between_the_click_and_the_start_is_refused() {
    let arena = Arena::with(&[]);
    let gate = arena.home.dir().join("gate");
    let body = format!(
        "echo up; until [ -e {} ]; do sleep 0.05; done",
        gate.display()
    );
    arena.add("ops/turn.sh", &shell("limits = { running = 1 }", &body));
    let start = || arena.bob.start("ops/turn", &json!({})).expect(201).json();
    let first = start();
    arena.bob.until_printed(&first, "up");
    let second = start();
    assert_eq!(second["state"], "queued", "{second}");
    let text = shell("limits = { running = 1 }", "echo changed");
    let new = arena.home.dir().join("new");
    fs::write(&new, text).expect("written");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("chmod");
    fs::rename(&new, arena.program.scripts().join("ops/turn.sh")).expect("renamed");
    fs::write(&gate, "").expect("written");
    let ended = |run| arena.bob.until(run, |run| run["state"] == "ended");
    assert_eq!(ended(&first)["outcome"], "succeeded");
    let second = ended(&second);
    assert_eq!(second["outcome"], "refused", "{second}");
    let reason = second["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("changed between the click and the start"),
        "{second}"
    );
    // Whoever clicks again gets what stands there now.
    let third = arena.bob.run("ops/turn", &json!({}));
    assert_eq!(arena.bob.output(&third, "stdout"), b"changed\n");
}

/// What a script does that wants to put another one in the place of a script.
const SWAPPER: &str = "exec 2>/dev/null
cp $PWD/ops/job.sh $HOME/evil.sh; ln -s /bin/sh $HOME/link
mv $HOME/evil.sh $PWD/ops/job.sh && echo 'put a file'
mv $HOME/link $PWD/ops/job.sh && echo 'put a link'
rm -f $PWD/ops/job.sh && echo 'removed it'
(echo x >> $PWD/ops/job.sh) && echo 'wrote in it'
chmod 777 $PWD/ops/job.sh && echo 'opened it'
mv $PWD/ops $PWD/ops2 && mv $PWD/ops2 $PWD/ops && echo 'moved its folder'
ln -s /tmp $PWD/ops3 && echo 'put a link beside'
touch $PWD/ops/other.sh && echo 'put another one'
echo tried";

#[test]
fn w37_the_account_of_scripts_can_swap_nothing_where_it_is_not_the_owner() {
    let mut arena = Arena::with(&[("swapper.sh", &shell("", SWAPPER))]);
    let mut stock = Stock::new(&arena, SHEBANG);
    let run = arena.attack("swapper");
    let text = arena.printed(&run);
    if as_root() {
        assert_eq!(text, "tried\n", "{run}");
        // Nor outside its sandbox.
        let body = SWAPPER.replace("$PWD", arena.program.scripts().to_str().expect("text"));
        let mut outside = command(Path::new("/bin/sh"));
        outside
            .args(["-c", &body])
            .env("HOME", "/tmp")
            .uid(7374)
            .gid(7374);
        assert_eq!(outside.output().expect("it starts").stdout, b"tried\n");
        runs_again(&arena, &mut stock);
    } else {
        println!("one account for everything swaps what it likes: {text}");
        assert!(text.contains("wrote in it\n"), "{text}");
        assert!(
            run["sandbox"]["missing"].to_string().contains("pinned"),
            "{run}"
        );
    }
}
