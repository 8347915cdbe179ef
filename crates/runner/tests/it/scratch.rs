//! Home and temporary files: there from the first moment, gone when the attempt is forgotten.

use std::fs;

use stagedoor_domain::invocation::PrivateFile;
use stagedoor_runner::{Plan, Runner};

use crate::house::*;

const FILLER: &str = "#!/bin/sh
cd \"$HOME\" && mkdir -p a/b/c && echo x > a/b/c/file && ln -s / root && chmod 000 a/b
echo y > \"$TMPDIR/tmp\" && mkdir \"$HOME/../more\"
";

fn names(house: &House) -> Vec<String> {
    let entries = fs::read_dir(house.base.path().join("scratch")).expect("there");
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn what_a_script_left_there_is_removed_when_it_is_forgotten() {
    let mut house = House::open();
    let plan = house.script("filler", FILLER);
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    let errors = read_all(started.stderr);
    assert_eq!(String::from_utf8_lossy(&errors), "");
    assert_eq!(house.exited().await.exit_code, Some(0));
    assert_eq!(names(&house), ["attempt-0"], "kept until then");
    house.runner.forget(run, epoch).await.expect("sent");
    eventually("the folder is gone", || names(&house).is_empty()).await;
    assert!(
        fs::exists("/bin/sh").expect("asked"),
        "the link was not followed"
    );
}

#[tokio::test]
async fn a_folder_that_no_script_has_touched_serves_the_next_one_and_any_other_does_not() {
    let mut house = House::open();
    let home = |done: Done| done.text().trim().to_owned();
    let look = "#!/bin/sh\necho $HOME\n";
    let plan = house.script("look", look);
    let first = home(house.run(plan).await);
    let touches = [
        "touch $HOME/x; rm $HOME/x",
        "chmod 750 $HOME; chmod 700 $HOME",
        "mkdir $TMPDIR/a",
        "rmdir $TMPDIR",
        "mv $HOME $HOME/../other; mkdir -m 700 $HOME",
        "ln -s / $HOME/../link",
    ];
    for (number, touch) in touches.into_iter().enumerate() {
        let plan = house.script("look", look);
        let before = home(house.run(plan).await);
        let plan = house.script(&format!("touch-{number}"), &format!("{look}{touch}\n"));
        assert_eq!(home(house.run(plan).await), before, "nobody had touched it");
        let plan = house.script("look", look);
        assert_ne!(home(house.run(plan).await), before, "after: {touch}");
    }
    assert!(first.ends_with("attempt-0/home"), "{first}");
}

#[tokio::test]
async fn what_has_private_files_has_a_folder_of_its_own() {
    let mut house = House::open();
    let secret = || {
        let mut plan = command(&["/bin/sh", "-c", "echo $CREDENTIALS_DIRECTORY; ls $HOME/.."]);
        plan.invocation.files = vec![PrivateFile {
            name: "key".into(),
            content: b"hunter2".to_vec(),
            secret: true,
        }];
        plan
    };
    let plan = house.script("look", "#!/bin/sh\ncd $HOME/..; pwd; ls\n");
    let before = house.run(plan.clone()).await.text();
    assert!(before.ends_with("home\ntmp\n"), "{before}");
    let one = house.run(secret()).await.text();
    let other = house.run(secret()).await.text();
    assert!(one.ends_with("credentials\nhome\ntmp\n"), "{one}");
    assert_ne!(one, other);
    let mut plan = plan;
    plan.run = new_run();
    assert_eq!(house.run(plan).await.text(), before, "nothing of theirs");
}

/// Prints its secret, and then does this.
fn with_secret(then: &str) -> Plan {
    let script = format!("cat $CREDENTIALS_DIRECTORY/key; {then}");
    let mut plan = command(&["/bin/sh", "-c", &script]);
    plan.invocation.files = vec![PrivateFile {
        name: "key".into(),
        content: b"hunter2".to_vec(),
        secret: true,
    }];
    plan
}

/// W24: who is told that an attempt has ended finds no secret of it, whenever it is forgotten.
#[tokio::test]
async fn w24_secrets_are_gone_when_the_end_is_told() {
    let mut house = House::open();
    let ends = [
        "true",
        "exit 3",
        "kill -9 $$",
        "exec >&-; sleep 60 & exit 0",
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let started = house.start(with_secret(end)).await;
        assert_eq!(read_all(started.stdout), b"hunter2", "{end}");
        house.exited().await;
        let folder = house.base.path().join(format!("scratch/attempt-{number}"));
        assert!(folder.join("home").exists(), "{end}: not forgotten yet");
        assert!(!folder.join("credentials/key").exists(), "{end}");
    }
}

#[tokio::test]
async fn secrets_are_removed_where_they_were_put_and_not_where_a_script_points() {
    let mut house = House::open();
    let other = house.base.path().join("other");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("key"), "not the runner's").expect("written");
    let other_path = other.display();
    let redirect = format!(
        "cd $HOME/.. && chmod 700 credentials && mv credentials moved && ln -s {other_path} credentials"
    );
    let started = house.start(with_secret(&redirect)).await;
    drop(read_all(started.stdout));
    assert_eq!(house.exited().await.exit_code, Some(0));
    let folder = house.base.path().join("scratch/attempt-0");
    assert!(!folder.join("moved/key").exists(), "the secret is gone");
    assert!(
        folder.join("credentials/key").exists(),
        "the link leads there"
    );
    let (run, epoch) = (started.run, started.epoch);
    house.runner.forget(run, epoch).await.expect("sent");
    eventually("the folder is gone", || names(&house).is_empty()).await;
    assert!(other.join("key").exists());
}

#[tokio::test]
async fn a_scratch_folder_in_which_others_can_write_is_not_used() {
    let base = new_base();
    let scratch = base.path().join("scratch");
    fs::create_dir(&scratch).expect("made");
    set_mode(&scratch, 0o777);
    let error = Runner::ensure(binary(), &options(base.path())).expect_err("others can write");
    assert!(
        error.to_string().contains("others may write in it"),
        "{error}"
    );
    set_mode(&scratch, 0o755);
    drop(House::in_base(base));
}

#[tokio::test]
async fn what_an_earlier_runner_left_is_removed_and_nothing_else() {
    let base = new_base();
    let scratch = base.path().join("scratch");
    let stale = format!("{}.3", new_run());
    fs::create_dir_all(scratch.join(&stale).join("home/deep/er")).expect("made");
    fs::create_dir(scratch.join("mine")).expect("made");
    if is_root() {
        for folder in ["", "home", "home/deep", "home/deep/er"] {
            let path = scratch.join(&stale).join(folder);
            std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("given");
        }
    }
    let house = House::in_base(base);
    eventually("only the stale one is gone", || names(&house) == ["mine"]).await;
}
