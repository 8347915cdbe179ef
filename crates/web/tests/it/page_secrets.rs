//! The page of stored secrets: a value goes in, and comes back nowhere.

use crate::client::Client;
use crate::page_admin::send;
use crate::pages::{fresh, post};
use crate::server::{PASSWORD, TestServer};

const PAGE: &str = "/admin/secrets";
const REMOVE: &str = "/admin/secrets/remove";
const VALUE: &str = "violet-tractor-17";

const READER: (&str, &str) = (
    "ops/reader.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n\
     # credentials = { password = \"ops/db\" }\n# ///\ncat \"$CREDENTIALS_DIRECTORY/password\" | tr a-z n-za-m\n",
);

async fn set(root: &Client, name: &str, value: &str) -> u16 {
    let fields = format!("name={name}&secret_value={value}");
    let answer = send(root, PAGE, PAGE, &fields).await;
    assert!(!answer.text().contains(VALUE), "{}", answer.text());
    answer.status
}

async fn printed(root: &Client) -> String {
    let run = root.post("/api/v1/runs?wait=30", r#"{"script":"ops/reader"}"#);
    let run = run.await.json();
    let text = |key| run.get(key).and_then(|value| value.as_str());
    assert_eq!(text("outcome"), Some("succeeded"), "{run}");
    let id = text("id").expect("an id");
    let output = format!("/api/v1/runs/{id}/output?stream=stdout");
    root.get(&output).await.text()
}

#[tokio::test]
async fn a_secret_is_set_changed_and_removed_and_scripts_get_what_is_there() {
    let server = TestServer::with(&[READER]).await;
    let root = server.browser("root", &["admins"]).await;
    let program = server.program("ci", &["admins"]).await;
    let page = root.get(PAGE).await.text();
    assert!(page.contains("No secrets yet"), "{page}");
    assert!(
        page.contains("lists the stored secret <code>ops/db</code>"),
        "{page}"
    );
    assert_eq!(set(&root, "ops%2Fdb", VALUE).await, 303);
    assert_eq!(printed(&program).await, "ivbyrg-genpgbe-17");
    let page = root.get("/admin/secrets?done=ops/db").await.text();
    assert!(page.contains("<code>ops/db</code> is set."), "{page}");
    let page = root.get(PAGE).await.text();
    assert!(!page.contains("is set."), "{page}");
    for part in [
        "<code>ops/db</code>",
        "by root",
        "href=\"/scripts/ops/reader\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains(VALUE) && !page.contains("which is not there"),
        "{page}"
    );
    // A browser writes each line end as CR LF, and one stands behind what was pasted.
    assert_eq!(set(&root, "ops%2Fdb", "a%0D%0Ab%0D%0A").await, 303);
    assert_eq!(printed(&program).await, "n\no");
    let answer = send(&root, PAGE, REMOVE, "name=ops%2Fdb").await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("Tick the box"), "{}", answer.text());
    let answer = send(&root, PAGE, REMOVE, "name=ops%2Fdb&sure=yes").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(root.get(PAGE).await.text().contains("No secrets yet"));
    let page = root.get("/admin/secrets?done=ops/db").await.text();
    assert!(
        page.contains("There is no secret <code>ops/db</code>."),
        "{page}"
    );
    let log = root.get("/api/v1/audit-log").await.json().to_string();
    assert_eq!(log.matches("\"secret_set\"").count(), 2, "{log}");
    assert_eq!(log.matches("\"secret_removed\"").count(), 1, "{log}");
    assert!(log.contains("\"ops/db\"") && !log.contains(VALUE), "{log}");
}

#[tokio::test]
async fn what_is_no_secret_is_told_with_its_name_kept_and_its_value_not() {
    let server = TestServer::with(&[]).await;
    let root = server.browser("root", &["admins"]).await;
    let large = "x".repeat((64 << 10) + 1);
    for (fields, said) in [
        (
            "name=a+b&secret_value=violet-tractor-17".to_owned(),
            "allowed are letters",
        ),
        ("name=ops&secret_value=".to_owned(), "Enter the value"),
        ("name=ops".to_owned(), "Enter the value"),
        (
            format!("name=ops&secret_value={large}"),
            "larger than 64 KiB",
        ),
    ] {
        let answer = send(&root, PAGE, PAGE, &fields).await;
        let page = answer.text();
        assert_eq!(answer.status, 422, "{page}");
        assert!(page.contains(said), "{said}: {page}");
        assert!(!page.contains(VALUE) && !page.contains("xxx"), "{page}");
        let name = fields
            .split(['=', '&'])
            .nth(1)
            .expect("a name")
            .replace('+', " ");
        assert!(page.contains(&format!("value=\"{name}\"")), "{page}");
    }
    assert!(root.get(PAGE).await.text().contains("No secrets yet"));
}

/// It asks for the password first, and its form does not carry the value through that.
#[tokio::test]
async fn w75_a_value_is_never_written_into_the_page_that_asks_for_the_password() {
    let server = TestServer::with(&[]).await;
    let root = server.stale_browser("root", &["admins"]).await;
    let fields = format!("name=ops&secret_value={VALUE}");
    let asked = post(&root, PAGE, &fresh(&root, PAGE).await, &fields).await;
    let page = asked.text();
    assert_eq!(asked.status, 403, "{page}");
    assert!(page.contains("name=\"name\" value=\"ops\""), "{page}");
    assert!(
        !page.contains(VALUE) && page.contains("are asked for those again"),
        "{page}"
    );
    let fields = format!("name=ops&.password={}", PASSWORD.replace(' ', "+"));
    let again = post(&root, PAGE, &crate::pages::token(&page), &fields).await;
    let page = again.text();
    assert_eq!(again.status, 422, "{page}");
    assert!(
        page.contains("Enter the value") && page.contains("value=\"ops\""),
        "{page}"
    );
}

#[tokio::test]
async fn the_api_lists_secrets_without_values_and_for_administrators_alone() {
    let server = TestServer::with(&[READER]).await;
    let root = server.browser("root", &["admins"]).await;
    set(&root, "ops%2Fdb", VALUE).await;
    set(&root, "mail", VALUE).await;
    let answer = root.get("/api/v1/secrets").await;
    assert!(!answer.text().contains(VALUE), "{}", answer.text());
    let json = answer.json();
    let (mail, db) = (&json["items"][0], &json["items"][1]);
    assert_eq!(
        (&mail["name"], &mail["scripts"]),
        (&"mail".into(), &serde_json::json!([]))
    );
    assert_eq!(db["name"], "ops/db");
    assert_eq!(
        (&db["set_by"], &db["scripts"]),
        (&"root".into(), &serde_json::json!(["ops/reader"]))
    );
    assert!(db["set_at"].is_string());
    let keys: Vec<&String> = db.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["name", "set_at", "set_by", "scripts"]);
    let ann = server.browser("ann", &["ops"]).await;
    for path in [PAGE, "/api/v1/secrets"] {
        assert_eq!(ann.get(path).await.status, 404, "{path}");
    }
}
