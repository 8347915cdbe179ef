//! `check --explain`: what it says beforehand is what a run then records.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::program::{Home, Program, as_root, stagedoor};
use crate::robot::Robot;

fn script(keys: &str) -> String {
    format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# {keys}\n# ///\n:\n"
    )
}

fn explain(home: &Home, folder: &Path, name: &str) -> (Option<i32>, String) {
    let state = home.state();
    let words = [
        "check",
        "--explain",
        name,
        folder.to_str().expect("a path"),
        "--state",
        state.to_str().expect("a path"),
    ];
    let done = stagedoor(&words, "");
    let text = [done.stdout, done.stderr].concat();
    (
        done.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// The first words of the lines below this one, up to an empty line.
fn words_below<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading));
    let below = lines.skip(1).take_while(|line| !line.is_empty());
    let mut words: Vec<&str> = below
        .map(|line| line.split_whitespace().next().expect("a word"))
        .collect();
    words.sort_unstable();
    words
}

fn recorded<'a>(list: &'a Value, word: impl Fn(&'a Value) -> &'a Value) -> Vec<&'a str> {
    let list = list.as_array().expect("a list").iter();
    let mut words: Vec<&str> = list
        .map(|one| word(one).as_str().expect("a word"))
        .collect();
    words.sort_unstable();
    words
}

fn assert_same(text: &str, run: &Value) {
    let sandbox = &run["sandbox"];
    let held = words_below(text, "Holds:");
    assert!(text.contains("\nHolds: "), "{text}");
    assert_eq!(
        held,
        recorded(&sandbox["held"], |one| one),
        "{text}\n{sandbox}"
    );
    let missing = words_below(text, "Does not hold:");
    let known = recorded(&sandbox["missing"], |one| &one["measure"]);
    assert_eq!(missing, known, "{text}\n{sandbox}");
    for one in sandbox["missing"].as_array().expect("a list") {
        let why = one["reason"].as_str().expect("a reason");
        assert!(text.contains(why), "{why}: {text}");
    }
    let level = sandbox["level"].as_str().expect("a level");
    let account = run["account"].as_str().expect("an account");
    let first = format!("would run as `{account}`, at the level `{level}`");
    assert!(text.contains(&first), "{first}: {text}");
}

fn whose() -> &'static str {
    if as_root() {
        "This holds for a server that root starts"
    } else {
        "For one that root starts, ask as root"
    }
}

const KEYS: [(&str, &str); 9] = [
    ("plain", ""),
    ("strict", "sandbox = { level = \"strict\" }"),
    ("ops/free", "sandbox = { level = \"none\" }"),
    ("ports", "sandbox = { network = [443, 8443] }"),
    ("off", "sandbox = { network = false }"),
    ("reads", "sandbox = { read = [\"/usr/share\"] }"),
    (
        "writes",
        "sandbox = { level = \"strict\", write = [\"/var/tmp\"] }",
    ),
    (
        "limited",
        "limits = { memory = \"256MiB\", cpu = \"9s\", processes = 900, file_size = \"1MiB\", open_files = 64, nice = 3 }",
    ),
    (
        "demanding",
        "sandbox = { level = \"strict\", required = true }",
    ),
];

fn folder(home: &Home) -> std::path::PathBuf {
    let texts = KEYS.map(|(name, keys)| (format!("{name}.sh"), script(keys)));
    let files = texts.each_ref().map(|(name, text)| (&**name, &**text));
    home.scripts(&files)
}

fn permit(folder: &Path) {
    let permit = "[[permit]]\nfolder = \"ops\"\nsandbox = \"none\"\n";
    fs::write(folder.join("stagedoor.toml"), permit).expect("written");
}

/// Both without and beside a server that runs.
fn compare(home: &Arc<Home>, folder: &Path, names: &[&str]) {
    let before: Vec<_> = names
        .iter()
        .map(|name| explain(home, folder, name))
        .collect();
    assert!(!home.state().exists(), "to look makes no state");
    let program = Program::serve(Arc::clone(home), folder);
    let robot = Robot::user(&program);
    for (name, (code, text)) in names.iter().zip(before) {
        let run = robot.run(name, &json!({}));
        let (code_beside, beside) = explain(home, folder, name);
        let is_refused = run["outcome"] == "refused";
        let expected = Some(i32::from(is_refused));
        assert_eq!(
            (code, code_beside),
            (expected, expected),
            "{text}{beside}{run}"
        );
        if is_refused {
            let why = run["reason"].as_str().expect("a reason");
            assert!(
                text.contains(why) && beside.contains(why),
                "{why}: {text}{beside}"
            );
            continue;
        }
        assert_eq!(run["outcome"], "succeeded", "{run}");
        assert_same(&text, &run);
        assert_same(&beside, &run);
    }
}

#[test]
fn w43_what_explain_says_beforehand_is_what_the_run_records() {
    let home = Home::new();
    let folder = folder(&home);
    fs::remove_file(folder.join("ops/free.sh")).expect("removed");
    let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    let inherited: Vec<&str> = names
        .into_iter()
        .filter(|name| *name != "ops/free")
        .collect();
    compare(&home, &folder, &inherited);
}

/// Nothing is inherited from the runner then.
#[test]
fn w43_where_some_go_without_explain_is_as_true() {
    let home = Home::new();
    let folder = folder(&home);
    permit(&folder);
    compare(
        &home,
        &folder,
        &["ops/free", "plain", "strict", "ports", "limited"],
    );
}

#[test]
fn w43_a_path_that_is_gone_and_a_definition_with_errors_are_told_with_the_refusal() {
    let home = Home::new();
    let gone = script("sandbox = { write = [\"/srv/not/there\"] }");
    let floor = script("sandbox = { level = \"none\", required = true }");
    let nowhere = script("working_directory = \"/srv/not/there\"");
    let folder = home.scripts(&[
        ("gone.sh", &*gone),
        ("ops/floor.sh", &floor),
        ("nowhere.sh", &nowhere),
    ]);
    permit(&folder);
    let (code, text) = explain(&home, &folder, "ops/floor");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("`required` has no effect") && text.contains("is not published"),
        "{text}"
    );
    compare(&home, &folder, &["gone", "nowhere"]);
    let (_, text) = explain(&home, &folder, "nowhere");
    let mend = "make it (mkdir /srv/not/there), or correct `working_directory`";
    assert!(text.contains(mend), "{text}");
    let (_, text) = explain(&home, &folder, "gone");
    assert!(text.contains("/srv/not/there: is not there"), "{text}");
    assert!(text.starts_with("gone would be refused"), "{text}");
}

/// What cannot be had is told as a run would be refused, with what there is instead.
#[test]
fn w43_what_is_demanded_and_cannot_be_had_is_told_as_the_run_is_refused() {
    if !as_root() {
        return println!(
            "skipped: all that a definition may demand can be had by this account here"
        );
    }
    let home = Home::new();
    let floor = script("sandbox = { required = true }");
    let folder = home.scripts(&[("floor.sh", &*floor), ("plain.sh", &script(""))]);
    let settings = "run_user = \"root\"\nallow_root_scripts = true\n";
    fs::write(folder.join("stagedoor.toml"), settings).expect("written");
    compare(&home, &folder, &["floor", "plain"]);
    let (code, text) = explain(&home, &folder, "floor");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("would be refused: its definition demands"),
        "{text}"
    );
    assert_eq!(
        words_below(&text, "Does not hold:"),
        ["hidden", "pinned"],
        "{text}"
    );
}

#[test]
fn w43_a_secret_that_is_not_stored_and_a_mistyped_name_are_told() {
    let home = Home::new();
    let keys = "credentials = { db = \"ops/db\" }";
    let folder = home.scripts(&[("backup.sh", &script(keys)), ("plain.sh", &script(""))]);
    let (code, text) = explain(&home, &folder, "backup");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("stagedoor secret set ops/db"), "{text}");
    let program = Program::serve(Arc::clone(&home), &folder);
    program.manage(&["secret", "set", "ops/db"], "hunter2");
    let (code, text) = explain(&home, &folder, "backup");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("`ops/db` is stored"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    // The store was read as its owner, which changes nothing of for whom this is said.
    assert!(text.contains(whose()), "{text}");
    let (code, text) = explain(&home, &folder, "bakcup");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("did you mean `backup`?"), "{text}");
}

/// Other tests look at the same time: what is theirs goes, too.
#[test]
fn w43_explain_removes_its_places_whatever_comes_of_it() {
    let places = || {
        let entries = fs::read_dir("/var/tmp").expect("there").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let own = names.filter(|name| name.starts_with("stagedoor-explain-"));
        own.collect::<std::collections::BTreeSet<String>>()
    };
    let home = Home::new();
    let gone = script("sandbox = { write = [\"/srv/not/there\"] }");
    let folder = home.scripts(&[("plain.sh", &script("")), ("gone.sh", &gone)]);
    let before = places();
    assert_eq!(explain(&home, &folder, "plain").0, Some(0));
    assert_eq!(explain(&home, &folder, "gone").0, Some(1));
    let after = places();
    let new: Vec<&String> = after.difference(&before).collect();
    let is_left = || new.iter().any(|name| places().contains(*name));
    for _ in 0..1_000 {
        if !is_left() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("left: {new:?}");
}

/// Also where nothing is said of them.
#[test]
fn w43_explain_shows_the_limits_that_stagedoor_keeps() {
    let home = Home::new();
    let keys = "timeout = \"90s\"\n# limits = { output = \"2MiB\", running = 2, queued = 7 }";
    let folder = home.scripts(&[("own.sh", &*script(keys)), ("usual.sh", &script(""))]);
    fs::write(
        folder.join("stagedoor.toml"),
        "[limits]\noutput = \"3MiB\"\n",
    )
    .expect("written");
    for (name, words) in [
        (
            "own",
            &[
                "timeout         1 min 30 s",
                "output: 2 MiB",
                "running: 2 ",
                "queued: 7 ",
            ][..],
        ),
        (
            "usual",
            &["timeout         1 h", "output: 3 MiB of each stream"],
        ),
    ] {
        let (code, text) = explain(&home, &folder, name);
        assert_eq!(code, Some(0), "{text}");
        for words in words {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    let (_, text) = explain(&home, &folder, "usual");
    assert!(!text.contains("running:"), "{text}");
}

#[test]
fn w43_explain_says_for_which_server_it_speaks() {
    let home = Home::new();
    let folder = home.scripts(&[("plain.sh", &script(""))]);
    let (code, text) = explain(&home, &folder, "plain");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(whose()), "{text}");
}
