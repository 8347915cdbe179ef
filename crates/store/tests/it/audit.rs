//! The audit log: what is recorded with what.

use stagedoor_domain::audit::{Act, Entry, Origin};
use stagedoor_domain::id::UserId;
use stagedoor_store::{ChangeUserError, Store};

use crate::world::{World, at, new_user, world};

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
