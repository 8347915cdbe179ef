//! What the command line says where something is missing, of no use, or not to be known from where
//! it is asked.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use crate::program::{Home, Program, stagedoor};
use crate::secure::HELLO;

const PASSWORD: &str = "four words are better";

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn served() -> Program {
    let home = Home::new();
    let folder = home.scripts(&[HELLO]);
    let program = Program::serve(home, &folder);
    for (name, group) in [("root", "admins"), ("ann", "ops")] {
        let words = ["user", "add", name, "--group", group, "--password-stdin"];
        program.manage(&words, PASSWORD);
    }
    program
}

/// These words about the state of this server, and about its folder of scripts or another one.
fn ask(program: &Program, words: &str, folder: Option<&str>) -> Output {
    let (state, own) = (program.state(), program.scripts().to_owned());
    let mut all: Vec<&str> = words.split(' ').collect();
    all.extend(["--state", state.to_str().expect("text")]);
    all.extend(["--folder", folder.unwrap_or(own.to_str().expect("text"))]);
    stagedoor(&all, "")
}

#[test]
fn what_depends_on_the_scripts_says_which_folder_it_has_read() {
    let program = served();
    let own = program.scripts().canonicalize().expect("a folder");
    let read = format!("Read {}: 1 script.", own.display());
    let empty = tempfile::tempdir().expect("a folder");
    let elsewhere = empty.path().to_str();
    for words in ["may ann run hello", "grant list", "group list"] {
        let text = said(&ask(&program, words, None));
        assert!(text.contains(&read), "{words}: {text}");
        let text = said(&ask(&program, words, elsewhere));
        assert!(text.contains("There are no scripts in "), "{words}: {text}");
        assert!(text.contains("--folder DIR"), "{words}: {text}");
    }
    let untold = ask(&program, "may ann run hello", elsewhere);
    assert!(!said(&untold).contains("no: "), "{}", said(&untold));
    assert_eq!(untold.status.code(), Some(1));
    // Whoever administers needs no script for it.
    let told = ask(&program, "may root admin", elsewhere);
    assert!(said(&told).starts_with("yes: "), "{}", said(&told));
}

#[test]
fn a_grant_that_gives_nobody_anything_more_says_so_when_it_is_made() {
    let program = served();
    let add = |words: &str| said(&ask(&program, &format!("grant add {words}"), None));
    let plain = add("--group ops --scripts * --may run");
    assert_eq!(plain, "Grant 1: ops may run: *.\n");
    for (words, why) in [
        (
            "--group ops --scripts * --may run",
            "Nothing was added: grant 1 says it already",
        ),
        (
            "--group ops --scripts hello --may view",
            "grant 1 gives all of it already",
        ),
        (
            "--group ops --scripts nix/* --may stop",
            "no script fits `nix/*`",
        ),
        (
            "--group nobodys --scripts * --may run",
            "nobody is in the group `nobodys`",
        ),
        (
            "--group admins --scripts * --may run",
            "may do everything already",
        ),
    ] {
        let text = add(words);
        assert!(text.contains(why), "{words}: {text}");
    }
    let more = add("--group ops --scripts hello --may output");
    assert!(!more.contains("warning"), "{more}");
    let listed = said(&ask(&program, "grant list", None));
    let warning = "warning: grant 2: grant 1 gives all of it already: ops may run: *";
    assert!(listed.contains(warning), "{listed}");
    // From elsewhere it is made too, and not judged by scripts that are not there.
    let empty = tempfile::tempdir().expect("a folder");
    let words = "grant add --group ops --scripts other/* --may stop";
    let text = said(&ask(&program, words, empty.path().to_str()));
    assert!(text.contains(": ops may stop: other/*."), "{text}");
    assert!(!text.contains("no script fits"), "{text}");
}

#[test]
fn a_token_that_would_be_worth_nothing_is_not_made() {
    let program = served();
    let state = program.state();
    let create = |words: &str| {
        let mut all = vec!["token", "create", "--user", "ann"];
        all.extend(words.split_whitespace());
        all.extend(["--state", state.to_str().expect("text")]);
        stagedoor(&all, "")
    };
    for (from, why) in [
        ("300.1", "`300.1` is not a network; write 10.0.0.0/8"),
        (
            "10.0.0.1/8",
            "`10.0.0.1/8` is an address inside a larger network",
        ),
    ] {
        let refused = create(&format!("--from {from}"));
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains(why), "{}", said(&refused));
    }
    assert!(create("--from 10.0.0.0/8").status.success());
    program.manage(&["user", "disable", "ann"], "");
    let refused = create("");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("ann is disabled"),
        "{}",
        said(&refused)
    );
    assert!(said(&refused).contains("stagedoor user enable ann"));
    assert_eq!(
        program
            .manage(&["token", "list"], "")
            .matches("may ")
            .count(),
        1
    );
}

#[test]
fn where_an_argument_is_missing_the_error_shows_how_it_is_written() {
    for (words, missing, example) in [
        (
            &["blocked", "lift"][..],
            "<ID>",
            "stagedoor blocked lift --all",
        ),
        (
            &["user", "add"],
            "<NAME>",
            "stagedoor user add ann --group ops",
        ),
        (
            &["user", "passwd", "ann"],
            "--password-stdin",
            "stagedoor user passwd ann",
        ),
        (
            &["group", "add", "ops"],
            "<USER>",
            "stagedoor group add ops ann",
        ),
    ] {
        let output = stagedoor(words, "");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(missing), "{words:?}: {text}");
        assert!(text.contains(example), "{words:?}: {text}");
    }
    let unknown = stagedoor(&["user", "add", "--such"], "");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(!said(&unknown).contains("Example"), "{}", said(&unknown));
}

#[test]
fn the_log_is_exported_into_a_folder_of_whoever_asks() {
    let program = served();
    let folder = tempfile::tempdir().expect("a folder");
    // As the home of root is: nobody else may write there, the server's account neither.
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder.path(), closed).expect("chmod");
    let export = |path: &std::path::Path| {
        let state = program.state();
        let words = ["audit-log", "export", "--output"];
        let more = [path.to_str(), Some("--state"), state.to_str()];
        let all: Vec<&str> = words
            .into_iter()
            .chain(more.into_iter().flatten())
            .collect();
        stagedoor(&all, "")
    };
    let file = folder.path().join("audit.jsonl");
    let done = export(&file);
    assert!(done.status.success(), "{}", said(&done));
    let text = std::fs::read_to_string(&file).expect("written");
    assert_eq!(text, program.manage(&["audit-log", "export"], ""));
    let mode = std::fs::metadata(&file)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    for (path, why) in [
        (file, "is there already; name a new file"),
        (
            folder.path().join("no/such"),
            "name another place, or leave --output out",
        ),
    ] {
        let refused = export(&path);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains(why), "{}", said(&refused));
    }
}
