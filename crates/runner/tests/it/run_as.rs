//! Scripts that run as another account than the usual one.

use std::os::unix::fs::{MetadataExt, chown};

use stagedoor_runner::{Account, Permitted, Plan, Refusal, Runner};

use crate::house::*;

/// Two accounts that need not be known to this machine.
const BACKUP: u32 = 7501;
const DEPLOY: u32 = 7502;
/// A group that `backup` is in.
const TAPE: u32 = 7503;

fn permitted(name: &str, uid: u32, groups: &[u32]) -> Permitted {
    Permitted {
        name: name.into(),
        account: Some(Account {
            uid,
            gid: uid,
            groups: [&[uid], groups].concat(),
        }),
    }
}

/// A house whose scripts may run as `backup` and `deploy`. None for an ordinary user.
fn house() -> Option<House> {
    if !is_root() {
        println!("skipped: only root can start a script as another account");
        return None;
    }
    let base = new_base();
    let mut options = options(base.path());
    options.others = vec![
        permitted("backup", BACKUP, &[TAPE]),
        permitted("deploy", DEPLOY, &[]),
        Permitted {
            name: "gone".into(),
            account: None,
        },
    ];
    let connection = Runner::ensure(binary(), &options).expect("a runner");
    Some(House::with(base, connection))
}

fn as_account(name: &str, plan: &Plan) -> Plan {
    Plan {
        run: new_run(),
        run_as: Some(name.to_owned()),
        ..plan.clone()
    }
}

fn account_refusal(reason: Refusal) -> String {
    match reason {
        Refusal::Account(why) => why,
        other => panic!("another reason: {other:?}"),
    }
}

#[tokio::test]
async fn a_script_runs_as_the_account_that_it_names_with_its_groups_and_nobody_elses() {
    let Some(mut house) = house() else { return };
    let who = "#!/bin/sh\nid -u; id -g; id -G; echo $USER $LOGNAME; echo ok >/dev/stdout; ls -ldn $HOME $TMPDIR | cut -d' ' -f3\n: >$HOME/mine && stat -c %u $HOME/mine\n";
    let plan = house.script("who", who);
    let done = house.run(as_account("backup", &plan)).await;
    assert_eq!(
        done.text(),
        "7501\n7501\n7501 7503\nbackup backup\nok\n7501\n7501\n7501\n",
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let done = house.run(as_account("deploy", &plan)).await;
    assert!(done.text().starts_with("7502\n7502\n7502\n"), "{done:?}");
    // Who names nobody runs as always.
    let done = house.run(plan).await;
    assert!(
        done.text().starts_with("65534\n65534\n65534\n\n"),
        "{done:?}"
    );
}

#[tokio::test]
async fn what_is_told_of_a_start_names_the_account() {
    let mut house = house().unwrap_or_else(House::open);
    let plan = command(&["/bin/true"]);
    let usual = house.start(plan.clone()).await.enforced.account;
    let text = usual.expect("always told");
    assert!(!text.is_empty());
    house.exited().await;
    if is_root() {
        let started = house.start(as_account("backup", &plan)).await;
        assert_eq!(started.enforced.account.as_deref(), Some("backup"));
        assert_ne!(text, "backup");
    }
}

#[tokio::test]
async fn an_account_that_the_runner_was_not_told_of_is_refused_whatever_the_server_says() {
    let Some(mut house) = house() else { return };
    let plan = command(&["/usr/bin/id"]);
    for name in ["root", "0", "7501", "BACKUP", "daemon", ""] {
        let why = account_refusal(house.refusal(as_account(name, &plan)).await);
        assert!(why.contains("[[permit]]"), "{name}: {why}");
    }
    assert_eq!(
        house
            .run(as_account("backup", &plan))
            .await
            .record
            .exit_code,
        Some(0)
    );
}

#[tokio::test]
async fn an_account_that_was_not_there_at_the_start_is_refused_with_what_to_do() {
    let Some(mut house) = house() else { return };
    let why = account_refusal(
        house
            .refusal(as_account("gone", &command(&["/bin/true"])))
            .await,
    );
    for part in ["no account `gone`", "useradd", "again"] {
        assert!(why.contains(part), "{why}");
    }
}

#[tokio::test]
async fn an_ordinary_users_runner_refuses_every_other_account_and_says_why() {
    if is_root() {
        println!("skipped: root's runner takes those that it was told of");
        return;
    }
    let mut house = House::open();
    let plan = command(&["/bin/true"]);
    let why = account_refusal(house.refusal(as_account("backup", &plan)).await);
    assert!(why.contains("started as root"), "{why}");
    assert_eq!(house.run(plan).await.record.exit_code, Some(0));
    // Nor does it begin with one.
    let base = new_base();
    let mut bad = options(base.path());
    bad.others = vec![permitted("backup", BACKUP, &[])];
    let error = Runner::ensure(binary(), &bad).expect_err("only root can");
    assert!(error.to_string().contains("only root"), "{error}");
}

#[tokio::test]
async fn a_runner_that_was_told_of_root_or_of_the_servers_account_does_not_start() {
    if !is_root() {
        println!("skipped: an ordinary user's runner takes no other account at all");
        return;
    }
    for (uid, why) in [(0, "root"), (7373, "server")] {
        let base = new_base();
        let mut bad = options(base.path());
        bad.server_uid = Some(7373);
        bad.others = vec![permitted("other", uid, &[])];
        let error = Runner::ensure(binary(), &bad)
            .expect_err("refused")
            .to_string();
        assert!(error.contains("`other`") && error.contains(why), "{error}");
    }
}

/// Neither the account that it runs as nor any other that scripts run as.
#[tokio::test]
async fn a_script_that_some_scripts_account_can_change_is_started_as_nobody() {
    let Some(mut house) = house() else { return };
    let plan = Plan {
        fingerprint: None,
        ..house.script("hello", "#!/bin/sh\necho hello\n")
    };
    let path = house.scripts().join("hello");
    for (uid, gid, mode) in [(BACKUP, 0, 0o755), (DEPLOY, 0, 0o755), (0, TAPE, 0o775)] {
        chown(&path, Some(uid), Some(gid)).expect("given");
        set_mode(&path, mode);
        for plan in [as_account("backup", &plan), as_account("deploy", &plan)] {
            let reason = house.refusal(plan).await;
            assert!(
                matches!(&reason, Refusal::Unsafe(text) if text.contains("may be changed by the account")),
                "{uid} {gid}: {reason:?}"
            );
        }
    }
    chown(&path, Some(0), Some(0)).expect("given");
    let done = house.run(as_account("backup", &plan)).await;
    assert_eq!(done.text(), "hello\n");
    // A folder on the way counts as much.
    chown(house.scripts(), Some(BACKUP), None).expect("given");
    let reason = house.refusal(as_account("backup", &plan)).await;
    assert!(
        matches!(&reason, Refusal::Unsafe(text) if text.contains("`backup` (uid 7501)")),
        "{reason:?}"
    );
}

/// A folder serves one account after the other, and what is in it is made for each.
#[tokio::test]
async fn no_account_is_given_what_was_made_for_another() {
    let Some(mut house) = house() else { return };
    let look = "#!/bin/sh\nstat -c '%u %a' $HOME $TMPDIR\nls -A $HOME $TMPDIR\n";
    let plan = house.script("look", look);
    let names = [None, Some("backup"), Some("deploy")];
    for name in names.iter().cycle().take(12) {
        let plan = Plan {
            run: new_run(),
            run_as: name.map(str::to_owned),
            ..plan.clone()
        };
        let done = house.run(plan).await;
        let wanted = name.map_or(65534, |name| if name == "backup" { BACKUP } else { DEPLOY });
        let folders: Vec<&str> = done
            .stdout
            .split(|byte| *byte == b'\n')
            .take(2)
            .flat_map(str::from_utf8)
            .collect();
        assert_eq!(folders, [format!("{wanted} 700"), format!("{wanted} 700")]);
        // Two names with a colon, and an empty line between them.
        assert_eq!(done.text().lines().count(), 5, "{}", done.text());
    }
}

/// Where there is no cgroup, whoever keeps the processes of an attempt is the runner's account and ends
/// those of any other.
#[tokio::test]
async fn what_a_script_of_another_account_leaves_behind_is_ended_without_cgroups_too() {
    let Some(mut house) = House::without_cgroups_for(vec![permitted("backup", BACKUP, &[])]) else {
        return;
    };
    let plan = house.script(
        "leaver",
        "#!/bin/sh\nsetsid sleep 1000 >/dev/null 2>&1 </dev/null &\nid -u\n",
    );
    let done = house.run(as_account("backup", &plan)).await;
    assert_eq!((done.text().as_str(), done.record.leftovers), ("7501\n", 1));
}

#[tokio::test]
async fn what_a_script_left_in_its_folder_is_removed_as_its_own_account() {
    let Some(mut house) = house() else { return };
    let plan = house.script(
        "mess",
        "#!/bin/sh\nmkdir -p $HOME/a/b && : >$HOME/a/b/c && chmod 0 $HOME/a && ln -s /etc $TMPDIR/link\necho $HOME\n",
    );
    let done = house.run(as_account("backup", &plan)).await;
    let home = std::path::PathBuf::from(done.text().trim());
    let folder = home.parent().expect("a parent").to_owned();
    assert!(folder.starts_with(house.base.path()), "{folder:?}");
    eventually("all is gone", || !folder.join("home").exists()).await;
    // What an earlier runner left behind belongs to whomever it was given.
    let stale = house.base.path().join("scratch/attempt-77777");
    std::fs::create_dir_all(stale.join("home/deep")).expect("made");
    for path in [&stale, &stale.join("home"), &stale.join("home/deep")] {
        chown(path, Some(7599), Some(7599)).expect("given");
    }
    assert_eq!(std::fs::metadata(&stale).expect("there").uid(), 7599);
    let base = std::mem::replace(&mut house.base, new_base());
    let socket = base.path().join("state/runner.sock");
    drop(house);
    eventually("the runner is gone", || !socket.exists()).await;
    let _next = House::in_base(base);
    eventually("what was left is gone", || !stale.exists()).await;
}
