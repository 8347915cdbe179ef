//! What is not started, and what the page says then. Each has a twin that is started.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use stagedoor_domain::id::Epoch;
use stagedoor_domain::invocation::{PrivateFile, Word};
use stagedoor_domain::script::Launch;
use stagedoor_runner::{Plan, Refusal, Report};

use crate::house::*;

const HELLO: &str = "#!/bin/sh\necho hello\n";

fn again(plan: &Plan) -> Plan {
    Plan {
        run: new_run(),
        ..plan.clone()
    }
}

#[tokio::test]
async fn a_script_that_changed_since_the_click_is_not_started() {
    let mut house = House::open();
    let plan = house.script("hello", HELLO);
    assert_eq!(house.run(plan.clone()).await.stdout, b"hello\n");
    fs::write(house.scripts().join("hello"), "#!/bin/sh\necho HELLO\n").expect("written");
    let reason = house.refusal(again(&plan)).await;
    assert_eq!(reason, Refusal::Changed);
    assert!(
        reason
            .to_string()
            .contains("changed between the click and the start")
    );
    fs::remove_file(house.scripts().join("hello")).expect("removed");
    assert_eq!(house.refusal(again(&plan)).await, Refusal::Gone);
}

#[tokio::test]
async fn a_program_of_the_catalog_that_changed_since_the_click_is_not_started_with_arguments_either()
 {
    let mut house = House::open();
    let mut plan = house.script("hello", HELLO);
    let path = house.scripts().join("hello");
    plan.launch = Launch::Command {
        argv: vec![path.display().to_string(), "argument".into()],
    };
    assert_eq!(house.run(plan.clone()).await.stdout, b"hello\n");
    fs::write(&path, "#!/bin/sh\necho HELLO\n").expect("written");
    assert_eq!(house.refusal(again(&plan)).await, Refusal::Changed);
    fs::remove_file(&path).expect("removed");
    assert_eq!(house.refusal(again(&plan)).await, Refusal::Gone);
}

#[tokio::test]
async fn a_script_that_may_not_be_executed_says_how_to_mend_it() {
    let mut house = House::open();
    let mut plan = house.script("hello", HELLO);
    set_mode(&house.scripts().join("hello"), 0o644);
    plan.fingerprint = None;
    let reason = house.refusal(plan.clone()).await;
    assert_eq!(reason, Refusal::NotExecutable);
    assert!(reason.to_string().contains("chmod +x"));
    let mut plan = again(&plan);
    plan.launch = Launch::File {
        file: "hello".into(),
        interpreter: vec!["/bin/sh".into()],
    };
    assert_eq!(
        house.run(plan).await.stdout,
        b"hello\n",
        "an interpreter needs no execute bit"
    );
}

#[tokio::test]
async fn a_bad_first_line_is_named() {
    let mut house = House::open();
    for (content, said) in [
        (
            "#!/no/such/shell -x\n",
            "`/no/such/shell` of the script's first line cannot be started",
        ),
        ("#!/bin/sh\r\necho\r\n", "carriage return"),
        (
            "#!/etc/passwd\n",
            "`/etc/passwd` of the script's first line cannot be started",
        ),
        ("echo hello\n", "begin it with `#!/bin/sh`"),
        ("", "begin it with `#!/bin/sh`"),
    ] {
        let plan = house.script("bad", content);
        match house.refusal(plan).await {
            Refusal::BadInterpreter(text) => assert!(text.contains(said), "{text}"),
            other => panic!("{content:?}: {other:?}"),
        }
    }
    let mut plan = house.script("bad", HELLO);
    plan.launch = Launch::File {
        file: "bad".into(),
        interpreter: vec!["/no/such/python".into()],
    };
    let reason = house.refusal(plan).await.to_string();
    assert!(
        reason.contains("`/no/such/python` of its definition"),
        "{reason}"
    );
    let reason = house
        .refusal(command(&["/no/such/command"]))
        .await
        .to_string();
    assert!(
        reason.contains("`/no/such/command` cannot be started: no such file"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_others_can_change_is_not_started() {
    let mut house = House::open();
    let mut plan = house.script("hello", HELLO);
    plan.fingerprint = None;
    let path = house.scripts().join("hello");
    for (mode, said) in [
        (0o4755, "setuid"),
        (0o2755, "setgid"),
        (0o1755, "sticky"),
        (0o757, "chmod o-w"),
    ] {
        set_mode(&path, mode);
        let reason = house.refusal(again(&plan)).await;
        assert!(
            matches!(&reason, Refusal::Unsafe(text) if text.contains(said)),
            "{reason:?}"
        );
    }
    set_mode(&path, 0o755);
    set_mode(&house.scripts(), 0o757);
    let reason = house.refusal(again(&plan)).await;
    assert!(
        matches!(&reason, Refusal::Unsafe(text) if text.contains("folder")),
        "{reason:?}"
    );
    set_mode(&house.scripts(), 0o755);
    assert_eq!(house.run(again(&plan)).await.stdout, b"hello\n");
}

#[tokio::test]
async fn a_program_of_the_catalog_that_others_can_change_is_not_started_with_arguments_either() {
    let mut house = House::open();
    let (scripts, ops) = (house.scripts(), house.scripts().join("ops"));
    fs::create_dir(&ops).expect("made");
    set_mode(&ops, 0o755);
    let mut plan = house.script("ops/hello", HELLO);
    let program = |path: &str| Launch::Command {
        argv: vec![scripts.join(path).display().to_string(), "argument".into()],
    };
    plan.launch = program("ops/hello");
    for folder in [&scripts, &ops] {
        set_mode(folder, 0o757);
        let reason = house.refusal(again(&plan)).await;
        assert!(
            matches!(&reason, Refusal::Unsafe(text) if text.contains("folder")),
            "{}: {reason:?}",
            folder.display()
        );
        set_mode(folder, 0o755);
    }
    symlink("hello", ops.join("link")).expect("linked");
    symlink("ops", scripts.join("linked")).expect("linked");
    for path in [
        "ops/link",
        "linked/hello",
        "../scripts/ops/hello",
        "/bin/sh",
    ] {
        let mut plan = again(&plan);
        plan.launch = program(path);
        let reason = house.refusal(plan).await;
        let fits = matches!(reason, Refusal::Unsafe(_) | Refusal::Folder(_));
        assert!(fits, "{path}: {reason:?}");
    }
    assert_eq!(house.run(again(&plan)).await.stdout, b"hello\n");
}

#[tokio::test]
async fn nothing_outside_the_root_and_no_link_is_started() {
    let mut house = House::open();
    let plan = house.script("hello", HELLO);
    symlink("hello", house.scripts().join("link")).expect("linked");
    symlink("/usr", house.scripts().join("usr")).expect("linked");
    let file = |folder: &str, file: &str| {
        let mut plan = again(&plan);
        plan.folder = folder.into();
        plan.launch = Launch::File {
            file: file.into(),
            interpreter: Vec::new(),
        };
        plan
    };
    let link = house.refusal(file("", "link")).await;
    assert!(
        matches!(&link, Refusal::Unsafe(text) if text.contains("symbolic link")),
        "{link:?}"
    );
    for (folder, name) in [
        ("usr/bin", "true"),
        ("..", "x"),
        ("a/../..", "x"),
        ("/bin", "true"),
    ] {
        let reason = house.refusal(file(folder, name)).await;
        assert!(matches!(reason, Refusal::Folder(_)), "{folder}: {reason:?}");
    }
    for name in ["../../bin/true", "/bin/true", "..", ""] {
        let reason = house.refusal(file("", name)).await;
        assert!(matches!(reason, Refusal::Unsafe(_)), "{name}: {reason:?}");
    }
    let mut relative = again(&plan);
    relative.launch = Launch::Command {
        argv: vec!["true".into()],
    };
    assert!(matches!(house.refusal(relative).await, Refusal::Unsafe(_)));
    let mut nowhere = again(&plan);
    nowhere.working_directory = Some("/no/such/folder".into());
    let reason = house.refusal(nowhere).await;
    assert!(matches!(&reason, Refusal::Folder(text) if text.contains("`/no/such/folder`")));
    assert_eq!(house.run(file("", "hello")).await.stdout, b"hello\n");
}

#[tokio::test]
async fn arguments_beyond_what_the_kernel_passes_are_refused_in_words() {
    let mut house = House::open();
    let mut plan = command(&["/bin/true"]);
    plan.invocation.args = texts(&[&"x".repeat(200_000)]);
    let reason = house.refusal(plan).await;
    assert_eq!(reason, Refusal::TooLarge);
    assert!(reason.to_string().contains("pass = \"file\""));
    let mut plan = command(&["/bin/true"]);
    plan.invocation.stdin = vec![0; 9 << 20];
    let sent = house.runner.start(plan).await;
    assert!(
        matches!(sent, Err(stagedoor_runner::SendError::TooLarge)),
        "{sent:?}"
    );
}

#[tokio::test]
async fn what_no_process_can_be_given_is_refused() {
    let mut house = House::open();
    let bad: [fn(&mut Plan); 5] = [
        |plan| plan.invocation.args = texts(&["a\0b"]),
        |plan| plan.env = vec![("A=B".into(), "x".into())],
        |plan| plan.env = vec![(String::new(), "x".into())],
        |plan| {
            plan.invocation.args = vec![Word::FilePath {
                before: String::new(),
                file: "absent".into(),
            }];
        },
        |plan| {
            plan.invocation.files = vec![PrivateFile {
                name: "../x".into(),
                content: Vec::new(),
                secret: true,
            }];
        },
    ];
    for (number, spoil) in bad.into_iter().enumerate() {
        let mut plan = command(&["/bin/true"]);
        spoil(&mut plan);
        let reason = house.refusal(plan).await;
        let fits = matches!(reason, Refusal::Unsafe(_) | Refusal::Resources(_));
        assert!(fits, "{number}: {reason:?}");
    }
    assert_eq!(
        house.run(command(&["/bin/true"])).await.record.exit_code,
        Some(0)
    );
    let scratch = house.base.path().join("scratch");
    eventually("one untouched folder remains, for the next run", || {
        fs::read_dir(&scratch).expect("there").count() == 1
    })
    .await;
}

#[tokio::test]
async fn the_same_attempt_is_never_started_twice() {
    let mut house = House::open();
    let log = house.base.path().join("log");
    fs::write(&log, "").expect("written");
    set_mode(&log, 0o666);
    let text = format!("#!/bin/sh\necho x >> {}\nsleep 0.3\n", log.display());
    let mut plan = house.script("once", &text);
    plan.epoch = Epoch(2);
    let pid = house.start(plan.clone()).await.pid;
    // While it runs: the same, an older and a newer one.
    house.runner.start(plan.clone()).await.expect("sent");
    assert_eq!(house.started().await.pid, pid);
    house
        .runner
        .start(Plan {
            epoch: Epoch(1),
            ..plan.clone()
        })
        .await
        .expect("sent");
    let started = house.started().await;
    assert_eq!((started.pid, started.epoch), (pid, Epoch(2)));
    let newer = house
        .refusal(Plan {
            epoch: Epoch(3),
            ..plan.clone()
        })
        .await;
    assert!(matches!(newer, Refusal::Resources(_)), "{newer:?}");
    assert_eq!(house.exited().await.exit_code, Some(0));
    // When it has ended: the end is told again.
    house.runner.start(plan.clone()).await.expect("sent");
    assert_eq!(house.started().await.pid, pid);
    assert_eq!(house.exited().await.exit_code, Some(0));
    assert_eq!(fs::read_to_string(&log).expect("read"), "x\n");
    // A newer attempt of a run that has ended is another matter.
    let done = house
        .run(Plan {
            epoch: Epoch(3),
            ..plan
        })
        .await;
    assert_ne!(done.pid, pid);
    assert_eq!(fs::read_to_string(&log).expect("read"), "x\nx\n");
}

#[tokio::test]
async fn a_refusal_is_final_for_its_attempt() {
    let mut house = House::open();
    let mut plan = house.script("hello", HELLO);
    plan.fingerprint = None;
    set_mode(&house.scripts().join("hello"), 0o644);
    assert_eq!(house.refusal(plan.clone()).await, Refusal::NotExecutable);
    set_mode(&house.scripts().join("hello"), 0o755);
    assert_eq!(house.refusal(plan.clone()).await, Refusal::NotExecutable);
    house.next_server();
    assert_eq!(house.held, 1);
    match house.report().await {
        Report::Refused { run, reason, .. } => {
            assert_eq!((run, reason), (plan.run, Refusal::NotExecutable));
        }
        other => panic!("{other:?}"),
    }
    plan.epoch = Epoch(2);
    plan.timeout = Some(Duration::from_secs(5));
    assert_eq!(house.run(plan).await.stdout, b"hello\n");
}
