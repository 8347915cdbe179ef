//! A script that was written to do harm, one for each thing that it might try: a real server, real
//! processes, and beside the attack somebody else, whose runs and pages go on (W43).
//!
//! `make test` runs all of this as an ordinary account and as root. Each attack prints what held it here
//! and what this machine does not have; where a part is left out for that reason, this is printed too.

mod exhaustion;
mod reach;
mod remains;
mod rights;
mod swaps;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::person::Person;
use crate::processes;
use crate::program::{Home, Program, as_root, command};
use crate::robot::{PASSWORD, Robot, id};

/// Whoever is not attacked goes on; what it prints.
const FINE: &str = "fine\n";

/// A server with an attacker, and with somebody who does an honest job.
struct Arena {
    home: Arc<Home>,
    program: Program,
    /// Starts what is hostile.
    mallory: Robot,
    /// Starts what is not.
    bob: Robot,
    /// Looks at pages.
    cleo: Person,
}

/// A script in the shell that everybody may start.
fn shell(keys: &str, body: &str) -> String {
    script("/bin/sh", keys, body)
}

/// The same in a language that can make any system call.
fn perl(keys: &str, body: &str) -> String {
    let body = format!("use strict; use Socket; $| = 1;\n{body}");
    script("/usr/bin/perl", keys, &body)
}

fn script(interpreter: &str, keys: &str, body: &str) -> String {
    format!(
        "#!{interpreter}\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# {keys}\n# ///\n{body}\n"
    )
}

impl Arena {
    fn with(scripts: &[(&str, &str)]) -> Self {
        Self::on(Home::new(), scripts)
    }

    fn on(home: Arc<Home>, scripts: &[(&str, &str)]) -> Self {
        let folder = home.scripts(&[("fine.sh", &shell("", "echo fine"))]);
        home.scripts(scripts);
        let mut program = Program::serve(Arc::clone(&home), &folder);
        let cleo = Person::first(&mut program);
        let mallory = Robot::new(&program, "mallory", &[]);
        let bob = Robot::new(&program, "bob", &[]);
        Self {
            home,
            program,
            mallory,
            bob,
            cleo,
        }
    }

    /// The same people at another server on the same state; this one was killed.
    fn after_a_crash(self) -> Self {
        let program = self.program.crash_and_restart();
        let mut cleo = Person::stranger(&program);
        assert_eq!(cleo.sign_in("admin", PASSWORD).status, 303);
        Self {
            mallory: self.mallory.at(&program),
            bob: self.bob.at(&program),
            program,
            cleo,
            ..self
        }
    }

    /// Puts another script among the others, while the server goes on.
    fn add(&self, name: &str, text: &str) {
        self.home.scripts(&[(name, text)]);
    }

    /// Somebody else's run ends well, and a page is answered.
    #[track_caller]
    fn others_go_on(&mut self) {
        let run = self.bob.run("fine", &json!({}));
        assert_eq!(run["outcome"], "succeeded", "{run}");
        assert_eq!(self.bob.output(&run, "stdout"), FINE.as_bytes(), "{run}");
        let page = self.cleo.get("/");
        assert_eq!(page.status, 200, "{}", page.text());
    }

    /// Starts it, and others go on until it has ended; how it ended. No process of it is left.
    #[track_caller]
    fn attack(&mut self, name: &str) -> Value {
        let mut answer = self.mallory.start(name, &json!({}));
        // Where another test of this account has taken all watches, the folder is read from time to time.
        for _ in 0..600 {
            if answer.status != 404 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            answer = self.mallory.start(name, &json!({}));
        }
        self.watch(&answer.expect(201).json())
    }

    /// The same for one that was started.
    #[track_caller]
    fn watch(&mut self, started: &Value) -> Value {
        let path = format!("/api/v1/runs/{}", id(started));
        let mut seen = 0;
        let ended = loop {
            self.others_go_on();
            let run = self.mallory.get(&path).expect(200).json();
            if run["state"] == "ended" {
                break run;
            }
            seen += 1;
            assert!(seen < 2_000, "it does not end: {run}");
        };
        println!("{}: others went on {seen} times meanwhile", tell(&ended));
        assert_eq!(processes::of_run(id(started)), [0; 0], "{ended}");
        self.others_go_on();
        ended
    }

    /// What a run wrote to its standard output.
    fn printed(&self, run: &Value) -> String {
        String::from_utf8_lossy(&self.mallory.output(run, "stdout")).into_owned()
    }
}

/// Which enforcement the kernel at hand exercised, and which it lacks.
fn tell(run: &Value) -> String {
    let who = if as_root() {
        "started as root"
    } else {
        "one account for everything"
    };
    let (sandbox, outcome) = (&run["sandbox"], &run["outcome"]);
    format!(
        "{} ({who}, level {}): {outcome}, {}; held: {}; lacking: {}",
        run["script"], sandbox["level"], run["reason"], sandbox["held"], sandbox["missing"]
    )
}

/// Whether this measure held the run; where not, what is left out for it is printed.
fn holds(run: &Value, measure: &str, what: &str) -> bool {
    let held = run["sandbox"]["held"].as_array();
    let holds = held.is_some_and(|held| held.contains(&json!(measure)));
    if !holds {
        println!("skipped: {what}, because this machine has no `{measure}`");
        let since = match measure {
            "processes" => 6,
            "network_ports" => 4,
            "read" | "write" | "hidden" => 3,
            _ => return false,
        };
        let version = landlock_version();
        assert!(
            version < since,
            "Landlock {version} can hold `{measure}`: {run}"
        );
    }
    holds
}

/// The version of Landlock that the kernel has, asked past the server; below 1 there is none.
fn landlock_version() -> i64 {
    let ask = "import ctypes; print(ctypes.CDLL(None).syscall(444, 0, 0, 1))";
    let mut python = command(Path::new("/usr/bin/python3"));
    let said = python.args(["-c", ask]).output().expect("Python").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    said.trim().parse().expect("a number")
}

/// The run ended because of this limit, and says so with its value.
#[track_caller]
fn assert_over_limit(run: &Value, limit: &str, value: &str) {
    assert_eq!(run["outcome"], "over_limit", "{run}");
    let reason = run["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(limit) && reason.contains(value), "{run}");
}
