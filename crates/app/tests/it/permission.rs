//! Who may read and stop a run. What one may not read does not exist.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use stagedoor_app::find::{FindError, RunsFilter};
use stagedoor_app::session_key::{new_api_token, token_hash};
use stagedoor_domain::access::{
    Actions, Gives, Grant, Grants, Origin, Scope, Verb, Verbs, may_run,
};
use stagedoor_domain::id::RunId;
use stagedoor_domain::name::{GroupName, ScriptName};
use stagedoor_domain::pattern::parse_patterns;
use stagedoor_domain::run::Outcome;
use stagedoor_store::{NewToken, Store};

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
        gives: Gives::Scripts {
            scripts: parse_patterns(scripts).expect("patterns"),
            may: Verbs::of(&[verb]),
        },
        origin: Origin::Stored(0),
    };
    let grants = Grants(vec![
        grant("auditors", "shared", Verb::Output),
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

#[tokio::test]
async fn a_grant_of_the_store_counts_at_the_next_request_whoever_gave_it() {
    let house = House::with(&[OWN, SHARED]).await;
    let token = new_api_token(&*house.chance);
    let ann = house.user("ann", &["crew"]).await.user;
    let new = NewToken {
        hash: token_hash(&token),
        user: ann.id,
        name: String::new(),
        expires_at: None,
        scope: Scope::all_scripts(),
        addresses: Vec::new(),
    };
    house
        .store()
        .add_token(new, house.now())
        .await
        .expect("added");
    let runs = async || {
        let token = token.clone();
        let asked = house.inside(move |app| async move {
            let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let user = app
                .bearer(&token, here)
                .await
                .expect("the store")
                .expect("good")
                .user;
            let catalog = app.catalog().await;
            let shared = ScriptName::parse("shared").expect("a name");
            may_run(&user, catalog.get(&shared).expect("there"), &app.grants()).is_ok()
        });
        asked.await
    };
    assert!(!runs().await);
    // As the command line does it, in another process.
    let other = Store::open_beside(&house.state()).expect("opens");
    let gives = Gives::Scripts {
        scripts: parse_patterns("shared").expect("patterns"),
        may: Verbs::of(&[Verb::Run]),
    };
    let crew = GroupName::parse("crew").expect("a name");
    let id = other
        .add_grant(crew.clone(), gives, house.now())
        .await
        .expect("added");
    assert!(runs().await);
    let mates = GroupName::parse("mates").expect("a name");
    other.rename_group(crew, mates).await.expect("renamed");
    assert!(runs().await, "members and grants are renamed together");
    other.remove_grant(id).await.expect("removed");
    assert!(!runs().await);
}

#[tokio::test]
async fn what_an_account_started_stays_and_goes_on_when_it_is_deleted() {
    let house = house().await;
    let (ann, root) = (
        house.user("ann", &["ops"]).await,
        house.user("root", &["admins"]).await,
    );
    let run = ann.start("shared", &[]).await;
    house
        .store()
        .delete_user(ann.user.id)
        .await
        .expect("deleted");
    let live = root.read(run.id).await.expect("an admin reads it");
    assert!(!live.is_ended() && live.user.as_str() == "ann");
    // Somebody else of that name is somebody else.
    let again = house.user("ann", &[]).await;
    assert_ne!(again.user.id, ann.user.id);
    assert!(matches!(again.read(run.id).await, Err(FindError::Absent)));
    house.open_gate("go");
    let ended = root.end_of(run.id).await;
    assert_eq!(
        (ended.outcome, ended.user.as_str()),
        (Some(Outcome::Succeeded), "ann")
    );
    assert_eq!(root.ids(10).await, [run.id]);
    assert!(again.ids(10).await.is_empty());
}

#[tokio::test]
async fn the_list_of_a_token_has_the_runs_of_its_scripts_only() {
    let house = house().await;
    house.open_gate("go");
    let ann = house.user("ann", &["ops", "readers"]).await;
    let bob = house.user("bob", &["ops"]).await;
    let mut ids = Vec::new();
    for (who, script) in [(&ann, "shared"), (&ann, "own"), (&bob, "shared")] {
        ids.push(who.start(script, &[]).await.id);
        house.clock.pass(Duration::from_secs(1));
    }
    let [ann_shared, ann_own, bob_shared] = ids[..] else {
        panic!("not three")
    };
    for (may, scripts, runs) in [
        ("run", "own", vec![ann_own]),
        ("run", "*", vec![ann_own, ann_shared]),
        ("output", "shared", vec![bob_shared, ann_shared]),
        ("output", "*", vec![bob_shared, ann_own, ann_shared]),
        ("view", "*", vec![]),
        ("run", "elsewhere/*", vec![]),
    ] {
        let token = ann.user.clone().within(Scope {
            actions: Actions::parse(may).expect("actions"),
            scripts: parse_patterns(scripts).expect("patterns"),
        });
        let seen = house.as_user(token).ids(10).await;
        assert_eq!(seen, runs, "{may} {scripts}");
    }
}
