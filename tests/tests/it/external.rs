//! Row W30: a command of the operator knows passwords. It speaks for nobody but who was asked for,
//! and whatever else it does, nobody is let in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use crate::program::{self, Home, Program};
use crate::robot::PASSWORD;
use crate::secure::HELLO;
use crate::throttle::somebody::Somebody;

/// Does what the name says. `@SEEN@` is a file for what it was given.
const COMMAND: &str = r#"#!/bin/sh
IFS= read -r asked || [ -n "$asked" ]
answer() { printf '{"user":"%s","groups":[%s]}' "$1" "$2"; }
case "$asked" in *'"password":"the right one"'*) ;; *) exit 1 ;; esac
case "$asked" in
  *'"user":"good"'*) printf '%s' "$asked" >@SEEN@.stdin
    tr '\0' '\n' <"/proc/$$/cmdline" >@SEEN@.argv
    tr '\0' '\n' <"/proc/$$/environ" >@SEEN@.env
    answer good '"ops","admins"' ;;
  *'"user":"plain"'*) answer plain '' ;;
  *'"user":"moved"'*) answer moved "$(cat @SEEN@.groups)" ;;
  *'"user":"root"'*) answer root '"admins"' ;;
  *'"user":"crash"'*) answer crash ''; kill -SEGV $$ ;;
  *'"user":"late"'*) answer late ''; exec sleep 60 ;;
  *'"user":"garbage"'*) echo 'yes, let them in' ;;
  *'"user":"silent"'*) : ;;
  *'"user":"shout"'*) answer shout ''; head -c 70000 /dev/zero | tr '\0' ' ' ;;
  *'"user":"endless"'*) answer endless ''; exec yes ;;
  *'"user":"another"'*) answer good '' ;;
  *'"user":"more"'*) echo '{"user":"more","groups":[],"admin":true}' ;;
  *'"user":"twice"'*) answer twice ''; answer twice '' ;;
  *'"user":"aside"'*) answer aside '' >&2 ;;
  *'"user":"fails"'*) answer fails ''
    printf 'no directory at 10.0.0.1\n\nand more of it\n' >&2; exit 3 ;;
  *'"user":"tells"'*) printf 'not found: %s\n' "$asked" >&2; exit 4 ;;
  *'"user":"binary"'*) answer binary '"\377"' ;;
esac
"#;

/// A server with that command.
fn serve(more: &str) -> (Program, Arc<Home>) {
    let home = Home::new();
    let command = home.dir().join("check-password");
    let seen = home.dir().join("seen");
    fs::create_dir(&seen).expect("a folder");
    fs::set_permissions(&seen, fs::Permissions::from_mode(0o777)).expect("chmod");
    let seen = seen.join("it");
    let text = COMMAND.replace("@SEEN@", seen.to_str().expect("text"));
    fs::write(&command, text).expect("written");
    fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("chmod");
    let settings = format!(
        "[sign_in]\ncommand = [\"{}\", \"--quick\"]\ncommand_timeout = \"2s\"\n{more}\n",
        command.display()
    );
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", &settings)]);
    let program = Program::serve(Arc::clone(&home), &folder);
    let words = [
        "user",
        "add",
        "root",
        "--group",
        "admins",
        "--password-stdin",
    ];
    program.manage(&words, PASSWORD);
    (program, home)
}

fn seen(home: &Home, what: &str) -> String {
    fs::read_to_string(home.dir().join(format!("seen/it.{what}"))).expect("it was asked")
}

#[test]
fn w30_who_the_command_knows_gets_an_account_and_the_groups_it_names() {
    let (program, home) = serve("");
    let signed_in = Somebody::at(&program, 2).sign_in(" Good", "the right one");
    assert_eq!(signed_in.status, 303, "{}", signed_in.text());
    assert_eq!(
        Somebody::at(&program, 3)
            .sign_in("plain", "the right one")
            .status,
        303
    );
    let users = program.manage(&["user", "list"], "");
    let of = |name: &str| {
        users
            .lines()
            .find(|line| line.starts_with(name))
            .map(str::to_owned)
    };
    assert!(
        of("good").is_some_and(|line| line.ends_with(" ops  (external)")),
        "{users}"
    );
    assert!(
        of("plain").is_some_and(|line| line.ends_with("  (external)")),
        "{users}"
    );

    let asked: serde_json::Value = serde_json::from_str(&seen(&home, "stdin")).expect("JSON");
    let expected = serde_json::json!({
        "user": "good", "password": "the right one", "address": "127.0.0.2",
    });
    assert_eq!(asked, expected);
    assert!(seen(&home, "argv").ends_with("check-password\n--quick\n"));
    for elsewhere in ["argv", "env"] {
        assert!(!seen(&home, elsewhere).contains("the right one"));
    }
    assert!(!program.log().contains("the right one"));

    let groups = home.dir().join("seen/it.groups");
    for (named, kept) in [("\"a\",\"b\"", "a, b"), ("\"b\"", "b")] {
        fs::write(&groups, named).expect("written");
        assert_eq!(
            Somebody::at(&program, 4)
                .sign_in("moved", "the right one")
                .status,
            303
        );
        let users = program.manage(&["user", "list"], "");
        let line = users
            .lines()
            .find(|line| line.starts_with("moved"))
            .expect("a line");
        assert!(line.ends_with(&format!(" {kept}  (external)")), "{line}");
    }
    program.manage(&["user", "disable", "plain"], "");
    let disabled = Somebody::at(&program, 3).sign_in("plain", "the right one");
    assert_eq!(disabled.status, 401);
}

#[test]
fn w30_a_command_that_does_anything_else_lets_nobody_in() {
    let (program, _home) = serve("failures = 100");
    let faults = [
        "crash",
        "late",
        "garbage",
        "silent",
        "shout",
        "endless",
        "another",
        "more",
        "twice",
        "aside",
        "fails",
        "binary",
        "nobody",
        "plain/../good",
    ];
    for (n, name) in (20..).zip(faults) {
        let answer = Somebody::at(&program, n).sign_in(name, "the right one");
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
    }
    let wrong = Somebody::at(&program, 3).sign_in("plain", "not the right one");
    assert_eq!(wrong.status, 401);
    let users = program.manage(&["user", "list"], "");
    assert_eq!(users.lines().count(), 1, "only the local one: {users}");
    // The positive twin: the same command, asked for somebody whom it knows.
    assert_eq!(
        Somebody::at(&program, 3)
            .sign_in("plain", "the right one")
            .status,
        303
    );
    for why in [
        "took too long",
        "more than 64 KiB",
        "somebody else",
        "not JSON",
        "signal",
    ] {
        program.until_logged(why, Duration::from_secs(10));
    }
}

#[test]
fn w30_local_accounts_go_on_and_no_command_speaks_for_them() {
    let (program, home) = serve("");
    assert_eq!(
        Somebody::at(&program, 2).sign_in("root", PASSWORD).status,
        303
    );
    let by_command = Somebody::at(&program, 3).sign_in("root", "the right one");
    assert_eq!(by_command.status, 401);
    assert_eq!(
        Somebody::at(&program, 4)
            .sign_in("good", "the right one")
            .status,
        303
    );
    // Without its command an external account is closed, and the local one is not.
    fs::remove_file(home.dir().join("check-password")).expect("removed");
    assert_eq!(
        Somebody::at(&program, 4)
            .sign_in("good", "the right one")
            .status,
        401
    );
    assert_eq!(
        Somebody::at(&program, 2).sign_in("root", PASSWORD).status,
        303
    );
    // The operator takes it over.
    program.manage(&["user", "passwd", "good", "--password-stdin"], PASSWORD);
    let taken = Somebody::at(&program, 4).sign_in("good", PASSWORD);
    assert_eq!(taken.status, 303);
    let words = ["audit-log", "list", "--act", "password_changed"];
    let log = program.manage(&words, "");
    assert_eq!(log.matches("became=local").count(), 1, "{log}");
}

#[test]
fn w30_who_has_their_password_elsewhere_confirms_it_there_and_cannot_change_it_here() {
    let (program, _home) = serve("");
    let mut good = Somebody::at(&program, 2);
    assert_eq!(good.sign_in("good", "the right one").status, 303);
    // The page has no form for it; somebody may send one all the same.
    let change = |good: &mut Somebody, old: &str| {
        let page = good.send("GET", "/account", &[], "").expect(200).text();
        assert!(!page.contains("/account/password"), "{page}");
        assert!(page.contains("your password is not kept here"), "{page}");
        let mut form = crate::form::Form::of(&page, "/logout");
        "/account/password".clone_into(&mut form.action);
        let passwords = [
            ("password", old),
            ("new_password", PASSWORD),
            ("again", PASSWORD),
        ];
        let passwords = passwords.map(|(name, value)| (name.to_owned(), value.to_owned()));
        form.fields.extend(passwords);
        good.submit(&form).status
    };
    assert_eq!(change(&mut good, "not the right one"), 401);
    assert_eq!(change(&mut good, "the right one"), 422);
    let again = Somebody::at(&program, 2).sign_in("good", "the right one");
    assert_eq!(again.status, 303);
}

#[test]
fn w30_the_command_names_administrators_where_the_operator_says_so() {
    let (program, _home) = serve("command_names_admins = true");
    let mut good = Somebody::at(&program, 2);
    assert_eq!(good.sign_in("good", "the right one").status, 303);
    good.send("GET", "/admin/health", &[], "").expect(200);
}

#[test]
fn w21_w30_after_fifty_wrong_passwords_the_command_is_not_asked_any_more() {
    let (mut program, home) = serve("");
    for n in 0..50_u8 {
        let wrong = Somebody::at(&program, 5).sign_in("good", "not the right one");
        assert_eq!(wrong.status, if n < 5 { 401 } else { 429 }, "{n}");
    }
    for _ in 0..2 {
        let right = Somebody::at(&program, 5).sign_in("good", "the right one");
        assert_eq!(right.status, 429);
        assert!(!home.dir().join("seen/it.stdin").exists(), "it was asked");
        program = program.crash_and_restart();
    }
    assert_eq!(
        Somebody::at(&program, 6)
            .sign_in("good", "the right one")
            .status,
        303
    );
    assert!(home.dir().join("seen/it.stdin").exists());
}

#[test]
fn w30_a_command_that_others_could_change_or_without_its_whole_path_refuses_the_start() {
    let home = Home::new();
    let command = home.dir().join("check-password");
    fs::write(&command, COMMAND).expect("written");
    fs::set_permissions(&command, fs::Permissions::from_mode(0o777)).expect("chmod");
    for (value, said) in [
        (format!("[\"{}\"]", command.display()), "chmod go-w"),
        (
            "[\"check-password\"]".to_owned(),
            "the whole path of a program",
        ),
        (
            "\"check-password --quick\"".to_owned(),
            "the whole path of a program",
        ),
        ("[]".to_owned(), "the whole path of a program"),
    ] {
        let settings = format!("[sign_in]\ncommand = {value}\n");
        let folder = home.scripts(&[HELLO, ("stagedoor.toml", &settings)]);
        let path = |path: &std::path::Path| path.to_str().expect("text").to_owned();
        let (folder, state) = (path(&folder), path(&home.state()));
        let output = program::stagedoor(&["serve", &folder, "--state", &state], "");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(said), "{value}: {text}");
    }
}

#[test]
fn w30_a_group_of_the_command_with_a_grant_of_admin_makes_an_administrator_only_where_the_operator_says_so()
 {
    for (more, status) in [("", 404), ("command_names_admins = true", 200)] {
        let (program, _home) = serve(more);
        program.manage(&["grant", "add", "--group", "ops", "--may", "admin"], "");
        let mut good = Somebody::at(&program, 2);
        assert_eq!(good.sign_in("good", "the right one").status, 303);
        let page = good.send("GET", "/admin/health", &[], "");
        assert_eq!(page.status, status, "{more:?}");
    }
}

#[test]
fn w30_why_a_command_fails_stands_in_the_log_and_what_was_typed_does_not() {
    let (program, _home) = serve("failures = 100");
    for _ in 0..2 {
        let refused = Somebody::at(&program, 2).sign_in("fails", "the right one");
        assert_eq!(refused.status, 401);
        let refused = Somebody::at(&program, 2).sign_in("tells", "the right one");
        assert_eq!(refused.status, 401);
    }
    program.until_logged("exit code 3", Duration::from_secs(10));
    program.until_logged("no directory at 10.0.0.1", Duration::from_secs(10));
    program.until_logged("it holds what was typed", Duration::from_secs(10));
    let log = program.log();
    assert!(
        !log.contains("the right one") && !log.contains("and more of it"),
        "{log}"
    );
    assert_eq!(
        log.matches("exit code 3").count(),
        1,
        "once a minute: {log}"
    );
}
