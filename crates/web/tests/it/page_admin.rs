//! The pages of administration: what they change, and who may.

use crate::client::{Answer, Client};
use crate::server::TestServer;

const HELLO: (&str, &str) = (
    "ops/hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"crew\"] }\n# ///\necho hello\n",
);

pub async fn server() -> TestServer {
    TestServer::with(&[HELLO]).await
}

/// Sends a form of this page.
pub async fn send(client: &Client, page: &str, action: &str, fields: &str) -> Answer {
    let html = client.get(page).await.text();
    let token = html.split("name=\"csrf_token\" value=\"").nth(1);
    let token = token.and_then(|rest| rest.split('"').next());
    let token = token.unwrap_or_else(|| panic!("no form on {page}: {html}"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("csrf_token={token}&{fields}");
    client.send("POST", action, &form, body.as_bytes()).await
}

fn secret(html: &str) -> String {
    let rest = html.split("class=\"secret\"><code>").nth(1);
    let text = rest.and_then(|rest| rest.split('<').next());
    text.unwrap_or_else(|| panic!("nothing is shown once: {html}"))
        .replace("&#38;", "&")
}

#[tokio::test]
async fn an_administrator_adds_somebody_who_chooses_a_password_by_a_link_that_works_once() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let made = send(
        &root,
        "/admin/users",
        "/admin/users",
        "name=ann&groups=crew",
    )
    .await;
    assert_eq!(made.status, 200, "{}", made.text());
    let link = secret(&made.text());
    let path = link
        .split_once(&server.address.to_string())
        .expect("ours")
        .1
        .to_owned();
    assert!(path.starts_with("/password?key="), "{path}");
    let key = path.split_once("key=").expect("a key").1;
    assert!(
        !root.get("/admin/users/ann").await.text().contains(key),
        "shown once"
    );
    let stranger = server.anonymous();
    let again = send_link(&stranger, &path, key, "correct horse battery", "another").await;
    assert_eq!(again.status, 422, "{}", again.text());
    let chosen = send_link(
        &stranger,
        &path,
        key,
        "correct horse battery",
        "correct horse battery",
    );
    let chosen = chosen.await;
    assert_eq!(chosen.status, 303, "{}", chosen.text());
    assert_eq!(stranger.get(&path).await.status, 410);
    let users = root.get("/api/v1/users").await.json();
    assert_eq!(users["items"][0]["name"], "ann");
    assert_eq!(users["items"][0]["groups"], serde_json::json!(["crew"]));
}

/// As a browser does that came by the link: with the cookie that the page set.
async fn send_link(client: &Client, path: &str, key: &str, one: &str, two: &str) -> Answer {
    let page = client.get(path).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let cookie = page.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let token = page.text();
    let token = token
        .split("name=\"csrf_token\" value=\"")
        .nth(1)
        .expect("a form");
    let token = token.split('"').next().expect("a token");
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", cookie.as_str()),
    ];
    let plus = |text: &str| text.replace(' ', "+");
    let body = format!(
        "csrf_token={token}&key={key}&password={}&again={}",
        plus(one),
        plus(two)
    );
    client
        .send("POST", "/password", &form, body.as_bytes())
        .await
}

#[tokio::test]
async fn an_account_is_disabled_enabled_regrouped_and_deleted_and_the_last_administrator_is_not() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let ann = server.browser("ann", &["crew"]).await;
    let page = "/admin/users/ann";
    assert_eq!(ann.get("/scripts/ops/hello").await.status, 200);
    let answer = send(&root, page, "/admin/users/ann/groups", "groups=dev%2C+ops").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(
        ann.get("/scripts/ops/hello").await.status,
        303,
        "with other groups she signs in again"
    );
    let ann = server.browser("ann", &[]).await;
    assert_eq!(ann.get("/scripts/ops/hello").await.status, 404);
    let answer = send(&root, page, "/admin/users/ann/groups", "groups=No+Group").await;
    assert_eq!(answer.status, 409, "{}", answer.text());
    let answer = send(&root, page, "/admin/users/ann/disable", "").await;
    assert_eq!((answer.status, ann.get("/").await.status), (303, 303));
    assert!(root.get(page).await.text().contains("disabled"));
    assert_eq!(
        send(&root, page, "/admin/users/ann/enable", "")
            .await
            .status,
        303
    );
    let unsure = send(&root, page, "/admin/users/ann/delete", "").await;
    assert_eq!(unsure.status, 409, "{}", unsure.text());
    assert_eq!(root.get(page).await.status, 200);
    let sure = send(&root, page, "/admin/users/ann/delete", "sure=yes").await;
    assert_eq!((sure.status, root.get(page).await.status), (303, 404));
    for (act, fields) in [
        ("disable", ""),
        ("delete", "sure=yes"),
        ("groups", "groups=ops"),
    ] {
        let path = format!("/admin/users/root/{act}");
        let refused = send(&root, "/admin/users/root", &path, fields).await;
        assert_eq!(refused.status, 409, "{act}");
        assert!(
            refused.text().contains("only administrator"),
            "{}",
            refused.text()
        );
    }
    assert_eq!(root.get("/admin").await.status, 200);
    // What was tried is known later, newest first.
    let log = root.get("/api/v1/audit-log?outcome=refused").await.json();
    let told: Vec<_> = (0..3)
        .map(|n| (&log["items"][n]["act"], &log["items"][n]["target"]))
        .collect();
    let root = &serde_json::json!("root");
    let acts = ["groups_set", "user_removed", "user_disabled"].map(|act| serde_json::json!(act));
    assert_eq!(told, acts.each_ref().map(|act| (act, root)));
    assert_eq!(log["items"][3], serde_json::Value::Null);
}

#[tokio::test]
async fn sessions_are_ended_everywhere_by_an_administrator() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let (one, two) = (
        server.browser("ann", &[]).await,
        server.browser("ann", &[]).await,
    );
    let bob = server.browser("bob", &[]).await;
    assert_eq!(one.get("/").await.status, 200);
    let answer = send(&root, "/admin/users/ann", "/admin/users/ann/sessions", "").await;
    assert!(answer.text().contains("2 sessions"), "{}", answer.text());
    assert_eq!(
        (one.get("/").await.status, two.get("/").await.status),
        (303, 303)
    );
    assert_eq!(bob.get("/").await.status, 200);
}

#[tokio::test]
async fn w30_whose_password_the_command_knows_is_called_external_and_made_local_only_knowingly() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    server.external_user("eve").await;
    let (eve, dan) = (
        server.browser("eve", &[]).await,
        server.browser("dan", &[]).await,
    );
    let tag = ">external</span>";
    assert_eq!(
        root.get("/admin/users").await.text().matches(tag).count(),
        1
    );
    for (user, is_external) in [("eve", true), ("dan", false)] {
        let page = root.get(&format!("/admin/users/{user}")).await.text();
        assert_eq!(page.contains(tag), is_external, "{page}");
    }
    for (client, is_external) in [(&eve, true), (&dan, false)] {
        let own = client.get("/account").await.text();
        assert_eq!(own.contains("not kept here"), is_external, "{own}");
        assert_eq!(own.contains("type=\"password\""), !is_external, "{own}");
    }
    let link = |user: &'static str, fields: &'static str| {
        let (page, action) = (
            format!("/admin/users/{user}"),
            format!("/admin/users/{user}/link"),
        );
        let root = &root;
        async move { send(root, &page, &action, fields).await }
    };
    let asked = link("eve", "").await;
    assert_eq!(asked.status, 409, "{}", asked.text());
    assert!(asked.text().contains("local account"), "{}", asked.text());
    assert!(asked.text().contains("begins without groups"));
    let made = link("eve", "sure=yes").await.text();
    let path = secret(&made);
    let path = path
        .split_once(&server.address.to_string())
        .expect("ours")
        .1;
    let page = server.anonymous().get(path).await.text();
    assert!(page.contains("only the one that you choose"), "{page}");
    let made = link("dan", "").await.text();
    let path = secret(&made);
    let path = path
        .split_once(&server.address.to_string())
        .expect("ours")
        .1;
    let page = server.anonymous().get(path).await.text();
    assert!(!page.contains("only the one that you choose"), "{page}");
}

#[tokio::test]
async fn a_link_leads_to_the_public_host_even_when_it_is_made_at_another_name() {
    let options = stagedoor_web::WebOptions {
        public_hosts: vec!["scripts.example.org".to_owned()],
        public_address: Some("https://scripts.example.org".to_owned()),
        ..stagedoor_web::WebOptions::default()
    };
    let server = TestServer::start(&[HELLO], crate::server::ROOMY, options).await;
    let root = server.browser("root", &["admins"]).await;
    let made = send(&root, "/admin/users", "/admin/users", "name=ann").await;
    let link = secret(&made.text());
    assert!(
        link.starts_with("https://scripts.example.org/password?key="),
        "{link}"
    );
}

#[tokio::test]
async fn one_makes_tokens_for_oneself_shown_once_and_an_administrator_ends_any() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let (ann, bob) = (
        server.browser("ann", &["crew"]).await,
        server.browser("bob", &[]).await,
    );
    let page = "/account/tokens";
    let fields = "name=ci&may=run&scripts=ops%2F*&from=127.0.0.0%2F8&term=7d";
    let made = send(&ann, page, page, fields).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let token = secret(&made.text());
    assert!(token.starts_with("sd_"), "{token}");
    let shown = ann.get(page).await.text();
    assert!(
        !shown.contains(&token) && shown.contains("127.0.0.0/8"),
        "{shown}"
    );
    let program = server
        .anonymous()
        .with("authorization", &format!("Bearer {token}"));
    assert_eq!(program.get("/api/v1/scripts/ops/hello").await.status, 200);
    assert_eq!(program.get("/api/v1/me").await.json()["admin"], false);
    for (fields, why) in [
        ("may=run&scripts=ops*&term=7d", "neither a script"),
        ("scripts=*&term=7d", "at least one"),
        ("may=run&from=10.0.0.1%2F8&term=7d", "no network"),
        ("may=run&term=100y", "how long"),
    ] {
        let refused = send(&ann, page, page, fields).await;
        assert_eq!(refused.status, 422, "{fields}");
        assert!(refused.text().contains(why), "{fields}: {}", refused.text());
    }
    let id = root.get("/api/v1/tokens").await.json()["items"][0]["id"].to_string();
    let path = format!("/account/tokens/{id}/revoke");
    assert_eq!(send(&bob, page, &path, "").await.status, 404, "another's");
    assert_eq!(program.get("/api/v1/me").await.status, 200);
    let path = format!("/admin/tokens/{id}/revoke");
    assert_eq!(send(&root, "/admin/tokens", &path, "").await.status, 303);
    assert_eq!(program.get("/api/v1/me").await.status, 401);
    assert_eq!(
        send(&ann, page, &format!("/account/tokens/{id}/revoke"), "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn who_has_a_hundred_tokens_is_told_to_end_one_first() {
    let server = server().await;
    let ann = server.browser("ann", &["crew"]).await;
    let page = "/account/tokens";
    let make = async || send(&ann, page, page, "name=ci&may=run&scripts=*&term=1d").await;
    for n in 0..100 {
        assert_eq!(make().await.status, 200, "{n}");
    }
    let refused = make().await;
    assert_eq!(refused.status, 422);
    let text = refused.text();
    assert!(text.contains("end one that is not used any more"), "{text}");
    let id = ann.get(page).await.text();
    let id = id
        .split("/account/tokens/")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let path = format!("/account/tokens/{}/revoke", id.expect("a token"));
    assert_eq!(send(&ann, page, &path, "").await.status, 303);
    assert_eq!(make().await.status, 200);
}

/// Whose browser, the page with the form, where it goes, what it sends; what is recorded, and of what.
#[rustfmt::skip]
const ACTS: [(&str, &str, &str, &str, &str, &str); 12] = [
    ("ann", "/account/tokens", "/account/tokens", "may=run&term=1d", "token_created", "ann"),
    ("ann", "/account/tokens", "/account/tokens/1/revoke", "", "token_revoked", "token 1"),
    ("root", "/admin/users/ann", "/admin/users/ann/sessions", "", "sessions_ended", "ann"),
    ("root", "/admin/users", "/admin/users", "name=bob&groups=dev", "user_added", "bob"),
    ("root", "/admin/users/ann", "/admin/users/ann/link", "", "password_link_made", "ann"),
    ("root", "/admin/users/ann", "/admin/users/ann/groups", "groups=dev", "groups_set", "ann"),
    ("root", "/admin/groups", "/admin/groups/rename", "from=dev&to=devs", "group_renamed", "dev"),
    ("root", "/admin/grants", "/admin/grants", "group=devs&scripts=*&may=run", "grant_added", "devs"),
    ("root", "/admin/grants", "/admin/grants/1/remove", "", "grant_removed", "grant 1"),
    ("root", "/admin/users/ann", "/admin/users/ann/disable", "", "user_disabled", "ann"),
    ("root", "/admin/users/ann", "/admin/users/ann/enable", "", "user_enabled", "ann"),
    ("root", "/admin/users/ann", "/admin/users/ann/delete", "sure=yes", "user_removed", "ann"),
];

#[tokio::test]
async fn every_act_of_administration_is_recorded_and_what_was_refused_is_not_called_done() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let ann = server.browser("ann", &["crew"]).await;
    let recorded = async || -> Vec<(String, String)> {
        let log = root.get("/api/v1/audit-log?limit=200").await.json();
        let items = log["items"].as_array().expect("a list").clone();
        let word =
            |item: &serde_json::Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let done = items.iter().filter(|item| item["outcome"] == "done");
        done.map(|item| (word(item, "act"), word(item, "target")))
            .collect()
    };
    // What she does herself comes before her groups change, which ends her session.
    for (who, page, action, fields, act, target) in ACTS {
        let client = if who == "ann" { &ann } else { &root };
        let expected = (act.to_owned(), target.to_owned());
        assert!(!recorded().await.contains(&expected), "{act} too early");
        let answer = send(client, page, action, fields).await;
        assert!(answer.status < 400, "{act}: {}", answer.text());
        assert!(
            recorded().await.contains(&expected),
            "{act}: {:?}",
            recorded().await
        );
    }
    let before = recorded().await.len();
    let own = "/admin/users/root";
    for (page, action, fields) in [
        (own, "/admin/users/root/disable", ""),
        (own, "/admin/users/root/delete", "sure=yes"),
        ("/admin/users", "/admin/users", "name=bob"),
        ("/admin/groups", "/admin/groups/rename", "from=nobody&to=x"),
        ("/admin/grants", "/admin/grants/1/remove", ""),
    ] {
        let answer = send(&root, page, action, fields).await;
        assert!(answer.status >= 400, "{action}");
    }
    assert_eq!(recorded().await.len(), before);
}
