//! The running server can execute nothing and shows its memory to nobody, and all that it does goes
//! on working.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::person::Person;
use crate::program::Program;
use crate::robot::{PASSWORD, Robot};

const HELLO: &str =
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho hello\n";

/// One line of `/proc/…/status`.
fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect("the field")
        .trim_start_matches(':')
        .trim()
        .to_owned()
}

fn of_server(program: &Program, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}", program.pid())).join(file)
}

/// Name and status of each thread.
fn threads(program: &Program) -> Vec<(String, String)> {
    let tasks = fs::read_dir(of_server(program, "task")).expect("the threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
        .map(|status| (field(&status, "Name"), status))
        .collect()
}

#[test]
fn every_thread_of_a_serving_server_is_filtered_and_can_gain_no_privileges() {
    let program = Program::with_scripts(&[("hello.sh", HELLO)]);
    let ann = Robot::new(&program, "ann", &["ops"]);
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
    let threads = threads(&program);
    for part in ["store-writer", "store-reader", "output-pump", "tokio"] {
        let is_there = threads.iter().any(|(name, _)| name.starts_with(part));
        assert!(is_there, "{part} in {threads:?}");
    }
    for (name, status) in &threads {
        assert_eq!(field(status, "Seccomp"), "2", "{name}");
        assert_eq!(field(status, "NoNewPrivs"), "1", "{name}");
    }
}

/// Files below `/proc/PID` belong to root when the process is not dumpable, whoever it runs as.
#[test]
fn the_memory_of_a_serving_server_is_closed_to_its_own_account() {
    let program = Program::with_scripts(&[("hello.sh", HELLO)]);
    let owner = |file: &str| {
        fs::metadata(of_server(&program, file))
            .expect("there")
            .uid()
    };
    let status = fs::read_to_string(of_server(&program, "status")).expect("its status");
    let uids = field(&status, "Uid");
    assert!(uids.split_whitespace().all(|uid| uid != "0"), "{uids}");
    for file in ["mem", "environ", "maps", "fd", "auxv"] {
        assert_eq!(owner(file), 0, "{file}");
    }
    // The twin: this process can be looked into by its own account.
    let own = fs::metadata("/proc/self/environ").expect("there").uid();
    assert_eq!(own, rustix::process::geteuid().as_raw());
}

#[test]
fn a_confined_server_signs_people_in_starts_scripts_and_reads_its_settings_again() {
    let mut program = Program::with_scripts(&[("hello.sh", HELLO)]);
    Person::first(&mut program);
    let ann = Robot::user(&program);
    ann.start("hello", &json!({})).expect(404);
    let mut person = Person::stranger(&program);
    assert_eq!(person.sign_in("ann", PASSWORD).status, 303);
    assert_ne!(person.sign_in("ann", "not her password").status, 303);

    let grant = "[[grant]]\ngroup = \"everyone\"\nscripts = \"*\"\nmay = [\"view\", \"run\"]\n";
    fs::write(program.scripts().join("stagedoor.toml"), grant).expect("written");
    program.hang_up();
    program.until_logged("read the settings again", Duration::from_secs(30));
    assert_eq!(ann.run("hello", &json!({}))["outcome"], "succeeded");
}
