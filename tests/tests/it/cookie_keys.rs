//! The keys that sign cookies: what they keep out, where they are, and how they are renewed.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::http;
use crate::person::{Person, led_to};
use crate::program::{Home, Program, binary, command};
use crate::robot::PASSWORD;

/// Longer than a server needs to see that its keys have changed.
const SOON: Duration = Duration::from_secs(30);
const KEY: &str = "q8Zr1vTt5yXnC3mWb7kLh2pJd9fGs4aE";

fn status(program: &Program, cookie: &str) -> u16 {
    http::get(&format!("{}/api/v1/me", program.url), &[("Cookie", cookie)]).status
}

/// The name of the key that signed this cookie.
fn key_of(cookie: &str) -> String {
    let value = cookie.split_once('=').expect("a cookie").1;
    value.split('.').next().expect("a key's name").to_owned()
}

/// How many keys of cookies are listed.
fn of_cookies(listed: &str) -> usize {
    listed.matches("cookies").count()
}

#[test]
fn b35_a_forged_cookie_is_refused_before_anything_is_looked_up() {
    let mut program = Program::with_examples();
    let cookie = Person::first(&mut program).cookie();
    let (name, value) = cookie.split_once('=').expect("one cookie");
    // Whoever looks a session up from now on fails.
    let database = Connection::open(program.state().join("stagedoor.db")).expect("opens");
    let rename = |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        database.execute_batch(&sql).expect("renamed");
    };
    rename("sessions", "hidden");
    assert_eq!(status(&program, &cookie), 500, "the true one is looked up");
    for at in 0..value.len() {
        let mut bytes = value.to_owned().into_bytes();
        bytes[at] ^= 1;
        let forged = String::from_utf8(bytes).expect("ASCII");
        assert_eq!(
            status(&program, &format!("{name}={forged}")),
            401,
            "{at}: {forged}"
        );
    }
    let unsigned = value.split('.').nth(1).expect("what is signed");
    assert_eq!(status(&program, &format!("{name}={unsigned}")), 401);
    rename("hidden", "sessions");
    assert_eq!(status(&program, &cookie), 200, "as before");
    assert_eq!(program.log().matches("somebody tries to forge").count(), 1);
}

#[test]
fn b39_a_rotated_key_signs_and_the_one_before_it_is_known_until_it_is_forgotten() {
    let mut program = Program::with_examples();
    let mut admin = Person::first(&mut program);
    let old = admin.cookie();
    let listed = program.manage(&["keys", "list"], "");
    assert!(
        listed.starts_with(&key_of(&old)) && of_cookies(&listed) == 1,
        "{listed}"
    );

    let said = program.manage(&["keys", "rotate"], "");
    program.until_logged("another key signs cookies", SOON);
    assert_eq!(status(&program, &old), 200, "nobody is signed out");
    led_to(&admin.sign_in("admin", PASSWORD));
    let new = admin.cookie();
    assert_ne!(key_of(&new), key_of(&old));
    assert!(said.contains(&key_of(&new)), "{said}");
    let listed = program.manage(&["keys", "list"], "");
    assert_eq!(of_cookies(&listed), 2, "{listed}");
    let ring = fs::read_to_string(program.state().join("cookie.keys")).expect("the ring");
    for line in ring.lines().filter(|line| !line.starts_with('#')) {
        let secret = line.split(' ').nth(1).expect("a key");
        assert!(!listed.contains(secret) && !program.log().contains(secret));
    }

    program.manage(&["keys", "rotate", "--end-sessions"], "");
    for _ in 0..300 {
        if status(&program, &new) == 401 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!((status(&program, &old), status(&program, &new)), (401, 401));
    led_to(&admin.sign_in("admin", PASSWORD));
    assert_eq!(status(&program, &admin.cookie()), 200);
}

#[test]
fn b39_a_session_survives_a_restart_and_an_old_key_is_followed_by_itself() {
    let mut program = Program::with_examples();
    let cookie = Person::first(&mut program).cookie();
    let program = program.crash_and_spoil(|state| {
        let ring = state.join("cookie.keys");
        let text = fs::read_to_string(&ring).expect("the ring");
        let made = text
            .lines()
            .last()
            .and_then(|line| line.split(' ').next())
            .expect("a time");
        let earlier = made.parse::<i64>().expect("a number") - 31 * 86_400_000;
        fs::write(&ring, text.replace(made, &earlier.to_string())).expect("written");
    });
    program.until_logged("another key signs cookies", SOON);
    assert_eq!(status(&program, &moved(&program, &cookie)), 200);
    assert_eq!(of_cookies(&program.manage(&["keys", "list"], "")), 2);
}

#[test]
fn b38_a_key_in_the_environment_is_out_of_it_and_in_no_child() {
    let home = Home::new();
    let env = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\nenv; cat\n";
    let scripts = home.scripts(&[("env.sh", env)]);
    let variables = [("STAGEDOOR_COOKIE_KEY", KEY), ("WITNESS", "stands")];
    let mut program = Program::serve_in(Arc::clone(&home), &scripts, &variables);
    let mut admin = Person::first(&mut program);
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    match fs::read(format!("/proc/{}/environ", program.pid())) {
        Ok(mine) => {
            assert!(holds(&mine, "WITNESS=stands"), "this is its environment");
            assert!(!holds(&mine, KEY));
        }
        // The server's memory is closed to every account but root.
        Err(error) => {
            assert!(!rustix::process::geteuid().is_root(), "{error}");
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        }
    }
    let page = admin.get("/scripts/env").expect(200).text();
    let run = led_to(&admin.send(&crate::form::Form::of(&page, "/scripts/env")));
    admin.page_at_end(&run);
    let id = run.rsplit('/').next().expect("an id");
    let printed = admin.get(&format!("/api/v1/runs/{id}/output")).text();
    assert!(
        printed.contains("PATH=") && !printed.contains(KEY),
        "{printed}"
    );
    assert!(
        !program.state().join("cookie.keys").exists(),
        "it needs no ring"
    );
    let cookie = admin.cookie();
    // Another server with the same key knows what was signed.
    drop(program);
    let file = home.dir().join("key");
    fs::write(&file, format!("{KEY}\n")).expect("written");
    set_mode(&file, 0o600);
    let named = file.to_str().expect("a path of text");
    let program = Program::serve_in(home, &scripts, &[("STAGEDOOR_COOKIE_KEY_FILE", named)]);
    assert_eq!(status(&program, &moved(&program, &cookie)), 200);
}

/// The cookie for the port that this server has.
fn moved(program: &Program, cookie: &str) -> String {
    let port = program.url.rsplit(':').next().expect("a port");
    let value = cookie.split_once('=').expect("a cookie").1;
    format!("SessionID-{port}={value}")
}

fn set_mode(path: &std::path::Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, mode).expect("chmod");
}

#[test]
fn b38_a_weak_unreadable_or_doubled_key_does_not_start_and_the_message_says_what_to_do() {
    let home = Home::new();
    let scripts = home.scripts(&[("a.sh", "#!/bin/sh\n")]);
    let file = |name: &str, text: &str, mode| {
        let path = home.dir().join(name);
        fs::write(&path, text).expect("written");
        set_mode(&path, mode);
        path.to_str().expect("a path of text").to_owned()
    };
    let open = file("open", KEY, 0o644);
    let (short, missing) = (file("short", "short", 0o600), "/nowhere/key".to_owned());
    for (variables, said) in [
        (vec![("STAGEDOOR_COOKIE_KEY", "short")], "32 are the least"),
        (
            vec![(
                "STAGEDOOR_COOKIE_KEY",
                "changeme-changeme-changeme-changeme",
            )],
            "example",
        ),
        (
            vec![("STAGEDOOR_COOKIE_KEY_FILE", short.as_str())],
            "head -c 32 /dev/urandom",
        ),
        (
            vec![("STAGEDOOR_COOKIE_KEY_FILE", open.as_str())],
            "chmod 600",
        ),
        (
            vec![("STAGEDOOR_COOKIE_KEY_FILE", missing.as_str())],
            "/nowhere/key",
        ),
        (
            vec![
                ("STAGEDOOR_COOKIE_KEY", KEY),
                ("STAGEDOOR_COOKIE_KEY_FILE", short.as_str()),
            ],
            "set one of the two",
        ),
    ] {
        let mut serve = command(&binary());
        serve
            .arg("serve")
            .arg(&scripts)
            .arg("--state")
            .arg(home.state());
        serve.args(["--listen", "127.0.0.1:0"]).envs(variables);
        let output = serve.output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(said), "{said}: {text}");
        assert!(!text.contains(KEY), "{text}");
    }
}

#[test]
fn b38_a_key_in_the_environment_that_is_not_text_refuses_the_start_and_is_not_told() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    let home = Home::new();
    let scripts = home.scripts(&[("a.sh", "#!/bin/sh\n")]);
    let not_text = OsString::from_vec([KEY.as_bytes(), b"\xff"].concat());
    for name in [
        "STAGEDOOR_COOKIE_KEY",
        "STAGEDOOR_COOKIE_KEY_FILE",
        "STAGEDOOR_LIMITS_RUNNING",
        "CREDENTIALS_DIRECTORY",
    ] {
        let mut serve = command(&binary());
        serve
            .arg("serve")
            .arg(&scripts)
            .arg("--state")
            .arg(home.state());
        serve.args(["--listen", "127.0.0.1:0"]).env(name, &not_text);
        let output = serve.output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert!(text.contains(name) && text.contains("UTF-8"), "{text}");
        assert!(!text.contains(KEY), "{text}");
    }
}

#[test]
fn b38_a_ring_that_others_could_read_or_that_is_damaged_does_not_start() {
    let home = Home::new();
    let scripts = home.scripts(&[("a.sh", "#!/bin/sh\n")]);
    drop(Program::serve(Arc::clone(&home), &scripts));
    let ring = home.state().join("cookie.keys");
    let good = fs::read(&ring).expect("the ring");
    let refused = || {
        let mut serve = command(&binary());
        serve
            .arg("serve")
            .arg(&scripts)
            .arg("--state")
            .arg(home.state());
        let output = serve
            .args(["--listen", "127.0.0.1:0"])
            .output()
            .expect("it ends");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    set_mode(&ring, 0o644);
    let said = refused();
    assert!(said.contains("chmod 600"), "{said}");
    set_mode(&ring, 0o600);
    fs::write(&ring, "7 zz\n").expect("written");
    let said = refused();
    assert!(
        said.contains("cookie.keys:1") && said.contains("signs in again"),
        "{said}"
    );
    fs::write(&ring, good).expect("written");
    drop(Program::serve(home, &scripts));
}
