//! Row W21 from outside: whoever is wrong too often is let nowhere in for a while, by whatever door
//! and dodge, and who is known goes on.

pub mod somebody;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::http;
use crate::program::{Home, Program};
use crate::robot::{PASSWORD, Robot};
use crate::secure::HELLO;
use somebody::Somebody;

const STRANGER: u8 = 1;
const OWNER: u8 = 2;

fn account(program: &Program, name: &str) {
    let words = ["user", "add", name, "--group", "admins", "--password-stdin"];
    program.manage(&words, PASSWORD);
}

fn wait_of(answer: &http::Answer) -> u64 {
    assert_eq!(answer.status, 429, "{}", answer.text());
    let wait = answer.header("Retry-After").expect("a time to wait");
    wait.parse().expect("seconds")
}

#[test]
fn w21_the_right_password_at_position_fifty_is_not_found_and_the_owner_is_let_in_before_and_after_kill_9()
 {
    let mut program = Program::with_scripts(&[HELLO]);
    account(&program, "ann");
    assert_eq!(
        Somebody::at(&program, OWNER)
            .sign_in("ann", PASSWORD)
            .status,
        303
    );
    let names = ["ann", "ANN", " ann ", "Ann"];
    for n in 0..49_u8 {
        // Each time somebody else, if what a client says of itself were believed.
        let forged = format!("203.0.113.{n}");
        let mut stranger = Somebody::at(&program, STRANGER)
            .saying("X-Forwarded-For", &forged)
            .saying("Forwarded", &format!("for={forged}"))
            .saying("X-Real-IP", &forged);
        let name = names[usize::from(n) % names.len()];
        let answer = stranger.sign_in(name, &format!("a guess of a password {n}"));
        assert_eq!(answer.status, if n < 5 { 401 } else { 429 }, "{n}");
    }
    for _ in 0..2 {
        let wait = wait_of(&Somebody::at(&program, STRANGER).sign_in("ann", PASSWORD));
        assert!((1..=900).contains(&wait), "{wait}");
        assert_eq!(
            Somebody::at(&program, OWNER)
                .sign_in("ann", PASSWORD)
                .status,
            303
        );
        program = program.crash_and_restart();
    }
}

#[test]
fn w21_after_fifty_wrong_tokens_a_right_one_is_refused_there_before_and_after_kill_9() {
    let mut program = Program::with_scripts(&[HELLO]);
    let ann = Robot::new(&program, "ann", &["admins"]);
    for n in 0..50_u8 {
        let mut stranger =
            Somebody::at(&program, STRANGER).saying("X-Forwarded-For", &format!("203.0.113.{n}"));
        let answer = stranger.call(&format!("sd_{n}"));
        assert_eq!(answer.status, if n < 20 { 401 } else { 429 }, "{n}");
    }
    for _ in 0..2 {
        wait_of(&Somebody::at(&program, STRANGER).call(ann.token()));
        // What failed by tokens does not count for passwords, nor for others.
        let by_form = Somebody::at(&program, STRANGER).sign_in("ann", PASSWORD);
        assert_eq!(by_form.status, 303, "{}", by_form.text());
        Somebody::at(&program, OWNER).call(ann.token()).expect(200);
        program = program.crash_and_restart();
    }
}

#[test]
fn w21_behind_a_proxy_ipv6_neighbours_are_one_client_and_another_network_is_another() {
    let settings = "behind_proxy = true\nproxy = { hops = 1, trusted = [\"127.0.0.1\"] }\n";
    let home = Home::new();
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", settings)]);
    let program = Program::serve(home, &folder);
    account(&program, "ann");
    let from = |address: &str| {
        Somebody::at(&program, 1)
            .saying("X-Forwarded-For", address)
            .saying("X-Forwarded-Proto", "http")
    };
    for n in 1..=5 {
        let answer = from(&format!("2001:db8:0:1::{n}")).sign_in("ann", "not her password");
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    let near = from("2001:db8:0:1:ffff::1").sign_in("ann", PASSWORD);
    assert_eq!(near.status, 429);
    let far = from("2001:db8:0:2::1").sign_in("ann", PASSWORD);
    assert_eq!(far.status, 303);
}

#[test]
fn w21_an_operator_lists_blocks_and_lifts_them_beside_the_server() {
    let settings = "sign_in = { failures = 2, blocked_for = \"10h\" }\n";
    let home = Home::new();
    let folder = home.scripts(&[HELLO, ("stagedoor.toml", settings)]);
    let program = Program::serve(home, &folder);
    account(&program, "ann");
    assert_eq!(
        program.manage(&["blocked", "list"], ""),
        "Nobody is blocked.\n"
    );
    for (name, last) in [("ann", 3), ("ann", 4), ("not-somebody", 5)] {
        for status in [401, 401, 429] {
            Somebody::at(&program, last)
                .sign_in(name, "a guess of a password")
                .expect(status);
        }
    }
    let list = program.manage(&["blocked", "list"], "");
    assert!(
        list.contains("signing in as somebody who does not exist"),
        "{list}"
    );
    assert!(!list.contains("not-somebody"), "{list}");
    let log = program.log();
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("too much failed"))
        .collect();
    assert_eq!(told.len(), 3, "{log}");
    let named = told.iter().filter(|line| line.contains("\"ann\""));
    assert_eq!(named.count(), 2, "{told:?}");
    assert!(
        !log.contains("not-somebody"),
        "people type passwords there: {log}"
    );
    let row = list
        .lines()
        .find(|line| line.contains("127.0.0.3"))
        .expect("a row");
    assert!(row.contains("signing in as ann"), "{row}");
    let id = row.split(' ').next().expect("an id");
    program.manage(&["blocked", "lift", id], "");
    assert_eq!(
        Somebody::at(&program, 3).sign_in("ann", PASSWORD).status,
        303
    );
    assert_eq!(
        Somebody::at(&program, 4).sign_in("ann", PASSWORD).status,
        429
    );
    assert_eq!(
        program.manage(&["blocked", "lift", "--all"], ""),
        "2 blocks are lifted.\n"
    );
    assert_eq!(
        Somebody::at(&program, 4).sign_in("ann", PASSWORD).status,
        303
    );
}

#[test]
fn w83_why_a_token_was_refused_stands_in_the_log() {
    let program = Program::with_scripts(&[HELLO]);
    account(&program, "ann");
    let create = |more: &[&str]| {
        let words = [&["token", "create", "--user", "ann"][..], more].concat();
        program.manage(&words, "").trim().to_owned()
    };
    let (near, far) = (
        create(&["--from", "127.0.0.0/8"]),
        create(&["--from", "10.0.0.0/8"]),
    );
    let mut somebody = Somebody::at(&program, 7);
    somebody.call(&near).expect(200);
    assert!(!program.log().contains("a request was refused"));
    somebody.call(&far).expect(401);
    program.until_logged(
        "token 2 is not for the address that it was sent from",
        Duration::from_secs(10),
    );
    assert!(program.log().contains("127.0.0.7"));
    assert!(!program.log().contains(&far));
}

/// Row W40: of a password the database has an argon2id hash and nothing else.
#[test]
fn w40_the_database_has_argon2id_hashes_only_and_nothing_that_was_typed() {
    let program = Program::with_scripts(&[HELLO]);
    for name in ["ann", "bob"] {
        account(&program, name);
    }
    let typed = "typed-into-the-name-field";
    Somebody::at(&program, 1).sign_in(typed, "a guess of a password");
    let db = rusqlite::Connection::open(program.state().join("stagedoor.db")).expect("opens");
    let hashes: Vec<String> = db
        .prepare("SELECT password_hash FROM users")
        .and_then(|mut all| all.query_map([], |row| row.get(0))?.collect())
        .expect("read");
    assert_eq!(hashes.len(), 2);
    for hash in &hashes {
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
    }
    assert_ne!(hashes[0], hashes[1], "each has a salt of its own");
    let holds = |text: &str| {
        fs::read_dir(program.state())
            .expect("the state")
            .any(|file| {
                let content = fs::read(file.expect("a file").path()).unwrap_or_default();
                content
                    .windows(text.len())
                    .any(|window| window == text.as_bytes())
            })
    };
    assert!(holds("$argon2id$"));
    for text in [
        typed,
        PASSWORD,
        "a guess of a password",
        "pbkdf2",
        "$2b$",
        "$6$",
    ] {
        assert!(!holds(text), "{text}");
    }
}

/// Peak of the server's memory, in KiB.
fn peak(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).expect("a process");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .expect("a peak");
    let number = line.split_whitespace().nth(1).expect("a number");
    number.parse().expect("KiB")
}

#[expect(clippy::disallowed_methods, reason = "says how deep to test")]
fn is_deep() -> bool {
    std::env::var_os("STAGEDOOR_KILLS").is_some()
}

/// Passwords of 1 MiB, and the longest that a form of a stranger may carry: none is hashed.
#[test]
fn b8_huge_passwords_take_neither_memory_nor_the_time_of_others() {
    let tries = if is_deep() { 200 } else { 24 };
    let program = Arc::new(Program::with_scripts(&[HELLO]));
    account(&program, "ann");
    assert_eq!(
        Somebody::at(&program, 9).sign_in("ann", PASSWORD).status,
        303
    );
    let before = peak(&program);
    let (is_over, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                http::get(&format!("{}/healthz", program.url), &[]).expect(200);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        let senders: Vec<_> = (0..8_u8)
            .map(|n| {
                let program = &program;
                scope.spawn(move || {
                    for at in 0..tries / 8 {
                        let length = if at % 2 == 0 { 1 << 20 } else { 15 << 10 };
                        let mut stranger = Somebody::at(program, 10 + n);
                        let name = format!("name{n}-{at}");
                        let status = stranger.sign_in(&name, &"x".repeat(length)).status;
                        let refused: &[u16] = if at % 2 == 0 { &[413] } else { &[401, 429] };
                        assert!(refused.contains(&status), "{status}");
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.join().expect("not panicked");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let (after, answered) = (peak(&program), answered.load(Ordering::Relaxed));
    println!(
        "{tries} passwords: peak {before} KiB before, {after} KiB after; {answered} × /healthz"
    );
    assert!(answered > 0);
    // Less than the requests' bodies together, and than two hashes more.
    assert!(after < before + 24 * 1024, "{before} KiB, {after} KiB");
}
