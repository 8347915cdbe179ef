//! What a script prints of its secrets (W24): nobody sees it, while the run goes on and afterwards,
//! and no file keeps it, whatever dies in the middle.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::hostile::files_with;
use crate::person::Person;
use crate::processes::{command_line, environment, numbers, runner};
use crate::program::{Home, Program, as_root, command};
use crate::robot::{Robot, id};

const SECRET: &str = "s3cr3t-9f2a-never-again";
const FIRST_HALF: &str = "s3cr3t-9f2a-";
const SECOND_HALF: &str = "never-again";

/// Prints its secret: whole, then a first half; behind the gate the second half, and again whole.
const CANARY: &str = r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# [[param]]
# name = "token"
# secret = true
# ///
t=$(cat "$CREDENTIALS_DIRECTORY/token")
first=${t%never-again}
echo "begin <$t>"
echo "to stderr <$t>" >&2
printf 'half: %s' "$first"
i=0
while [ ! -e "@GATE@" ] && [ $i -lt 3000 ]; do sleep 0.02; i=$((i+1)); done
printf '%s.\n' "${t#"$first"}"
echo "end <$t>"
"#;

/// What is seen of it at the gate, and in the end.
const AT_THE_GATE: &str = "begin <***********************>\nhalf: ";
const IN_THE_END: &str = "begin <***********************>\nhalf: ***********************.\n\
                          end <***********************>\n";
const ERRORS: &str = "to stderr <***********************>\n";

/// A server with the canary, whose gate is shut.
struct Cage {
    home: Arc<Home>,
    gate: PathBuf,
    scripts: PathBuf,
}

impl Cage {
    fn new() -> Self {
        let home = Home::new();
        let gate = home.dir().join("gate");
        let text = CANARY.replace("@GATE@", gate.to_str().expect("text"));
        let scripts = home.scripts(&[("canary.sh", &text)]);
        Self {
            home,
            gate,
            scripts,
        }
    }

    fn serve(&self) -> Program {
        Program::serve(Arc::clone(&self.home), &self.scripts)
    }

    fn open(&self) {
        fs::write(&self.gate, "").expect("written");
    }

    /// While the run goes on it stands in its segments, which no other account may read, in its own
    /// credentials folder, and nowhere else: the search finds what is there.
    #[track_caller]
    fn assert_kept_where_it_must_be(&self) {
        // The state lies in the home.
        let files: BTreeSet<String> = self.files().into_iter().collect();
        let (own, others): (Vec<_>, Vec<_>) = files
            .iter()
            .map(PathBuf::from)
            .partition(|path| path.ends_with("credentials/token"));
        assert!(own.len() <= 1, "{own:?}");
        assert_eq!(others.len(), 2, "both streams: {others:?}");
        for path in others {
            assert!(path.starts_with(self.home.state()), "{path:?}");
            let is_segment = ["out", "err"]
                .iter()
                .any(|kind| path.extension().is_some_and(|e| e == *kind));
            assert!(is_segment, "{path:?}");
            let mode =
                |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o077;
            assert_eq!((mode(&path), mode(&self.home.state())), (0, 0), "{path:?}");
        }
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        files_with(self.home.dir(), SECRET.as_bytes(), &mut found);
        files_with(&self.home.state(), SECOND_HALF.as_bytes(), &mut found);
        found
    }
}

/// Starts the canary and waits until it stands at its gate.
fn at_the_gate(ann: &Robot) -> Value {
    let run = ann
        .start("canary", &json!({"token": SECRET}))
        .expect(201)
        .json();
    ann.until_printed(&run, "half: ");
    // Through a pipe of its own, so perhaps later.
    let mut looks = 0;
    while ann.output(&run, "stderr").is_empty() {
        looks += 1;
        assert!(looks < 1_000, "it printed nothing to stderr");
        thread::sleep(Duration::from_millis(20));
    }
    run
}

/// Everything that shows output, by what it is asked for.
fn doors(ann: &Robot, run: &Value) -> Vec<String> {
    let paths = [
        "lines",
        "lines?stream=stdout",
        "lines?stream=stderr",
        "output?stream=stdout",
        "output?stream=stderr",
        "search?q=half",
        "search?q=s3cr3t",
        "search?q=s3cr3t-9f2a-never-again",
        "search?q=begin",
        "",
    ];
    let path = |path| format!("/api/v1/runs/{}/{path}", id(run));
    let ask = |what| ann.get(path(what).trim_end_matches('/')).expect(200).text();
    paths.map(ask).to_vec()
}

#[track_caller]
fn assert_silent(texts: &[String]) {
    for text in texts {
        assert!(!text.contains(FIRST_HALF), "{text}");
        assert!(!text.contains(SECOND_HALF), "{text}");
    }
}

#[track_caller]
fn assert_masked(cage: &Cage, ann: &Robot, run: &Value) {
    let text = |stream| String::from_utf8_lossy(&ann.output(run, stream)).into_owned();
    assert_eq!(text("stdout"), IN_THE_END);
    assert_eq!(text("stderr"), ERRORS);
    assert_silent(&doors(ann, run));
    let found = ann.get(&format!("/api/v1/runs/{}/search?q={SECRET}", id(run)));
    assert_eq!(found.expect(200).json()["items"], json!([]));
    assert_eq!(cage.files(), Vec::<String>::new());
}

#[test]
fn w24_no_viewer_sees_a_secret_that_a_script_prints_while_it_goes_on_or_later() {
    let cage = Cage::new();
    let mut program = cage.serve();
    let mut ada = Person::first(&mut program);
    let ann = Robot::new(&program, "bob", &["admins"]);
    let run = at_the_gate(&ann);
    let page = format!("/runs/{}", id(&run));
    let (events, viewer) = (
        format!("/api/v1{page}/events"),
        Robot::new(&program, "cleo", &["admins"]),
    );
    let viewer = thread::spawn(move || viewer.get(&events).expect(200).text());
    let seen = ann.output(&run, "stdout");
    assert_eq!(String::from_utf8_lossy(&seen), AT_THE_GATE);
    // What is held back does not come by waiting.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(ann.output(&run, "stdout"), seen);
    let range = format!("/api/v1/runs/{}/output?stream=stdout", id(&run));
    for from in 0..AT_THE_GATE.len() {
        let part = ann.get_range(&range, &format!("bytes={from}-")).text();
        assert_eq!(part, AT_THE_GATE[from..]);
    }
    assert_silent(&doors(&ann, &run));
    assert_silent(&[ada.get(&page).text()]);
    cage.assert_kept_where_it_must_be();
    for pid in numbers() {
        let words = [command_line(pid), environment(pid)].concat();
        assert!(!words.iter().any(|word| word.contains(SECRET)), "{words:?}");
    }
    cage.open();
    let ended = ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(ended["args"]["token"], "***");
    let live = viewer.join().expect("a viewer");
    assert_silent(std::slice::from_ref(&live));
    assert!(live.contains("half: ***********************."), "{live}");
    assert_masked(&cage, &ann, &run);
    assert_silent(&[ada.get(&page).text(), program.log()]);
    // Another server reads the same.
    let program = program.crash_and_restart();
    let ann = Robot::new(&program, "dora", &["admins"]);
    assert_masked(&cage, &ann, &run);
}

#[test]
fn w24_after_kill_9_of_the_server_the_next_one_hides_and_masks_the_secret() {
    let cage = Cage::new();
    let program = cage.serve();
    let run = at_the_gate(&Robot::user(&program));
    cage.assert_kept_where_it_must_be();
    let program = program.crash_and_restart();
    cage.assert_kept_where_it_must_be();
    let ann = Robot::new(&program, "bob", &["admins"]);
    let seen = ann.output(&run, "stdout");
    assert_eq!(String::from_utf8_lossy(&seen), AT_THE_GATE);
    assert_silent(&doors(&ann, &run));
    cage.open();
    ann.until(&run, |run| run["state"] == "ended");
    assert_masked(&cage, &ann, &run);
}

/// Nobody can tell how the run ended, but what it printed of its secret is masked all the same.
fn after_the_runner_is_killed(also_the_server: bool) {
    let cage = Cage::new();
    let program = cage.serve();
    let run = at_the_gate(&Robot::user(&program));
    let pid = runner(&program.state()).expect("a runner");
    let kill = || {
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("not 0");
        kill_process(pid, Signal::KILL).expect("killed");
    };
    let program = if also_the_server {
        program.crash_and_spoil(|_| kill())
    } else {
        kill();
        // It ends by itself then.
        assert_eq!(program.ended(), Some(70));
        cage.serve()
    };
    let ann = Robot::new(&program, "bob", &["admins"]);
    let ended = ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "lost", "{ended}");
    // The first half is cut off, and masked as far as it came.
    let seen = String::from_utf8_lossy(&ann.output(&run, "stdout")).into_owned();
    assert_eq!(seen, format!("{AT_THE_GATE}************"));
    assert_silent(&doors(&ann, &run));
    let mut found = cage.files();
    files_with(&program.state(), FIRST_HALF.as_bytes(), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn w24_after_kill_9_of_the_runner_the_secret_is_masked() {
    after_the_runner_is_killed(false);
}

#[test]
fn w24_after_kill_9_of_server_and_runner_the_secret_is_masked() {
    after_the_runner_is_killed(true);
}

/// Without the value in it, output is what the script wrote, with a secret and without.
#[test]
fn output_without_a_secret_in_it_is_byte_for_byte_what_was_printed() {
    let body = "i=0; while [ $i -lt 300 ]; do printf '%s \\033[31m\\377s3cr3t-9f2a\\r\\n' $i; i=$((i+1)); done; printf s3c";
    let script = |keys: &str| {
        format!(
            "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n{keys}# ///\n{body}\n"
        )
    };
    let with = script("# [[param]]\n# name = \"token\"\n# secret = true\n");
    let program = Program::with_scripts(&[("with.sh", &with), ("without.sh", &script(""))]);
    let ann = Robot::user(&program);
    let mut expected = Vec::new();
    for i in 0..300 {
        expected.extend(format!("{i} \x1b[31m").bytes());
        expected.extend(b"\xffs3cr3t-9f2a\r\n");
    }
    expected.extend(b"s3c");
    let run = ann.run("with", &json!({"token": SECRET}));
    assert!(ann.output(&run, "stdout") == expected);
    let run = ann.run("without", &json!({}));
    assert!(ann.output(&run, "stdout") == expected);
}

/// As root, the server and its scripts have accounts of their own; else one account does everything.
#[test]
fn w24_what_holds_for_root_holds_for_an_ordinary_user_too() {
    if !as_root() {
        return println!(
            "skipped: this is the ordinary user already; start as root for both halves"
        );
    }
    let own = std::env::current_exe().expect("this program");
    let again = command(&own)
        .args(["masked::", "--skip", "ordinary_user"])
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .env("TMPDIR", "/tmp")
        .output();
    match again {
        Err(error) => println!("skipped: uid 65534 cannot start this program: {error}"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}");
            let some = text.contains("running ") && !text.contains("running 0");
            assert!(some, "{text}");
        }
    }
}

/// A stored secret that is set anew while the run goes on: what the run was given is masked.
#[test]
fn w24_a_stored_secret_that_was_set_anew_meanwhile_is_masked_as_the_run_was_given_it() {
    let cage = Cage::new();
    let canary = fs::read_to_string(cage.scripts.join("canary.sh")).expect("a script");
    let param = "# [[param]]\n# name = \"token\"\n# secret = true\n";
    let listed = canary.replace(param, "# credentials = { token = \"canary\" }\n");
    assert_ne!(canary, listed);
    fs::write(cage.scripts.join("canary.sh"), listed).expect("written");
    let program = cage.serve();
    program.manage(&["secret", "set", "canary"], SECRET);
    let ann = Robot::user(&program);
    let run = ann.start("canary", &json!({})).expect(201).json();
    ann.until_printed(&run, "half: ");
    assert_silent(&doors(&ann, &run));
    program.manage(&["secret", "set", "canary"], "another-one-by-now");
    let program = program.crash_and_restart();
    let ann = Robot::new(&program, "bob", &["admins"]);
    assert_silent(&doors(&ann, &run));
    cage.open();
    ann.until(&run, |run| run["state"] == "ended");
    assert_masked(&cage, &ann, &run);
}

/// As after a backup that has the database and not the key: nothing is shown, and nothing is lost.
#[test]
fn w24_output_whose_secrets_do_not_open_is_seen_by_nobody_until_the_key_is_back() {
    let cage = Cage::new();
    let program = cage.serve();
    let run = at_the_gate(&Robot::user(&program));
    let key = program.state().join("secret.key");
    let away = program.state().join("away");
    let program = program.crash_and_spoil(|_| fs::rename(&key, &away).expect("moved"));
    let ann = Robot::new(&program, "bob", &["admins"]);
    assert_silent(&doors(&ann, &run));
    cage.open();
    let ended = ann.until(&run, |run| run["state"] == "ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    let reason = ended["reason"].as_str().expect("a reason");
    assert!(reason.contains("`secret.key`"), "{reason}");
    assert!(program.log().contains(id(&run)), "{}", program.log());
    assert_silent(&doors(&ann, &run));
    let stars = ann.output(&run, "stdout");
    assert_eq!(stars.len(), IN_THE_END.len());
    assert!(stars.iter().all(|byte| b"*\n".contains(byte)), "{stars:?}");
    let program = program.crash_and_spoil(|_| fs::rename(&away, &key).expect("moved back"));
    let ann = Robot::new(&program, "cleo", &["admins"]);
    ann.until(&run, |run| run["reason"].is_null());
    for _ in 0..1000 {
        if cage.files().is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_masked(&cage, &ann, &run);
}
