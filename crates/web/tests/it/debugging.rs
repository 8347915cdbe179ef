//! Causes of failures: for an administrator at a named address, and for nobody else.

use std::time::Duration;

use stagedoor_config::Debug;
use stagedoor_web::WebOptions;

use crate::client::Client;
use crate::server::{ROOMY, TestServer};

const SCRIPT: (&str, &str) = (
    "hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n",
);

async fn server(clients: &[&str]) -> TestServer {
    let debug = (!clients.is_empty()).then(|| Debug {
        clients: clients
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect(),
        lasts: Duration::from_mins(15),
    });
    let options = WebOptions {
        debug,
        ..WebOptions::default()
    };
    TestServer::start(&[SCRIPT], ROOMY, options).await
}

/// A run whose output the server cannot read: its address in the API.
async fn unreadable(server: &TestServer) -> String {
    let program = server.program("root", &["admins"]).await;
    let started = program
        .post("/api/v1/runs?wait=20", r#"{"script":"hello","args":{}}"#)
        .await;
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().expect("an id").to_owned();
    server.spoil_output();
    format!("/api/v1/runs/{id}/lines?stream=stdout&from=0&n=10")
}

async fn failure(client: &Client, path: &str) -> String {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    let text = answer.text();
    assert!(text.contains("\"request\":\""), "has an id: {text}");
    text
}

#[tokio::test]
async fn p3_an_administrator_at_the_named_address_sees_the_cause() {
    let server = server(&["127.0.0.1"]).await;
    let path = unreadable(&server).await;
    let root = server.browser("root", &["admins"]).await;
    let text = failure(&root, &path).await;
    assert!(text.contains("\"cause\":\""), "{text}");
    assert!(text.contains("os error"), "{text}");
}

#[tokio::test]
async fn p3_p6_nobody_else_does_whatever_they_send() {
    let server = server(&["127.0.0.2"]).await;
    let path = unreadable(&server).await;
    let root = server.browser("root", &["admins"]).await;
    for client in [
        root.clone(),
        root.with("x-forwarded-for", "127.0.0.2"),
        root.with("forwarded", "for=127.0.0.2"),
        root.with("x-real-ip", "127.0.0.2"),
    ] {
        let text = failure(&client, &path).await;
        assert!(!text.contains("cause"), "{text}");
        assert!(!text.contains("os error"), "{text}");
    }
}

#[tokio::test]
async fn p3_p6_a_token_and_who_is_no_administrator_see_no_cause_at_the_named_address() {
    let server = server(&["127.0.0.1"]).await;
    let path = unreadable(&server).await;
    let program = server.program("root", &["admins"]).await;
    let text = failure(&program, &path).await;
    assert!(!text.contains("cause"), "{text}");
    // Who may read the output of others, and administers nothing, is told that there is no such run.
    let ada = server.browser("ada", &["ops"]).await;
    let answer = ada.get(&path).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
}

#[tokio::test]
async fn w20_p2_without_debug_nobody_sees_a_cause() {
    let server = server(&[]).await;
    let path = unreadable(&server).await;
    let root = server.browser("root", &["admins"]).await;
    assert!(!failure(&root, &path).await.contains("cause"));
}

#[tokio::test]
async fn w20_p1_debug_shows_no_source_and_no_setting() {
    let server = server(&["127.0.0.1"]).await;
    server.write("stagedoor.toml", "listen = '127.0.0.1:1'\n");
    let root = server.browser("root", &["admins"]).await;
    for path in [
        "/config",
        "/stagedoor.toml",
        "/hello.sh",
        "/scripts/hello.sh",
        "/scripts/hello_",
        "/scripts/hello.sh_",
        "/scripts/hello?source",
        "/static/stagedoor.toml",
    ] {
        let answer = root.get(path).await;
        let text = answer.text();
        assert!(
            !text.contains("#!/bin/sh") && !text.contains("listen ="),
            "{path}: {text}"
        );
        if path != "/scripts/hello?source" {
            assert_eq!(answer.status, 404, "{path}");
        }
    }
}
