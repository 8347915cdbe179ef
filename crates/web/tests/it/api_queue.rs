//! A full queue, by each of its limits.

use serde_json::{Value, json};
use stagedoor_domain::queue::Capacity;

use crate::api_runs::{SLOW, start};
use crate::server::TestServer;

const NARROW: (&str, &str) = (
    "narrow.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n\
     # limits = { running = 1, queued = 1 }\n# ///\nexec sleep 60\n",
);

/// One runs, one waits, the next is one too many; when the one that waits has left, it is not.
async fn a_full_queue(script: &str, capacity: Capacity, code: &str, says: &str) {
    let server = TestServer::with_capacity(&[SLOW, NARROW], capacity).await;
    let ada = server.program("ada", &["ops"]).await;
    start(&ada, script).await;
    let waiting = start(&ada, script).await;
    assert_eq!(waiting.get("state"), Some(&json!("queued")));
    assert_eq!(waiting.get("queue_position"), Some(&json!(1)));
    let body = format!(r#"{{"script":"{script}"}}"#);
    let refused = ada.post("/api/v1/runs", &body).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    let seconds = refused.header("retry-after").expect("says when");
    assert!(seconds.parse::<u32>().is_ok_and(|s| s > 0), "{seconds}");
    let problem = refused.json();
    assert_eq!(problem.get("code"), Some(&json!(code)));
    let detail = text(&problem, "detail");
    assert!(
        detail.contains(says) && detail.contains("1 waiting"),
        "{detail}"
    );
    let stop = format!("/api/v1/runs/{}/stop", text(&waiting, "id"));
    assert_eq!(ada.post(&stop, "").await.status, 202);
    let next = start(&ada, script).await;
    assert_eq!(next.get("state"), Some(&json!("queued")));
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).expect("a text")
}

const ONE_WAITS: Capacity = Capacity {
    running: 1,
    starting: 64,
    queued: 9,
    queued_per_user: 9,
};

#[tokio::test]
async fn a_full_queue_says_so_and_when_to_come_again() {
    let capacity = Capacity {
        queued: 1,
        ..ONE_WAITS
    };
    a_full_queue("slow", capacity, "queue_full", "The queue is full").await;
}

#[tokio::test]
async fn a_user_with_too_many_waiting_runs_is_told_so() {
    let capacity = Capacity {
        queued_per_user: 1,
        ..ONE_WAITS
    };
    a_full_queue(
        "slow",
        capacity,
        "queue_full_user",
        "Your part of the queue",
    )
    .await;
}

#[tokio::test]
async fn a_script_with_too_many_waiting_runs_is_named_as_the_reason() {
    let says = "The queue of this script";
    a_full_queue("narrow", ONE_WAITS, "queue_full_script", says).await;
}
