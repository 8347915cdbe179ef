//! Accounts whose groups somebody else names: the operator's sign-in command.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stagedoor_app::app::Options;
use stagedoor_app::external::ExternalCommand;
use stagedoor_app::session_key::{new_api_token, token_hash};
use stagedoor_domain::access::{Gives, Grant, Grants, Origin, Scope};
use stagedoor_domain::id::UserId;
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_store::NewToken;

use crate::house::{House, ROOMY};

/// Row W30: whoever controls the sign-in command names groups, and by that no administrator.
#[tokio::test]
async fn w30_a_grant_of_admin_counts_for_groups_of_the_command_where_the_operator_says_so() {
    let grants = Grants(vec![Grant {
        group: GroupName::parse("ops").expect("a group"),
        gives: Gives::Admin,
        origin: Origin::Stored(1),
    }]);
    let house = House::with_grants(&[], ROOMY, grants).await;
    let groups = |names: &[&str]| -> BTreeSet<GroupName> {
        let names = names.iter().map(|name| GroupName::parse(name));
        names.collect::<Result<_, _>>().expect("groups")
    };
    let mut tokens = Vec::new();
    for (name, of) in [
        ("ann", &["ops"][..]),
        ("bob", &["admins"]),
        ("cat", &["dev"]),
    ] {
        let name = UserName::parse(name).expect("a name");
        let store = house.store();
        let user = store.add_external_user(name, groups(of), house.now()).await;
        tokens.push(admin_token(&house, user.expect("added")).await);
    }
    let local = house.user("dan", &["ops"]).await.user;
    tokens.push(admin_token(&house, local.id).await);
    let administers = async || {
        let tokens = tokens.clone();
        let asked = house.inside(move |app| async move {
            let mut found = Vec::new();
            for token in tokens {
                let by = app.bearer(&token, [127, 0, 0, 1].into()).await;
                let user = by.expect("the store").expect("good").user;
                found.push(app.administers(&user).is_ok());
            }
            found
        });
        asked.await
    };
    assert_eq!(administers().await, [false, false, false, true]);
    for (may_name_admins, expected) in [
        (false, [false, false, false, true]),
        (true, [true, true, false, true]),
    ] {
        house
            .inside(move |app| async move {
                let command = ExternalCommand {
                    argv: vec!["/bin/false".to_owned()],
                    timeout: Duration::from_secs(1),
                    may_name_admins,
                };
                app.reload(Options {
                    external: Some(Arc::new(command)),
                    ..(*app.options()).clone()
                });
            })
            .await;
        assert_eq!(administers().await, expected, "{may_name_admins}");
    }
}

/// A token with which its owner may administer, if they may.
async fn admin_token(house: &House, user: UserId) -> String {
    let token = new_api_token(&*house.chance);
    let mut scope = Scope::all_scripts();
    scope.actions.admin = true;
    let new = NewToken {
        hash: token_hash(&token),
        user,
        name: "ci".to_owned(),
        expires_at: None,
        scope,
        addresses: Vec::new(),
    };
    let added = house.store().add_token(new, house.now()).await;
    added.expect("a token");
    token
}
