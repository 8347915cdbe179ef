//! The pages of groups, grants and who may what.

use crate::page_admin::{send, server};

#[tokio::test]
async fn a_grant_counts_at_once_and_no_longer_when_it_is_taken_away() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let dan = server.browser("dan", &["dev"]).await;
    assert_eq!(dan.get("/scripts/ops/hello").await.status, 404);
    let page = "/admin/grants";
    let answer = send(
        &root,
        page,
        page,
        "group=dev&scripts=ops%2F*&may=view&may=run",
    )
    .await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(dan.get("/scripts/ops/hello").await.status, 200);
    let shown = root.get(page).await.text();
    assert!(
        shown.contains("<code>ops/*</code>") && shown.contains("grant 1"),
        "{shown}"
    );
    for (fields, why) in [
        (
            "group=dev&scripts=ops%2F*&may=run&may=view",
            "grant 1 says this already",
        ),
        ("group=dev&scripts=ops*&may=run", "neither a script"),
        ("group=dev&scripts=*", "say what"),
        ("group=dev&may=run", "with which scripts"),
        ("group=dev&scripts=*&may=admin", "not about scripts"),
        ("group=D&scripts=*&may=run", "allowed are"),
        (
            "group=dev&scripts=*&may=everything",
            "nothing that one may be allowed",
        ),
    ] {
        let refused = send(&root, page, page, fields).await;
        assert_eq!(refused.status, 422, "{fields}");
        let text = refused.text().to_lowercase();
        assert!(text.contains(why), "{fields}: {text}");
    }
    assert_eq!(
        send(&root, page, "/admin/grants/1/remove", "").await.status,
        303
    );
    assert_eq!(dan.get("/scripts/ops/hello").await.status, 404);
    assert_eq!(
        send(&root, page, "/admin/grants/1/remove", "").await.status,
        404
    );
}

#[tokio::test]
async fn a_grant_of_admin_opens_administration_and_no_script() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let wim = server.browser("wim", &["wardens"]).await;
    assert_eq!(wim.get("/admin").await.status, 404);
    assert!(!wim.get("/").await.text().contains("href=\"/admin\""));
    let answer = send(
        &root,
        "/admin/grants",
        "/admin/grants",
        "group=wardens&may=admin",
    )
    .await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    for path in ["/admin", "/admin/users", "/admin/health"] {
        assert_eq!(wim.get(path).await.status, 200, "{path}");
    }
    assert!(wim.get("/").await.text().contains("href=\"/admin\""));
    assert_eq!(wim.get("/scripts/ops/hello").await.status, 404);
    assert_eq!(wim.get("/api/v1/me").await.json()["admin"], true);
}

#[tokio::test]
async fn a_group_is_renamed_and_the_files_that_still_say_its_old_name_are_told() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    server.browser("ann", &["crew"]).await;
    server.browser("dan", &["dev"]).await;
    let page = "/admin/groups";
    let rename = |fields: &'static str| send(&root, page, "/admin/groups/rename", fields);
    let answer = rename("from=crew&to=mates").await;
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.contains("crew is called mates now"), "{text}");
    assert!(
        text.contains("<code>access</code> in ops/hello.sh, line 3"),
        "{text}"
    );
    let answer = rename("from=dev&to=devs").await;
    assert!(!answer.text().contains("by hand"), "{}", answer.text());
    assert_eq!(rename("from=devs&to=mates").await.status, 422);
    assert_eq!(rename("from=admins&to=x").await.status, 422);
    assert_eq!(rename("from=nobody&to=x").await.status, 422);
}

#[tokio::test]
async fn a_rename_into_a_name_that_files_give_rights_to_is_asked_about_first() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let dan = server.browser("dan", &["dev"]).await;
    let page = "/admin/groups";
    let rename = |fields: &'static str| send(&root, page, "/admin/groups/rename", fields);
    let asked = rename("from=dev&to=crew").await;
    assert_eq!(asked.status, 409, "{}", asked.text());
    let text = asked.text();
    assert!(
        text.contains("<li><code>access</code> in ops/hello.sh, line 3</li>"),
        "{text}"
    );
    assert!(text.contains("name=\"sure\" value=\"yes\""), "{text}");
    assert_eq!(dan.get("/scripts/ops/hello").await.status, 404);
    let done = rename("from=dev&to=crew&sure=yes").await;
    assert_eq!(done.status, 200, "{}", done.text());
    let dan = server.browser("dan", &[]).await;
    assert_eq!(dan.get("/scripts/ops/hello").await.status, 200);
}

#[tokio::test]
async fn a_group_that_nobody_is_in_is_listed_and_everyone_is_not() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let page = "/admin/grants";
    for fields in [
        "group=idle&scripts=*&may=run",
        "group=everyone&scripts=*&may=view",
    ] {
        assert_eq!(send(&root, page, page, fields).await.status, 303);
    }
    let groups = root.get("/api/v1/groups").await.json();
    let expected = serde_json::json!({"items": [
        {"name": "admins", "members": ["root"]},
        {"name": "crew", "members": []},
        {"name": "idle", "members": []},
    ]});
    assert_eq!(groups, expected);
}

#[tokio::test]
async fn many_grants_of_one_group_are_folded_and_do_not_hide_the_others() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let page = "/admin/grants";
    let add = async |group: &str, n: u32| {
        let fields = format!("group={group}&scripts=some%2F{n}&may=view");
        assert_eq!(send(&root, page, page, &fields).await.status, 303);
    };
    for n in 1..=9 {
        add("everyone", n).await;
    }
    add("crew", 1).await;
    let text = root.get(page).await.text();
    let (before, folded) = text.split_once("<details class=\"docs").expect("folded");
    let remove = |n: u32| format!("/admin/grants/{n}/remove");
    assert!(before.contains(&remove(10)), "of crew: {text}");
    assert!(!before.contains(&remove(9)), "{text}");
    assert!(
        folded.contains("everyone <span class=\"count\">9 grants"),
        "{text}"
    );
    assert!(folded.contains(&remove(9)), "{text}");
    assert!(
        text.contains("no script fits <code>some/1</code>"),
        "{text}"
    );
    send(&root, page, "/admin/grants/9/remove", "").await;
    let text = root.get(page).await.text();
    assert!(!text.contains("<details class=\"docs"), "{text}");
}

#[tokio::test]
async fn the_page_and_the_check_give_the_same_answer() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let ann = server.browser("ann", &["crew"]).await;
    server.browser("dan", &["dev"]).await;
    let ask = async |query: &str| root.get(&format!("/admin/may?{query}")).await;
    let yes = ask("user=ann&action=run&script=ops/hello").await.text();
    assert!(yes.contains("<span>yes</span>"), "{yes}");
    assert!(
        yes.contains("<code>access</code> in ops/hello.sh, line 3: run = crew"),
        "{yes}"
    );
    assert_eq!(ann.get("/scripts/ops/hello").await.status, 200);
    let no = ask("user=dan&action=run&script=ops/hello").await.text();
    assert!(no.contains("<span>no</span>"), "{no}");
    let admin = ask("user=root&action=admin&script=").await.text();
    assert!(admin.contains("may do everything"), "{admin}");
    assert_eq!(
        ask("user=nobody&action=run&script=ops/hello").await.status,
        422
    );
    assert_eq!(ask("user=ann&action=run&script=").await.status, 422);
    assert_eq!(ask("").await.status, 200);
}
