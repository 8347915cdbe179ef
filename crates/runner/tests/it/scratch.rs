//! Home and temporary files: there from the first moment, gone when the attempt is forgotten.

use std::fs;
use std::path::Path;

use stagedoor_domain::invocation::PrivateFile;
use stagedoor_runner::{Plan, Runner};

use crate::house::*;

const FILLER: &str = "#!/bin/sh
cd \"$HOME\" && mkdir -p a/b/c && echo x > a/b/c/file && ln -s / root && chmod 000 a/b
echo y > \"$TMPDIR/tmp\" && mkdir \"$TMPDIR/more\"
";

/// What an account that does everything can do beside that.
const MORE: &str = "mkdir \"$HOME/../more\" && chmod 500 \"$HOME/..\"
";

fn names(house: &House) -> Vec<String> {
    let entries = fs::read_dir(house.base.path().join("scratch")).expect("there");
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// What is in the folder of an attempt.
fn left_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Waits until this folder is empty and may serve again. What empties it is a child of the runner, which takes
/// the folder back after that has ended; no script runs meanwhile.
async fn cleared(house: &House, folder: &Path) {
    let children = format!("/proc/{0}/task/{0}/children", house.pid);
    eventually("it is cleared", || {
        let children = fs::read_to_string(&children).expect("the runner's children");
        left_in(folder).is_empty() && children.is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_a_script_left_there_is_removed_when_it_is_forgotten() {
    let mut house = House::open();
    let more = if is_root() { "" } else { MORE };
    let plan = house.script("filler", &format!("{FILLER}{more}"));
    let (run, epoch) = (plan.run, plan.epoch);
    let started = house.start(plan).await;
    let errors = read_all(started.stderr);
    assert_eq!(String::from_utf8_lossy(&errors), "");
    assert_eq!(house.exited().await.exit_code, Some(0));
    assert_eq!(names(&house), ["attempt-0"], "kept until then");
    assert!(house.base.path().join("scratch/attempt-0/home").exists());
    house.runner.forget(&[(run, epoch)]).await.expect("sent");
    eventually("nothing is left in it", || {
        left_in(&house.attempt(0)).is_empty()
    })
    .await;
    assert!(
        fs::exists("/bin/sh").expect("asked"),
        "the link was not followed"
    );
}

/// Prints where its home is, and how everything in its folder is: type, mode, owner, size but of folders,
/// attributes, number.
const LOOK: &str = "#!/bin/sh
echo $HOME; cd $HOME/..
find home tmp -printf '%p %y %m %U %T@ %i\\n' | sort -u
";

#[tokio::test]
async fn a_folder_that_no_script_has_touched_serves_the_next_one_and_any_other_is_made_anew() {
    let mut house = House::open();
    let plan = house.script("look", LOOK);
    let first = house.run(plan).await.text();
    assert!(first.contains("attempt-0/home\n"), "{first}");
    let touches = [
        "touch $HOME/x; rm $HOME/x",
        "touch $HOME/x",
        "chmod 777 $HOME",
        "chmod 750 $HOME; chmod 700 $HOME",
        "mkdir -p $TMPDIR/a/b; chmod 0 $TMPDIR/a $TMPDIR",
        "ln -s / $TMPDIR/link",
        // These need an account that does everything.
        "rmdir $TMPDIR 2>/dev/null; touch $HOME/x",
        "mv $HOME $HOME/../other 2>/dev/null && mkdir -m 700 $HOME || touch $HOME/x",
        "ln -s / $HOME/../link 2>/dev/null; chmod 0 $HOME/.. 2>/dev/null; touch $HOME/x",
    ];
    for touch in touches {
        let plan = house.script("look", LOOK);
        let before = house.run(plan).await.text();
        let plan = house.script("look", LOOK);
        assert_eq!(
            house.run(plan).await.text(),
            before,
            "nobody had touched it"
        );
        let body = format!("#!/bin/sh\necho $HOME\n{touch}\n");
        let plan = house.script("look", &body);
        let home = house.run(plan).await.text();
        let folder = Path::new(home.trim_end())
            .parent()
            .expect("a folder")
            .to_owned();
        cleared(&house, &folder).await;
        let plan = house.script("look", LOOK);
        let after = house.run(plan).await.text();
        assert_eq!(
            without_times(&after),
            without_times(&before),
            "after: {touch}"
        );
        assert_ne!(after, before, "it was made anew after: {touch}");
    }
}

/// Without the first line, and the last two words of each other.
fn without_times(listing: &str) -> Vec<String> {
    let words = |line: &str| line.rsplitn(3, ' ').last().map(ToOwned::to_owned);
    listing.lines().skip(1).filter_map(words).collect()
}

#[tokio::test]
async fn private_files_are_gone_for_the_next_script() {
    let mut house = House::open();
    let plan = house.script("look", LOOK);
    let before = house.run(plan).await.text();
    for _ in 0..2 {
        let body = "#!/bin/sh\ncd $HOME; echo $CREDENTIALS_DIRECTORY; ls $CREDENTIALS_DIRECTORY ../files\n";
        let mut plan = house.script("look", body);
        plan.invocation.files = [("key", true), ("data", false)]
            .map(|(name, secret)| PrivateFile {
                name: name.into(),
                content: b"hunter2".to_vec(),
                secret,
            })
            .into();
        let shown = house.run(plan).await.text();
        assert!(shown.contains("attempt-0/credentials\n"), "{shown}");
        assert!(
            shown.contains("\nkey\n") && shown.contains("\ndata\n"),
            "{shown}"
        );
        cleared(&house, &house.attempt(0)).await;
    }
    let plan = house.script("look", LOOK);
    let after = house.run(plan).await.text();
    assert_eq!(without_times(&after), without_times(&before));
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
    for (number, end) in (0..).zip(ends) {
        let started = house.start(with_secret(end)).await;
        assert_eq!(read_all(started.stdout), b"hunter2", "{end}");
        house.exited().await;
        let folder = house.attempt(number);
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
    let redirect = if is_root() {
        // The folder is not the script's, only what is in it.
        format!(
            "cd $CREDENTIALS_DIRECTORY && chmod 700 . && mv key moved && ln -s {other_path}/key key"
        )
    } else {
        format!(
            "cd $HOME/.. && chmod 700 credentials && mv credentials moved && ln -s {other_path} credentials"
        )
    };
    let started = house.start(with_secret(&redirect)).await;
    drop(read_all(started.stdout));
    assert_eq!(house.exited().await.exit_code, Some(0));
    let folder = house.attempt(0);
    if !is_root() {
        assert!(!folder.join("moved/key").exists(), "the secret is gone");
        assert!(
            folder.join("credentials/key").exists(),
            "the link leads there"
        );
    }
    let (run, epoch) = (started.run, started.epoch);
    house.runner.forget(&[(run, epoch)]).await.expect("sent");
    eventually("all is gone", || left_in(&house.attempt(0)).is_empty()).await;
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
