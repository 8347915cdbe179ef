//! Who scripts run as.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use stagedoor_runner::{Account, ConnectError, Refusal, Runner};

use crate::house::*;

#[tokio::test]
async fn every_test_holds_for_an_ordinary_user_too() {
    if !is_root() {
        println!("skipped: this is the ordinary user already; start as root for both halves");
        return;
    }
    let own = std::env::current_exe().expect("this program");
    let again = Command::new(own)
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output();
    match again {
        Err(error) => println!("skipped: uid 65534 cannot start this program: {error}"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}");
            assert!(
                text.contains("running ") && !text.contains("running 0"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn scripts_run_as_their_account_and_no_group_of_root_remains() {
    let mut house = House::open();
    let done = house.run(command(&["/usr/bin/id"])).await;
    let text = done.text();
    assert!(text.starts_with(&format!("uid={}", script_uid())), "{text}");
    assert!(!text.contains("root"), "{text}");
}

#[tokio::test]
async fn scripts_below_a_folder_that_their_account_cannot_enter_still_run() {
    if !is_root() {
        println!("skipped: an ordinary user has one account for everything");
        return;
    }
    let base = new_base();
    let closed = base.path().join("closed");
    std::fs::create_dir_all(closed.join("scripts")).expect("made");
    set_mode(&closed, 0o700);
    set_mode(&closed.join("scripts"), 0o755);
    let hello = closed.join("scripts/hello");
    std::fs::write(&hello, "#!/bin/sh\nid -u\ncat ./data\n").expect("written");
    std::fs::write(closed.join("scripts/data"), "data\n").expect("written");
    set_mode(&hello, 0o755);
    let mut options = options(base.path());
    options.root = closed.join("scripts");
    options.root_dir = std::fs::File::open(&options.root).expect("opened").into();
    let connection = Runner::ensure(binary(), &options).expect("a runner");
    let mut house = House::with(base, connection);
    let mut plan = plan(stagedoor_domain::script::Launch::File {
        file: "hello".into(),
        interpreter: Vec::new(),
    });
    plan.fingerprint = Some(fingerprint(&hello));
    assert_eq!(house.run(plan.clone()).await.text(), "65534\ndata\n");
    // An interpreter that makes its script's path absolute finds it and its neighbours too.
    let python = closed.join("scripts/python");
    std::fs::write(closed.join("scripts/near.py"), "TEXT = 'near'\n").expect("written");
    std::fs::write(
        &python,
        "#!/usr/bin/python3\nimport near\nprint(near.TEXT)\n",
    )
    .expect("written");
    set_mode(&python, 0o755);
    plan.launch = stagedoor_domain::script::Launch::File {
        file: "python".into(),
        interpreter: Vec::new(),
    };
    plan.fingerprint = Some(fingerprint(&python));
    plan.run = new_run();
    assert_eq!(house.run(plan.clone()).await.text(), "near\n");
    plan.launch = stagedoor_domain::script::Launch::Command {
        argv: vec![python.display().to_string(), "argument".into()],
    };
    plan.run = new_run();
    assert_eq!(house.run(plan.clone()).await.text(), "near\n");
    plan.launch = stagedoor_domain::script::Launch::File {
        file: "python".into(),
        interpreter: Vec::new(),
    };
    // The folder itself must let the account in.
    set_mode(&closed.join("scripts"), 0o700);
    plan.run = new_run();
    let reason = house.refusal(plan).await;
    let said = "cannot enter the script's folder `.`: let it pass";
    assert!(
        matches!(&reason, Refusal::Folder(text) if text.contains(said)),
        "{reason:?}"
    );
}

#[tokio::test]
async fn what_their_account_can_change_is_not_started_by_root() {
    if !is_root() {
        println!("skipped: an ordinary user has one account for everything");
        return;
    }
    let mut house = House::open();
    let mut plan = house.script("hello", "#!/bin/sh\necho hello\n");
    plan.fingerprint = None;
    let path = house.scripts().join("hello");
    assert_eq!(house.run(plan.clone()).await.stdout, b"hello\n");
    std::os::unix::fs::chown(&path, Some(65534), None).expect("given");
    plan.run = new_run();
    let reason = house.refusal(plan.clone()).await;
    assert!(
        matches!(&reason, Refusal::Unsafe(text) if text.contains("uid 65534")),
        "{reason:?}"
    );
    std::os::unix::fs::chown(&path, Some(0), Some(65534)).expect("given");
    set_mode(&path, 0o775);
    plan.run = new_run();
    assert!(matches!(
        house.refusal(plan.clone()).await,
        Refusal::Unsafe(_)
    ));
    std::os::unix::fs::chown(&path, Some(0), Some(0)).expect("given");
    plan.run = new_run();
    assert_eq!(house.run(plan).await.stdout, b"hello\n");
}

#[tokio::test]
async fn a_runner_says_why_it_cannot_start() {
    let base = new_base();
    let mut bad = options(base.path());
    if is_root() {
        bad.run_account = None;
        let error = Runner::ensure(binary(), &bad).expect_err("scripts as root");
        assert!(error.to_string().contains("allow_root_scripts"), "{error}");
        bad = options(base.path());
        let closed = base.path().join("closed");
        std::fs::create_dir(&closed).expect("made");
        set_mode(&closed, 0o700);
        bad.scratch = closed.join("scratch");
        let error = Runner::ensure(binary(), &bad).expect_err("scratch out of reach");
        assert!(error.to_string().contains("cannot enter"), "{error}");
    } else {
        bad.run_account = Some(Account {
            uid: 0,
            gid: 0,
            groups: vec![0],
        });
        let error = Runner::ensure(binary(), &bad).expect_err("only root can");
        assert!(error.to_string().contains("only root"), "{error}");
    }
    let mut bad = options(base.path());
    std::fs::write(base.path().join("file"), "mine").expect("written");
    bad.socket = base.path().join("file");
    let error = Runner::ensure(binary(), &bad).expect_err("a file in its place");
    assert!(error.to_string().contains("file"), "{error}");
    let nobody = Runner::connect(&base.path().join("none.sock")).expect_err("nobody");
    assert!(nobody.to_string().contains("no runner listens"), "{nobody}");
}

#[tokio::test]
async fn a_server_with_its_own_account_may_connect_to_roots_runner() {
    if !is_root() {
        println!("skipped: only root can tell the accounts apart");
        return;
    }
    let base = new_base();
    let mut options = options(base.path());
    options.server_uid = Some(7373);
    let connection = Runner::ensure(binary(), &options).expect("a runner");
    let house = House::with(base, connection);
    let socket = std::fs::metadata(house.base.path().join("state/runner.sock")).expect("there");
    assert_eq!(
        (socket.uid(), socket.permissions().mode() & 0o777),
        (7373, 0o600)
    );
}

/// Answers this system call with EPERM, for this thread and whatever it starts.
pub fn forbid(call: libc::c_long) {
    let filter = SeccompFilter::new(
        BTreeMap::from([(call, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        TargetArch::try_from(std::env::consts::ARCH).expect("a known one"),
    );
    let program: BpfProgram = filter
        .and_then(TryInto::try_into)
        .expect("a filter that compiles");
    seccompiler::apply_filter(&program).expect("a kernel with filters");
}

/// Whether a script executes is known from that call alone.
#[test]
fn a_runner_that_could_not_know_whether_a_script_executes_says_so_and_does_not_start() {
    let ensure_without = |call: Option<libc::c_long>| {
        let base = new_base();
        let confined = std::thread::spawn(move || {
            call.into_iter().for_each(forbid);
            let connection = Runner::ensure(binary(), &options(base.path()))?;
            let pid = connection.pid().and_then(|pid| i32::try_from(pid).ok());
            let pid = pid.and_then(Pid::from_raw).expect("a pid");
            kill_process(pid, Signal::TERM).expect("it runs");
            Ok::<_, ConnectError>(())
        });
        confined.join().expect("not panicked")
    };
    let error = ensure_without(Some(libc::SYS_set_robust_list)).expect_err("not allowed");
    let error = error.to_string();
    for part in ["set_robust_list", "Operation not permitted", "has to allow"] {
        assert!(error.contains(part), "{error}");
    }
    // With nothing forbidden, and with another call, it starts.
    ensure_without(None).expect("a runner");
    ensure_without(Some(libc::SYS_acct)).expect("a runner");
}
