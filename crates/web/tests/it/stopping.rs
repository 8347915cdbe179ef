//! Who may stop a run need not be allowed to read it.

use serde_json::{Value, json};

use crate::client::Client;
use crate::pages::{fresh, location, post};
use crate::server::TestServer;

const SLOW: (&str, &str) = (
    "slow.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"], stop = [\"guards\"], output = [\"seers\"] }\n#\n\
     # [[param]]\n# name = \"note\"\n# default = \"private\"\n# ///\nexec sleep 60\n",
);

/// A run of somebody else.
async fn started(owner: &Client) -> String {
    let answer = owner.post("/api/v1/runs", r#"{"script":"slow"}"#).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

async fn stopped(client: &Client, id: &str) -> Value {
    let answer = client.post(&format!("/api/v1/runs/{id}/stop"), "").await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn who_may_only_stop_a_run_is_told_its_id_and_state() {
    let server = TestServer::with(&[SLOW]).await;
    let ada = server.program("ada", &["ops"]).await;
    let guard = server.program("gus", &["guards"]).await;
    let id = started(&ada).await;
    let path = format!("/api/v1/runs/{id}");
    assert_eq!(guard.get(&path).await.status, 404);
    let told = stopped(&guard, &id).await;
    let keys: Vec<&String> = told.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["id", "state"], "{told}");
    assert_eq!(told["id"], json!(id));
    // One that is not known to execute yet is stopped as soon as it is.
    assert!(
        ["starting", "stopping", "ended"]
            .map(Value::from)
            .contains(&told["state"]),
        "{told}"
    );
}

#[tokio::test]
async fn who_may_stop_and_read_a_run_gets_all_of_it() {
    let server = TestServer::with(&[SLOW]).await;
    let ada = server.program("ada", &["ops"]).await;
    let both = server.program("bea", &["guards", "seers"]).await;
    for client in [&both, &ada] {
        let told = stopped(client, &started(&ada).await).await;
        assert_eq!(told["args"], json!({"note": "private"}), "{told}");
        assert_eq!(told["script"], json!("slow"), "{told}");
    }
}

#[tokio::test]
async fn the_form_leads_to_the_run_only_who_may_read_it() {
    let server = TestServer::with(&[SLOW]).await;
    let ada = server.program("ada", &["ops"]).await;
    for (name, groups, reads) in [
        ("gus", &["guards"][..], false),
        ("bea", &["guards", "seers"], true),
    ] {
        let browser = server.browser(name, groups).await;
        let run = format!("/runs/{}", started(&ada).await);
        let sent = post(
            &browser,
            &format!("{run}/stop"),
            &fresh(&browser, "/").await,
            "",
        )
        .await;
        assert_eq!(sent.status, 303, "{name}: {}", sent.text());
        let next = if reads { run.as_str() } else { "/runs" };
        assert_eq!(location(&sent), next, "{name}");
        let page = browser.get(next).await;
        assert_eq!(page.status, 200, "{name}");
        assert_eq!(page.text().contains("private"), reads, "{name}");
    }
}
