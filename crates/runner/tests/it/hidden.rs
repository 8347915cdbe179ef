//! What a script cannot see: Stagedoor's own files, and the folders of other runs of its account.

use std::fs;

use stagedoor_domain::sandbox::{Level, Measure, Sandbox};
use stagedoor_runner::{Plan, Started};

use crate::house::*;

/// Has a file in its home, says where that is, and waits.
async fn victim(house: &mut House) -> (Started, String) {
    let body = "#!/bin/sh\necho mine > $HOME/file; chmod 777 $HOME $HOME/file; cd $HOME\necho $HOME; sleep 60\n";
    let plan = house.script("victim", body);
    let started = house.start(plan).await;
    let mut home = String::new();
    let mut output = std::io::BufReader::new(fs::File::from(
        started.stdout.try_clone().expect("a duplicate"),
    ));
    std::io::BufRead::read_line(&mut output, &mut home).expect("read");
    (started, home.trim_end().to_owned())
}

/// Tries everything with what others have; says only what worked.
fn attacks(home: &str, state: &str) -> String {
    format!(
        "#!/bin/sh
exec 2>/dev/null
cat {home}/file && echo 'read a file of another run'
echo x >> {home}/file && echo 'wrote it'
echo x > {home}/new && echo 'made one'
rm {home}/file && echo 'removed it'
mv {home} $HOME/stolen && echo 'moved it'
ln {home}/file $HOME/link && cat $HOME/link && echo 'linked it'
for fd in /proc/[0-9]*/cwd/file /proc/[0-9]*/root{home}/file; do cat $fd && echo \"read $fd\"; done
grep -q settings {state}/../stagedoor.toml && echo 'read the settings'
perl -MSocket -e 'socket(S, AF_UNIX, SOCK_SEQPACKET, 0); connect(S, sockaddr_un(\"{state}/runner.sock\")) or exit; send(S, \"\\0\\5\", 0); recv(S, my $b, 100, 0); print \"the runner answered\\n\" if length $b'
cat {state}/lock && echo 'read the state'
echo x > {state}/stolen && echo 'wrote in the state'
rm {state}/lock && echo 'removed the state'
mv {state} {state}-moved && echo 'moved the state'
echo own > $HOME/file && cat $HOME/file
echo tmp > $TMPDIR/file && mv $TMPDIR/file $HOME/moved && cat $HOME/moved
mktemp -d /tmp/stagedoor-probe.XXXXXX > $HOME/probe && echo can > $(cat $HOME/probe)/file && cat $(cat $HOME/probe)/file && rm -r $(cat $HOME/probe)
ls / > /dev/null && echo lists
pwd; cat ./hint
"
    )
}

fn at(level: Level, mut plan: Plan) -> Plan {
    plan.sandbox = Sandbox {
        level,
        ..Sandbox::default()
    };
    plan
}

/// Attacks from each level that a domain can hold.
async fn attack(house: &mut House, hides_by_landlock: bool) {
    let state = house.base.path().join("state");
    fs::write(state.join("lock"), "the server's").expect("written");
    for place in [house.base.path(), &*house.scripts()] {
        fs::write(place.join("stagedoor.toml"), "settings\n").expect("written");
        set_mode(&place.join("stagedoor.toml"), 0o644);
    }
    // As if every account could.
    set_mode(&state, if is_root() { 0o777 } else { 0o700 });
    set_mode(&state.join("lock"), 0o666);
    fs::write(house.scripts().join("hint"), "at home\n").expect("written");
    set_mode(&house.scripts().join("hint"), 0o644);
    let (_running, home) = victim(house).await;
    let attacks = attacks(&home, &state.to_string_lossy());
    for level in [Level::Standard, Level::Strict] {
        let plan = at(
            level,
            house.script(&format!("attacker-{level:?}"), &attacks),
        );
        let started = house.start(plan).await;
        println!("{level:?}: {:?}", started.enforced);
        let errors = read_all(started.stderr);
        let output = String::from_utf8_lossy(&read_all(started.stdout)).into_owned();
        house.exited().await;
        if !started.enforced.holds(Measure::Hidden) {
            assert!(!may_mount(), "{:?}", started.enforced.missing);
            println!(
                "skipped: nothing is hidden here: {:?}",
                started.enforced.missing
            );
            return;
        }
        // In the folders above what Landlock hides no script makes anything: `/tmp` in these tests.
        let beside = if hides_by_landlock { "" } else { "can\n" };
        let place = house.scripts().display().to_string();
        let wanted = format!("own\ntmp\n{beside}lists\n{place}\nat home\n");
        assert_eq!(output, wanted, "{}", String::from_utf8_lossy(&errors));
    }
    let kept = fs::read(state.join("lock")).expect("there");
    assert_eq!(kept, b"the server's");
}

/// Whether this process may make a view.
fn may_mount() -> bool {
    let tried = std::process::Command::new("/usr/bin/unshare")
        .args(["--mount", "/bin/true"])
        .status();
    is_root() && tried.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn w43_a_script_reaches_neither_the_files_of_another_run_nor_the_state() {
    attack(&mut House::open(), !is_root()).await;
}

/// In most containers.
#[tokio::test]
async fn w43_nor_where_root_may_not_mount() {
    if !is_root() {
        println!("skipped: an ordinary user may not mount anyway");
        return;
    }
    if let Some(mut house) = House::behind("/usr/bin/setpriv --bounding-set -sys_admin") {
        attack(&mut house, true).await;
    }
}

/// Landlock lists what there is beside the way to what it hides.
#[tokio::test]
async fn what_came_beside_the_state_since_is_seen_by_the_next_script() {
    let mut house = House::open();
    let beside = house.base.path().join("beside");
    let look = format!("#!/bin/sh\ncat {}\n", beside.display());
    for text in ["one\n", "two\n"] {
        let _ = fs::remove_file(&beside);
        fs::write(&beside, text).expect("written");
        set_mode(&beside, 0o644);
        let plan = house.script("look", &look);
        assert_eq!(house.run(plan).await.text(), text);
    }
}

/// An ordinary account's scripts may change each other and what stands among them, in any case.
#[tokio::test]
async fn settings_are_hidden_also_after_they_were_edited() {
    let mut house = House::open();
    let (own, among) = (
        house.base.path().join("stagedoor.toml"),
        house.scripts().join("stagedoor.toml"),
    );
    let (shown, shown_among) = (own.display(), among.display());
    let look = format!("#!/bin/sh\ncat {shown} 2>&- || echo refused\ncat {shown_among}\n");
    for text in ["one\n", "two\n"] {
        for file in [&own, &among] {
            let new = file.with_extension("new");
            fs::write(&new, text).expect("written");
            set_mode(&new, 0o644);
            fs::rename(&new, file).expect("renamed");
        }
        let plan = house.script("look", &look);
        let wanted = if is_root() {
            String::new()
        } else {
            format!("refused\n{text}")
        };
        assert_eq!(house.run(plan).await.text(), wanted);
    }
}

#[tokio::test]
async fn what_the_system_mounts_and_unmounts_later_is_so_for_scripts_too() {
    if !is_root() {
        println!("skipped: an ordinary user mounts nothing");
        return;
    }
    let mut house = House::open();
    let place = house.base.path().join("mounted");
    fs::create_dir(&place).expect("made");
    let look = format!("#!/bin/sh\nls {}\n", place.display());
    let plan = house.script("look", &look);
    assert_eq!(house.run(plan).await.text(), "");
    let command = |line: String| {
        let status = std::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(line)
            .status();
        status.is_ok_and(|status| status.success())
    };
    let shown = place.display();
    if !command(format!("mount -t tmpfs none {shown} && touch {shown}/file")) {
        println!("skipped: this root may not mount");
        return;
    }
    let plan = house.script("look", &look);
    let seen = house.run(plan).await.text();
    assert!(command(format!("umount {shown}")), "it is busy");
    assert_eq!(seen, "file\n");
    let plan = house.script("look", &look);
    assert_eq!(house.run(plan).await.text(), "");
}

/// Who hands descriptors of its own folder on to another script finds none of a third one behind them.
#[tokio::test]
async fn a_folder_serves_one_script_alone() {
    let mut house = House::open();
    let mut folders = Vec::new();
    for name in ["one", "two", "one", "two"] {
        let plan = house.script(name, "#!/bin/sh\nstat -c %i $HOME/..\n");
        folders.push(house.run(plan).await.text());
    }
    assert_eq!(folders[0], folders[2]);
    assert_eq!(folders[1], folders[3]);
    assert_ne!(folders[0], folders[1]);
}

/// A descriptor of the folder that was there would be a way past the view.
#[tokio::test]
async fn where_the_scripts_were_moved_nothing_is_promised_to_be_hidden_by_a_view() {
    let mut house = House::open();
    let plan = house.script("look", "#!/bin/sh\necho here\n");
    let started = house.start(plan.clone()).await;
    assert!(started.enforced.holds(Measure::Hidden) || !may_mount());
    house.exited().await;
    let moved = house.base.path().join("moved");
    fs::rename(house.scripts(), &moved).expect("renamed");
    fs::create_dir(house.scripts()).expect("made");
    let started = house
        .start(Plan {
            run: new_run(),
            ..plan
        })
        .await;
    assert_eq!(read_all(started.stdout), b"here\n");
    let missing = &started.enforced.missing;
    let said = missing
        .iter()
        .any(|(measure, why)| *measure == Measure::Hidden && why.contains("moved or replaced"));
    assert!(said || !may_mount(), "{missing:?}");
}

#[tokio::test]
async fn what_a_loose_script_is_not_kept_from_is_not_said_to_be_hidden() {
    let base = new_base();
    let mut options = options(base.path());
    options.some_go_without = true;
    let connection = stagedoor_runner::Runner::ensure(binary(), &options).expect("a runner");
    let mut house = House::with(base, connection);
    let plan = at(Level::None, house.script("look", "#!/bin/sh\ntrue\n"));
    let enforced = house.start(plan).await.enforced;
    assert!(!enforced.holds(Measure::Hidden), "{enforced:?}");
    assert!(
        enforced
            .missing
            .iter()
            .any(|(measure, _)| *measure == Measure::Hidden)
    );
}
