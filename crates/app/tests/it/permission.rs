//! Who may read and stop a run. What one may not read does not exist.

use std::time::Duration;

use stagedoor_app::find::{FindError, RunsFilter};
use stagedoor_domain::access::{Grant, Grants, Verb};
use stagedoor_domain::id::RunId;
use stagedoor_domain::name::GroupName;
use stagedoor_domain::run::Outcome;

use crate::house::{House, ROOMY};

/// Its runs may be read by `readers` and stopped by `stoppers`.
const SHARED: (&str, &str) = (
    "shared.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["ops"], view = ["everyone"], output = ["readers"], stop = ["stoppers"] }
# ///
echo word
i=0
while [ ! -e "@STAGE@/go" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
"#,
);

/// Nobody else is mentioned.
const OWN: (&str, &str) = (
    "own.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho word\n",
);

async fn house() -> House {
    let grant = |group: &str, scripts: &str, verb| Grant {
        group: GroupName::parse(group).expect("a name"),
        scripts: vec![scripts.to_owned()],
        may: vec![verb],
    };
    let grants = Grants(vec![
        grant("auditors", "sha*", Verb::Output),
        grant("guards", "shared", Verb::Stop),
        grant("elsewhere", "own", Verb::Output),
        grant("elsewhere", "own", Verb::Stop),
    ]);
    House::with_grants(&[SHARED, OWN], ROOMY, grants).await
}

#[tokio::test]
async fn a_run_may_be_read_by_its_starter_by_output_and_by_admins_and_is_absent_for_others() {
    let house = house().await;
    let ann = house.user("ann", &["ops"]).await;
    let run = ann.start("shared", &[]).await;
    house.open_gate("go");
    let live_then_ended = [false, true];
    for ended in live_then_ended {
        if ended {
            ann.end_of(run.id).await;
        }
        for (name, groups, may) in [
            ("ann", "ops", true),
            ("reader", "readers", true),
            ("auditor", "auditors", true),
            ("root", "admins", true),
            ("bob", "ops", false),
            ("stopper", "stoppers", false),
            ("guard", "guards", false),
            ("far", "elsewhere", false),
        ] {
            let who = house.user(name, &[groups]).await;
            match who.read(run.id).await {
                Ok(found) => assert!(may && found.id == run.id, "{name} reads it"),
                Err(error) => {
                    assert!(
                        !may && matches!(error, FindError::Absent),
                        "{name}: {error}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_run_is_absent_for_everybody() {
    let house = house().await;
    let root = house.user("root", &["admins"]).await;
    let unknown = RunId::new(house.now(), &*house.chance);
    assert!(matches!(root.read(unknown).await, Err(FindError::Absent)));
    assert!(matches!(root.stop(unknown).await, Err(FindError::Absent)));
}

#[tokio::test]
async fn a_run_may_be_stopped_by_its_starter_by_stop_and_by_admins_and_is_absent_for_others() {
    let house = house().await;
    let ann = house.user("ann", &["ops"]).await;
    for (name, groups, may) in [
        ("ann", "ops", true),
        ("stopper", "stoppers", true),
        ("guard", "guards", true),
        ("root", "admins", true),
        ("bob", "ops", false),
        ("reader", "readers", false),
        ("auditor", "auditors", false),
        ("far", "elsewhere", false),
    ] {
        let run = ann.start_now("shared", &[]).await;
        let who = house.user(name, &[groups]).await;
        match who.stop(run.id).await {
            Ok(()) => {
                assert!(may, "{name} stopped it");
                assert_eq!(ann.end_of(run.id).await.outcome, Some(Outcome::Cancelled));
            }
            Err(error) => {
                assert!(
                    !may && matches!(error, FindError::Absent),
                    "{name}: {error}"
                );
                let still = ann.wait_for(run.id, Duration::from_millis(100)).await;
                assert!(
                    !still.is_ended() && still.stop.is_none(),
                    "{name}: {still:?}"
                );
                ann.stop(run.id).await.expect("its starter may");
            }
        }
    }
}

#[tokio::test]
async fn the_list_of_runs_has_those_that_one_may_read_and_no_others() {
    let house = house().await;
    let (ann, bob) = (
        house.user("ann", &["ops"]).await,
        house.user("bob", &["ops"]).await,
    );
    house.open_gate("go");
    let mut started = Vec::new();
    for (who, script) in [
        (&ann, "shared"),
        (&bob, "shared"),
        (&ann, "own"),
        (&bob, "own"),
    ] {
        started.push(who.start(script, &[]).await.id);
        house.clock.pass(Duration::from_secs(1));
    }
    let [ann_shared, bob_shared, ann_own, bob_own] = started[..] else {
        panic!("not four")
    };
    for (name, groups, runs) in [
        ("ann", "ops", vec![ann_own, ann_shared]),
        ("bob", "ops", vec![bob_own, bob_shared]),
        (
            "root",
            "admins",
            vec![bob_own, ann_own, bob_shared, ann_shared],
        ),
        ("reader", "readers", vec![bob_shared, ann_shared]),
        ("auditor", "auditors", vec![bob_shared, ann_shared]),
        ("far", "elsewhere", vec![bob_own, ann_own]),
        ("stopper", "stoppers", vec![]),
        ("stranger", "ops", vec![]),
    ] {
        let who = house.user(name, &[groups]).await;
        assert_eq!(who.ids(10).await, runs, "{name}");
    }
}

#[tokio::test]
async fn asking_for_the_runs_of_somebody_else_shows_no_more() {
    let house = house().await;
    let (ann, bob) = (
        house.user("ann", &["ops"]).await,
        house.user("bob", &["ops"]).await,
    );
    let run = ann.start("own", &[]).await;
    let of_ann = || RunsFilter {
        user: Some(ann.user.name.clone()),
        limit: 10,
        ..Default::default()
    };
    assert!(bob.runs(of_ann()).await.items.is_empty());
    let own = ann.runs(of_ann()).await.items;
    assert_eq!(own.iter().map(|run| run.id).collect::<Vec<_>>(), [run.id]);
    ann.end_of(run.id).await;
}
