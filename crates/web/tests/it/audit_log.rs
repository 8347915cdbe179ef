//! The audit log by page and API: what is recorded of requests, and who may read it.

use serde_json::{Value, json};

use crate::client::Client;
use crate::pages::{fresh, post};
use crate::server::TestServer;

const SLOW: (&str, &str) = (
    "slow.sh",
    "#!/bin/sh\n# /// stagedoor\n# title = \"Slow\"\n# access = { run = [\"ops\"] }\n# ///\nexec sleep 60\n",
);

async fn log(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("/api/v1/audit-log?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["items"].as_array().expect("items").clone()
}

async fn start(client: &Client, key: &str) -> String {
    let body = br#"{"script":"slow"}"#;
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let answer = client.send("POST", "/api/v1/runs", &headers, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn w41_only_admins_read_the_log_and_nobody_its_file() {
    let server = TestServer::with(&[SLOW]).await;
    let root = server.browser("root", &["admins"]).await;
    let machine = server.program("cron", &["admins"]).await;
    let keeper = server.scoped("root", &["admins"], "admin", "*", &[]).await;
    let (ada, program) = (
        server.browser("ada", &["ops"]).await,
        server.program("ci", &["ops"]).await,
    );
    let anon = server.anonymous();
    for (who, page, api) in [
        (&root, 200, 200),
        (&keeper, 303, 200),
        // A token that was not given the right to administer.
        (&machine, 303, 404),
        (&ada, 404, 404),
        (&program, 303, 404),
        (&anon, 303, 401),
    ] {
        assert_eq!(who.get("/admin/audit-log").await.status, page);
        assert_eq!(who.get("/api/v1/audit-log").await.status, api);
    }
    for path in [
        "/logs/audit.jsonl",
        "/logs/",
        "/logs",
        "/static/../logs/audit.jsonl",
        "/audit.key",
    ] {
        assert_eq!(root.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_start_is_recorded_once_with_who_started_it_and_a_stop_too() {
    let server = TestServer::with(&[SLOW]).await;
    let (root, ci) = (
        server.browser("root", &["admins"]).await,
        server.program("ci", &["ops"]).await,
    );
    let id = start(&ci, "once").await;
    assert_eq!(start(&ci, "once").await, id, "the same request again");
    let stopped = ci.post(&format!("/api/v1/runs/{id}/stop"), "").await;
    assert_eq!(stopped.status, 202);
    let records = log(&root, "user=ci").await;
    let seen: Vec<(&Value, &Value)> = records
        .iter()
        .map(|record| (&record["act"], &record["outcome"]))
        .collect();
    let (stop, started) = (json!("run_stopped"), json!("run_started"));
    let done = json!("done");
    assert_eq!(seen, [(&stop, &done), (&started, &done)], "{records:?}");
    for record in &records {
        assert_eq!(record["actor"], "token");
        assert!(record["number"].is_i64(), "{record}");
        assert_eq!(record["address"], "127.0.0.1");
        assert_eq!(record["target"], "slow");
        assert_eq!(record["detail"]["run"], json!(id));
    }
}

#[tokio::test]
async fn a_start_by_form_and_a_sign_out_are_recorded_of_the_person() {
    let server = TestServer::with(&[SLOW]).await;
    let root = server.browser("root", &["admins"]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let token = fresh(&ada, "/scripts/slow").await;
    assert_eq!(post(&ada, "/scripts/slow", &token, "").await.status, 303);
    let token = fresh(&ada, "/").await;
    assert_eq!(post(&ada, "/logout", &token, "").await.status, 303);
    let records = log(&root, "user=ada").await;
    let seen: Vec<&Value> = records.iter().map(|record| &record["act"]).collect();
    assert_eq!(seen, [&json!("sign_out"), &json!("run_started")]);
    assert!(records.iter().all(|record| record["actor"] == "user"));
}

#[tokio::test]
async fn what_is_no_accounts_name_is_not_kept_of_a_refused_sign_in() {
    let server = TestServer::with(&[]).await;
    let root = server.browser("root", &["admins"]).await;
    for name in ["root", "hunter2-my-password"] {
        let anon = server
            .anonymous()
            .with("origin", &format!("http://{}", server.address));
        let page = anon.get("/login").await;
        let cookie = page.header("set-cookie").expect("a cookie").to_owned();
        let cookie = cookie.split(';').next().expect("a value");
        let token = crate::pages::token(&page.text());
        let fields = format!("name={name}&password=wrong");
        let answer = post(&anon.with("cookie", cookie), "/login", &token, &fields).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    let records = log(&root, "act=sign_in&outcome=refused").await;
    let targets: Vec<&Value> = records.iter().map(|record| &record["target"]).collect();
    assert_eq!(targets, [&json!(""), &json!("root")], "newest first");
    assert!(!format!("{records:?}").contains("hunter2"));
}

#[tokio::test]
async fn v16_what_is_denied_to_somebody_signed_in_is_recorded_but_not_each_time() {
    const SEEN: (&str, &str) = (
        "seen.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { view = [\"ops\"] }\n# ///\n",
    );
    let server = TestServer::with(&[SEEN]).await;
    let root = server.browser("root", &["admins"]).await;
    let (ada, ci) = (
        server.browser("ada", &["ops"]).await,
        server.program("ci", &["ops"]).await,
    );
    for _ in 0..20 {
        assert_eq!(ada.get("/admin/audit-log?user=secret").await.status, 404);
    }
    let refused = ci.post("/api/v1/runs", r#"{"script":"seen"}"#).await;
    assert_eq!(refused.status, 403);
    let mut records = Vec::new();
    for _ in 0..500 {
        records = log(&root, "act=access_denied").await;
        if records.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let mut seen: Vec<[&Value; 3]> = records
        .iter()
        .map(|record| ["user", "target", "outcome"].map(|name| &record[name]))
        .collect();
    seen.sort_by_key(|record| record[0].to_string());
    let refused = json!("refused");
    let (page, run) = (json!("GET /admin/audit-log"), json!("run seen"));
    assert_eq!(
        seen,
        [
            [&json!("ada"), &page, &refused],
            [&json!("ci"), &run, &refused]
        ]
    );
}

#[tokio::test]
async fn the_page_shows_what_its_filter_says_and_leads_to_older_ones() {
    let server = TestServer::with(&[SLOW]).await;
    let root = server.browser("root", &["admins"]).await;
    let ci = server.program("ci", &["ops"]).await;
    let id = start(&ci, "k").await;
    let page = root.get("/admin/audit-log?act=all").await.text();
    assert!(page.contains(&format!("/runs/{id}")), "{page}");
    assert!(page.contains("by token"), "{page}");
    let page = root.get("/admin/audit-log").await.text();
    assert!(
        !page.contains(&id),
        "starts are left out unless they are asked for"
    );
    for (query, words) in [
        ("act=nonsense", "There is no act <code>nonsense</code>"),
        ("address=nowhere", "is not an address"),
        ("from=yesterday", "is not a day"),
        ("user=zoe", "No record matches"),
    ] {
        let page = root.get(&format!("/admin/audit-log?{query}")).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains(words), "{query}: {}", page.text());
    }
    let lost = root.get("/admin/audit-log?cursor=x").await;
    assert_eq!(lost.header("location"), Some("/admin/audit-log"));
    for _ in 0..51 {
        let stopped = ci.post(&format!("/api/v1/runs/{id}/stop"), "").await;
        assert!([202, 409].contains(&stopped.status), "{}", stopped.text());
    }
    for n in 0..50 {
        start(&ci, &format!("k{n}")).await;
    }
    let first = root.get("/admin/audit-log?act=all").await.text();
    let older = first.split("rel=\"next\" href=\"").nth(1);
    let older = older
        .and_then(|rest| rest.split('"').next())
        .expect("a link");
    let older = older.replace("&amp;", "&").replace("&#38;", "&");
    let second = root.get(&older).await.text();
    assert!(second.contains(">Newest</a>"), "{second}");
    assert!(second.contains(&id) && !first.contains(&id));
}

#[tokio::test]
async fn the_api_gives_pages_and_refuses_what_it_does_not_know() {
    let server = TestServer::with(&[SLOW]).await;
    let root = server.browser("root", &["admins"]).await;
    let ci = server.program("ci", &["ops"]).await;
    for key in ["a", "b", "c"] {
        start(&ci, key).await;
    }
    let answer = root
        .get("/api/v1/audit-log?limit=2&act=run_started")
        .await
        .json();
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(2));
    let next = answer["next"].as_str().expect("a next page");
    let rest = root
        .get(&format!("/api/v1/audit-log?act=run_started&cursor={next}"))
        .await
        .json();
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["next"], Value::Null);
    for bad in [
        "act=x",
        "cursor=x",
        "limit=0",
        "address=x",
        "from=x",
        "user=X Y",
        "nonsense=1",
    ] {
        let bad = format!("/api/v1/audit-log?{}", bad.replace(' ', "%20"));
        assert_eq!(root.get(&bad).await.status, 400, "{bad}");
    }
}
