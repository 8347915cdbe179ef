//! A program that sends a request twice with one `Idempotency-Key`.

use serde_json::json;

use crate::api_runs::{server, start};

#[tokio::test]
async fn the_same_idempotency_key_starts_one_run() {
    let server = server().await;
    let ada = server
        .program("ada", &["ops"])
        .await
        .with("idempotency-key", "deploy-17");
    let first = start(&ada, "slow").await;
    let second = start(&ada, "slow").await;
    assert_eq!(first["id"], second["id"]);
    let other = ada.post("/api/v1/runs", r#"{"script":"hello"}"#).await;
    assert_eq!(
        (other.status, &other.json()["code"]),
        (409, &json!("other_arguments"))
    );
    let bob = server
        .program("bob", &["ops"])
        .await
        .with("idempotency-key", "deploy-17");
    assert_ne!(
        start(&bob, "slow").await["id"],
        first["id"],
        "another user's key is another key"
    );
    let again = ada.get("/api/v1/runs").await.json();
    assert_eq!(again["items"].as_array().map(Vec::len), Some(1));
    let long = server
        .program("ada", &[])
        .await
        .with("idempotency-key", &"k".repeat(256));
    assert_eq!(
        long.post("/api/v1/runs", r#"{"script":"slow"}"#)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn the_same_key_with_another_secret_is_another_request() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    let ada = ada.with("idempotency-key", "deploy-18");
    let ask = async |password: &str| {
        let body = json!({"script": "hello", "args": {"who": "me", "password": password}});
        ada.post("/api/v1/runs?wait=30", body.to_string()).await
    };
    let first = ask("violet tractor").await;
    assert_eq!(first.status, 201, "{}", first.text());
    let same = ask("violet tractor").await;
    assert_eq!(
        (same.status, &same.json()["id"]),
        (201, &first.json()["id"])
    );
    let other = ask("ninety owls").await;
    assert_eq!(
        (other.status, &other.json()["code"]),
        (409, &json!("other_arguments"))
    );
    assert!(!other.text().contains("owls"), "{}", other.text());
}
