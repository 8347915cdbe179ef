//! What the command line says to who asks as the wrong account, permits what nobody needs, or starts a
//! server that cannot keep scripts apart.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::sync::Arc;
use std::time::Duration;

use crate::program::{Home, Program, as_root, binary, command, stagedoor};

const PLAIN: &str = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\n:\n";
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_state_of_another_account_is_told_as_that_and_not_as_a_failing_disk() {
    if !as_root() {
        return println!("skipped: only root can ask as another account");
    }
    let home = Home::new();
    let folder = home.scripts(&[("plain.sh", PLAIN)]);
    let program = Program::serve(home, &folder);
    let ask = |uid: u32| {
        command(&binary())
            .args(["audit-log", "list", "--state"])
            .arg(program.state())
            .uid(uid)
            .gid(uid)
            .output()
    };
    let refused = match ask(65534) {
        Ok(output) => output,
        Err(error) => return println!("skipped: uid 65534 cannot start this program: {error}"),
    };
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(
        text.contains("belongs to") && text.contains("runs as uid 65534"),
        "{text}"
    );
    assert!(text.contains("sudo") && !text.contains("disk"), "{text}");
    // Root goes on as the owner.
    let listed = program.manage(&["audit-log", "list"], "");
    assert!(listed.contains("server_started"), "{listed}");
}

#[test]
fn a_new_token_says_its_number_and_one_that_administers_is_for_no_scripts() {
    let home = Home::new();
    let folder = home.scripts(&[("plain.sh", PLAIN)]);
    let program = Program::serve(home, &folder);
    let words = [
        "user",
        "add",
        "ann",
        "--group",
        "admins",
        "--password-stdin",
    ];
    program.manage(&words, "four words are better");
    let state = program.state();
    let state = state.to_str().expect("a path");
    let create = |more: &[&str]| {
        let words = [
            &["token", "create", "--user", "ann", "--state", state][..],
            more,
        ];
        stagedoor(&words.concat(), "")
    };
    let made = create(&["--may", "admin"]);
    let text = String::from_utf8_lossy(&made.stderr).into_owned();
    let (_, number) = text
        .split_once("stagedoor token revoke ")
        .unwrap_or_else(|| panic!("no number: {text}"));
    let ended = program.manage(&["token", "revoke", number.trim()], "");
    assert!(ended.contains("is ended"), "{ended}");
    let refused = create(&["--may", "view,admin", "--scripts", "plain"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("`admin` is not about scripts"), "{text}");
    assert!(refused.stdout.is_empty(), "no token is shown");
}

#[test]
fn w43_check_warns_of_what_cannot_be_meant_and_finds_no_error_in_it() {
    let home = Home::new();
    let narrow = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# sandbox = { read = [\"/srv/not/there\"] }\n# limits = { processes = 1 }\n# ///\n:\n";
    let folder = home.scripts(&[("narrow.sh", narrow)]);
    let permit = "[[permit]]\nfolder = \"gone\"\nsandbox = \"none\"\n";
    fs::write(folder.join("stagedoor.toml"), permit).expect("written");
    let done = stagedoor(&["check", folder.to_str().expect("a path")], "");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{text}");
    for words in [
        "warning: stagedoor.toml has a [[permit]] for the folder `gone`, and no script is in it",
        "warning: `/srv/not/there` in `sandbox.read` of `narrow` is not there",
        "warning: `narrow` has `limits.processes = 1`",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// Nothing that follows from what could not be read stands beside it.
#[test]
fn w43_check_tells_a_mistake_in_the_settings_first_and_what_follows_from_it_never() {
    let home = Home::new();
    let wants = |keys: &str| PLAIN.replace("# ///\n:", &format!("# {keys}\n# ///\n:"));
    let folder = home.scripts(&[
        ("ops/who.sh", &*wants("run_as = \"backup\"")),
        ("ops/free.sh", &wants("sandbox = { level = \"none\" }")),
        ("ops/many.sh", &wants("limits = { processes = 9000 }")),
        ("bad.sh", &wants("titel = \"x\"")),
    ]);
    let settings = folder.join("stagedoor.toml");
    let good = "[[permit]]\nfolder = \"ops\"\nsandbox = \"none\"\nrun_as = [\"backup\"]\nlimits = { processes = 9000 }\n";
    let check = || {
        let done = stagedoor(&["check", folder.to_str().expect("a path")], "");
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned(),
        )
    };
    fs::write(&settings, good.replace("run_as", "runas")).expect("written");
    let (code, text) = check();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with(&settings.display().to_string()), "{text}");
    assert!(text.contains("did you mean `run_as`?"), "{text}");
    assert!(
        !text.contains("permit scripts") && !text.contains("permits nothing"),
        "{text}"
    );
    assert!(!text.contains("does not permit"), "{text}");
    assert!(text.contains("`stagedoor serve` would not start"), "{text}");
    assert!(text.contains("3 scripts, 1 error."), "{text}");
    fs::remove_file(folder.join("bad.sh")).expect("removed");
    let (code, text) = check();
    assert_eq!(code, Some(1), "{text}");
    assert!(!text.contains("no errors.\n"), "{text}");
    fs::write(&settings, good).expect("written");
    let (code, text) = check();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("3 scripts, no errors.\n"), "{text}");
    // The twin of the silence: what is not permitted is told, and when a permit counts.
    fs::write(&settings, "").expect("written");
    let (code, text) = check();
    assert_eq!(code, Some(1), "{text}");
    let count = text
        .matches("which counts from the next start of `stagedoor serve`")
        .count();
    assert_eq!(count, 3, "{text}");
}

/// Once, not again when its settings are read again.
#[test]
fn w43_a_server_that_root_did_not_start_says_once_what_one_account_means() {
    const SAID: &str = "scripts run as the same account";
    let home = Home::new();
    let folder = home.scripts(&[("plain.sh", PLAIN)]);
    let program = Program::serve(Arc::clone(&home), &folder);
    fs::write(folder.join("stagedoor.toml"), "[limits]\nrunning = 3\n").expect("written");
    program.hang_up();
    program.until_logged("limits.running", PATIENCE);
    let times = program.log().matches(SAID).count();
    assert_eq!(times, usize::from(!as_root()), "{}", program.log());
}
