//! Who else could change what runs: `stagedoor check` says so, with the command that mends it (W32, W34 to
//! W37), and what is told of interpreters (W4) and accounts (W43).

use std::fs::{self, Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use serde_json::json;

use crate::program::{Home, Program, as_root, stagedoor};
use crate::robot::Robot;

fn script(keys: &str, body: &str) -> String {
    format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# {keys}\n# ///\n{body}\n"
    )
}

fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

/// What it says, which is no error.
fn check(folder: &Path) -> String {
    let (code, text) = asked(folder);
    assert_eq!(code, Some(0), "{text}");
    text
}

fn asked(folder: &Path) -> (Option<i32>, String) {
    let done = stagedoor(&["check", folder.to_str().expect("a path")], "");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.status.code(), text)
}

/// The warnings about places below this folder: whoever runs the tests has their own ones above it.
fn warnings(folder: &Path) -> Vec<String> {
    let below = folder.to_str().expect("a path").to_owned();
    let text = check(folder);
    let warnings = text.lines().filter(|line| line.starts_with("warning: "));
    let warnings = warnings.filter(|line| line.contains(&below));
    warnings.map(str::to_owned).collect()
}

#[test]
fn w32_w34_w35_what_others_may_write_is_told_by_its_path_with_the_command() {
    let home = Home::new();
    let folder = home.scripts(&[
        ("ops/a.sh", &script("", ":")),
        ("ops/b.stagedoor.toml", "command = [\"ls\"]\n"),
        ("ops/_folder.stagedoor.toml", "title = \"T\"\n"),
        ("stagedoor.toml", ""),
    ]);
    let places = [
        "ops/a.sh",
        "ops/b.stagedoor.toml",
        "ops/_folder.stagedoor.toml",
        "stagedoor.toml",
        "ops",
        ".",
    ];
    for place in places {
        mode(&folder.join(place), 0o755);
    }
    let settings = [
        ("ops/b.stagedoor.toml", 0o444),
        ("stagedoor.toml", 0o400),
        ("ops/a.sh", 0o555),
    ];
    for (place, closed) in settings {
        mode(&folder.join(place), closed);
    }
    assert_eq!(warnings(&folder), Vec::<String>::new());
    for place in places {
        let path = folder.join(place);
        let before = fs::metadata(&path).expect("there").permissions();
        mode(&path, 0o775);
        let said = warnings(&folder);
        let shown = path.canonicalize().expect("there").display().to_string();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said.concat().contains(&format!("`chmod g-w {shown}`")),
            "{said:?}"
        );
        set_permissions(&path, before).expect("chmod");
    }
    assert_eq!(warnings(&folder), Vec::<String>::new());
    // Of a folder everybody may write, nothing is published from a file, but the folder is told.
    mode(&folder.join("ops"), 0o757);
    let said = warnings(&folder).concat();
    assert!(said.contains("`chmod o-w "), "{said}");
}

#[test]
fn w35_a_folder_in_which_everybody_may_put_files_is_told_however_far_above() {
    let home = Home::new();
    let shared = home.dir().join("shared");
    fs::create_dir_all(shared.join("scripts")).expect("mkdir");
    let folder = shared.join("scripts");
    fs::write(folder.join("a.sh"), script("", ":")).expect("written");
    for (path, bits) in [
        (folder.join("a.sh"), 0o755),
        (folder.clone(), 0o755),
        (shared.clone(), 0o755),
    ] {
        mode(&path, bits);
    }
    let about = |text: &str| {
        let wanted = format!("may put files into {}, below", shared.display());
        text.contains(&wanted)
    };
    assert!(!about(&check(&folder)));
    mode(&shared, 0o1777);
    assert!(about(&check(&folder)), "{}", check(&folder));
}

#[test]
fn w35_what_belongs_to_an_account_of_scripts_or_of_the_server_is_told() {
    if !as_root() {
        return println!("skipped: one account owns everything here");
    }
    let home = Home::new();
    let folder = home.scripts(&[("ops/a.sh", &script("", ":")), ("stagedoor.toml", "")]);
    fs::write(
        folder.join("stagedoor.toml"),
        "user = \"7373\"\nrun_user = \"7374\"\n",
    )
    .expect("written");
    mode(&folder.join("stagedoor.toml"), 0o644);
    for place in ["ops", "."] {
        mode(&folder.join(place), 0o755);
    }
    assert_eq!(warnings(&folder), Vec::<String>::new());
    for (uid, what) in [
        (7374, "as which scripts run"),
        (7373, "as which the server runs"),
        (7999, "uid 7999, who owns"),
    ] {
        chown(folder.join("ops"), Some(uid), None).expect("chown");
        let said = warnings(&folder);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said.concat().contains(what) && said.concat().contains("`chown root "),
            "{said:?}"
        );
    }
    chown(folder.join("ops"), Some(0), None).expect("chown");
    assert_eq!(warnings(&folder), Vec::<String>::new());
}

#[test]
fn w4_an_environment_that_scripts_can_change_is_told_and_one_that_is_gone_is_explained() {
    if !Path::new("/usr/bin/python3").exists() {
        return println!("skipped: there is no Python here");
    }
    let home = Home::new();
    let venv = home.dir().join("env");
    fs::create_dir_all(venv.join("bin")).expect("mkdir");
    symlink("/usr/bin/python3", venv.join("bin/python")).expect("a link");
    fs::write(venv.join("pyvenv.cfg"), "home = /usr/bin\n").expect("written");
    for (place, bits) in [("bin", 0o755), ("pyvenv.cfg", 0o644), (".", 0o755)] {
        mode(&venv.join(place), bits);
    }
    let keys = format!("venv = \"{}\"", venv.display());
    let folder = home.scripts(&[("report.py", &script(&keys, "import sys; print(sys.prefix)"))]);
    mode(&folder, 0o755);
    let about_venv = || {
        let text = check(&folder);
        let of = |line: &&str| line.contains(venv.to_str().expect("a path"));
        text.lines().filter(of).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(about_venv(), "");
    mode(&venv.join("bin"), 0o757);
    assert!(about_venv().contains("`chmod o-w "), "{}", about_venv());
    mode(&venv.join("bin"), 0o755);
    if as_root() {
        chown(venv.join("pyvenv.cfg"), Some(7374), None).expect("chown");
        let said = about_venv();
        assert!(
            said.contains("as which scripts run") && said.contains("`chown root "),
            "{said}"
        );
        chown(venv.join("pyvenv.cfg"), Some(0), None).expect("chown");
    }

    let program = Program::serve(home, &folder);
    let ann = Robot::user(&program);
    let run = ann.run("report", &json!({}));
    let output = String::from_utf8_lossy(&ann.output(&run, "stdout")).into_owned();
    assert_eq!(output.trim(), venv.to_str().expect("a path"), "{run}");
    // It goes after the definition was read.
    fs::remove_dir_all(&venv).expect("removed");
    let run = ann.run("report", &json!({}));
    assert_eq!(run["outcome"], "refused", "{run}");
    let reason = run["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("/env/bin/python`") && reason.contains("no such file"),
        "{run}"
    );
    let done = stagedoor(&["check", folder.to_str().expect("a path")], "");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(1), "{text}");
    assert!(text.contains("there is no Python environment in"), "{text}");
}

#[test]
fn w43_check_tells_of_accounts_that_are_not_there_or_that_can_do_much() {
    let home = Home::new();
    let lost = script("run_as = \"no-such-account\"", ":");
    let folder = home.scripts(&[("ops/lost.sh", &lost), ("stagedoor.toml", "")]);
    let permit = |accounts: &str| {
        let text = format!("[[permit]]\nfolder = \"ops\"\nrun_as = [{accounts}]\n");
        fs::write(folder.join("stagedoor.toml"), text).expect("written");
    };
    permit("\"no-such-account\"");
    let text = check(&folder);
    assert!(
        text.contains("`no-such-account`, and this machine has no such account"),
        "{text}"
    );
    let needs_root = text.contains(
        "`ops/lost` is to run as `no-such-account`, which takes a server that was started as root",
    );
    assert_eq!(needs_root, !as_root(), "{text}");
    if as_root() {
        permit("\"no-such-account\", \"daemon\"");
        let usual = "user = \"daemon\"\n";
        let both = fs::read_to_string(folder.join("stagedoor.toml")).expect("read");
        fs::write(folder.join("stagedoor.toml"), format!("{usual}{both}")).expect("written");
        let (code, text) = asked(&folder);
        assert_eq!(code, Some(1), "{text}");
        assert!(!text.contains("no errors.\n"), "{text}");
        assert!(
            text.contains("would not start: no script may run as `daemon`"),
            "{text}"
        );
    }
}
