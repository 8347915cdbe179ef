//! The audit log: what is recorded with what.

use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::id::UserId;
use stagedoor_store::{AuditFilter, ChangeUserError, Store};

use crate::world::{World, at, group_names, new_user, world};

/// Somebody at a terminal.
pub fn by_uid(act: Act) -> Entry {
    Entry::new(act, Origin::command_line(1000), at(0))
}

impl World {
    /// How many records there are.
    pub fn records(&self) -> i64 {
        let db = rusqlite::Connection::open(self.dir.path().join("stagedoor.db")).expect("opens");
        let count = db.query_row("SELECT count(*) FROM audit_log", [], |row| row.get(0));
        count.expect("counted")
    }
}

#[tokio::test]
async fn an_act_is_recorded_with_its_change_and_an_idle_one_is_not() {
    let world = world();
    let add = || world.store.recorded(by_uid(Act::UserAdded));
    let disable = || world.store.recorded(by_uid(Act::UserDisabled));
    let ann = add().add_user(new_user("ann", &[]), at(0)).await;
    let ann = ann.expect("added");
    assert_eq!(world.records(), 1);
    let again = add().add_user(new_user("ann", &[]), at(0)).await;
    again.expect_err("the name is taken");
    let absent = disable().set_disabled(UserId(77), true).await;
    assert!(matches!(absent, Err(ChangeUserError::Absent)));
    assert_eq!(world.records(), 1);
    let disabled = disable().set_disabled(ann, true).await;
    disabled.expect("answered");
    let told = world.store.record(by_uid(Act::SettingsReloaded)).await;
    told.expect("recorded");
    assert_eq!(world.records(), 3);
    let unrecorded = world.store.set_disabled(ann, false).await;
    unrecorded.expect("answered");
    assert_eq!(world.records(), 3);
}

#[tokio::test]
async fn an_act_that_cannot_be_recorded_is_not_done() {
    let world = world();
    let path = world.dir.path().join("stagedoor.db");
    let db = rusqlite::Connection::open(path).expect("opens");
    db.execute("DROP TABLE audit_head", []).expect("dropped");
    let add = |store: Store| async move { store.add_user(new_user("ann", &[]), at(0)).await };
    add(world.store.recorded(by_uid(Act::UserAdded)))
        .await
        .expect_err("not recorded");
    assert_eq!(world.store.count_users().await.expect("counted"), 0);
    add(world.store.clone())
        .await
        .expect("nothing else is wrong");
}

#[tokio::test]
async fn v16_what_is_not_permitted_is_recorded_as_refused_and_what_is_not_there_is_not() {
    let world = world();
    let root = new_user("root", &["admins"]);
    let root = world.store.add_user(root, at(0)).await.expect("added");
    let recorded = |act| world.store.recorded(by_uid(act).on("root"));
    let last = recorded(Act::UserDisabled).set_disabled(root, true).await;
    assert!(matches!(last, Err(ChangeUserError::LastAdmin)));
    let last = recorded(Act::UserRemoved).delete_user(root).await;
    assert!(matches!(last, Err(ChangeUserError::LastAdmin)));
    let last = recorded(Act::GroupsSet)
        .set_groups(root, group_names(&["ops"]))
        .await;
    assert!(matches!(last, Err(ChangeUserError::LastAdmin)));
    let [admins] =
        <[_; 1]>::try_from(group_names(&["admins"]).into_iter().collect::<Vec<_>>()).expect("one");
    let left = recorded(Act::GroupsSet)
        .leave_group(root, admins.clone())
        .await;
    assert!(matches!(left, Err(ChangeUserError::LastAdmin)));
    let ops = group_names(&["ops"]).into_iter().next().expect("one");
    let renamed = recorded(Act::GroupRenamed).rename_group(admins, ops).await;
    renamed.expect_err("built in");
    let absent = recorded(Act::UserRemoved).delete_user(UserId(77)).await;
    assert!(matches!(absent, Err(ChangeUserError::Absent)));

    let all = AuditFilter {
        limit: 99,
        ..AuditFilter::default()
    };
    let page = world.store.audit_page(&all).await;
    let mut items = page.expect("a page").items;
    items.reverse();
    let told: Vec<_> = items
        .iter()
        .map(|record| {
            (
                record.act.as_str(),
                record.outcome.as_str(),
                record.target.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("user_disabled", "refused", "root"),
            ("user_removed", "refused", "root"),
            ("groups_set", "refused", "root"),
            ("groups_set", "refused", "root"),
            ("group_renamed", "refused", "root"),
        ]
    );
    assert_eq!(items[0].detail["why"], "the only administrator");
    assert_eq!(items[4].detail["why"], "a built-in group");
    assert_eq!(
        world.store.count_users().await.expect("counted"),
        1,
        "nothing was done"
    );
    let second = new_user("bob", &["admins"]);
    world.store.add_user(second, at(0)).await.expect("added");
    let locked = recorded(Act::UserDisabled).set_disabled(root, true).await;
    locked.expect("there is another one");
    assert_eq!(world.records(), 6);
}
