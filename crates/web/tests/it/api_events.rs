//! Following a run.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::server::TestServer;

const STEPS: (&str, &str) = (
    "steps.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho first\nsleep 1\necho last\n",
);
const SLOW: (&str, &str) = (
    "slow.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho begun\nexec sleep 15\n",
);

/// As `SLOW`, but whoever is in the group may see everybody's output.
const SHARED: (&str, &str) = (
    "shared.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"], output = [\"ops\"] }\n# ///\necho begun\nexec sleep 60\n",
);

/// The events of one stream as they come.
struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    async fn of(client: &Client, path: &str) -> Self {
        let stream = client
            .open("GET", &format!("{path}/events"), &[], b"")
            .await;
        let mut events = Self(BufReader::new(stream).lines());
        let mut head = Vec::new();
        while let Some(line) = events.line().await {
            if line.is_empty() {
                break;
            }
            head.push(line.to_ascii_lowercase());
        }
        assert!(
            head.first().is_some_and(|status| status.contains(" 200 ")),
            "{head:?}"
        );
        assert!(
            head.contains(&"content-type: text/event-stream; charset=utf-8".to_owned()),
            "{head:?}"
        );
        assert!(
            head.contains(&"cache-control: no-store".to_owned()),
            "{head:?}"
        );
        events
    }

    async fn line(&mut self) -> Option<String> {
        let line = tokio::time::timeout(Duration::from_secs(20), self.0.next_line()).await;
        line.expect("a line in time").ok().flatten()
    }

    /// Name, data and id of the next event; none when the stream has ended.
    async fn next(&mut self) -> Option<(String, Value, Option<u64>)> {
        let (mut name, mut data, mut id) = (None, None, None);
        while let Some(line) = self.line().await {
            match line.split_once(": ") {
                Some(("event", text)) => name = Some(text.to_owned()),
                Some(("data", text)) => data = serde_json::from_str(text).ok(),
                Some(("id", text)) => id = text.parse().ok(),
                _ => {}
            }
            if let (true, Some(name), Some(data)) = (line.is_empty(), &name, &data) {
                return Some((name.clone(), Value::clone(data), id));
            }
        }
        None
    }
}

async fn start(client: &Client, script: &str) -> String {
    let answer = client
        .post("/api/v1/runs", json!({"script": script}).to_string())
        .await;
    answer.header("location").expect("Location").to_owned()
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let server = TestServer::with(&[STEPS]).await;
    let ada = server.program("ada", &["ops"]).await;
    let path = start(&ada, "steps").await;
    let mut events = Events::of(&ada, &path).await;
    let (mut tails, mut states, mut seen) = (Vec::new(), Vec::new(), 0);
    while let Some((name, data, id)) = events.next().await {
        match name.as_str() {
            "tail" => {
                assert!(
                    id.is_some_and(|id| id > seen),
                    "ids grow: {id:?} after {seen}"
                );
                seen = id.unwrap_or(seen);
                tails.push(data);
            }
            "state" => states.push(data),
            "end" => break,
            other => panic!("{other}"),
        }
    }
    let last = tails.last().expect("a tail");
    assert_eq!(
        (&last["total"], &last["lines"], &last["ended"]),
        (&json!(2), &json!(["first", "last"]), &json!(true))
    );
    let last = states.last().expect("a state");
    assert_eq!(
        (&last["state"], &last["outcome"]),
        (&json!("ended"), &json!("succeeded"))
    );
    assert!(
        tails.iter().any(|tail| tail["total"] == json!(1)),
        "the first line came while it ran: {tails:?}"
    );
    assert!(events.next().await.is_none(), "the stream ends");
}

#[tokio::test]
async fn who_comes_late_gets_all_at_once() {
    let server = TestServer::with(&[STEPS]).await;
    let ada = server.program("ada", &["ops"]).await;
    let answer = ada
        .post(
            "/api/v1/runs?wait=20",
            json!({"script": "steps"}).to_string(),
        )
        .await;
    let path = answer.header("location").expect("Location").to_owned();
    let mut events = Events::of(&ada.with("last-event-id", "1"), &path).await;
    let (name, run, _) = events.next().await.expect("a state");
    assert_eq!(
        (name.as_str(), &run["outcome"]),
        ("state", &json!("succeeded"))
    );
    let (name, tail, _) = events.next().await.expect("a tail");
    assert_eq!(
        (name.as_str(), &tail["lines"]),
        ("tail", &json!(["first", "last"]))
    );
    assert_eq!(events.next().await.expect("the end").0, "end");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_run_that_waits_is_followed_from_the_queue_on() {
    let capacity = stagedoor_domain::queue::Capacity {
        running: 1,
        starting: 64,
        queued: 9,
        queued_per_user: 9,
    };
    let server = TestServer::with_capacity(&[STEPS], capacity).await;
    let ada = server.program("ada", &["ops"]).await;
    start(&ada, "steps").await;
    let path = start(&ada, "steps").await;
    let mut events = Events::of(&ada, &path).await;
    let (_, first, _) = events.next().await.expect("a state");
    assert_eq!(
        (&first["state"], &first["queue_position"]),
        (&json!("queued"), &json!(1))
    );
    let mut early = false;
    while let Some((name, data, _)) = events.next().await {
        early |= name == "tail" && data["total"] == json!(1) && data["ended"] == json!(false);
        if name == "end" {
            break;
        }
    }
    assert!(early, "its output came while it ran");
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = TestServer::with(&[SLOW]).await;
    let ada = server.program("ada", &["ops"]).await;
    let path = start(&ada, "slow").await;
    let mut events = Events::of(&ada, &path).await;
    assert!(events.next().await.is_some());
    server.stop();
    while let Some((name, _, _)) = events.next().await {
        assert_ne!(name, "end", "the run goes on");
    }
}

/// How the viewer's rights end, and whether the stream ends with them.
async fn ends_after(act: impl AsyncFnOnce(&TestServer), ends: bool) {
    let server = TestServer::with(&[SHARED]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let bob = server.program("bob", &["ops"]).await;
    // Started by somebody else, so that it is the group that lets her look.
    let path = start(&bob, "shared").await;
    let mut events = Events::of(&ada, &path).await;
    while let Some((name, data, _)) = events.next().await {
        if name == "tail" && data["lines"] == json!(["begun"]) {
            break;
        }
    }
    act(&server).await;
    let waiting = async { while events.next().await.is_some() {} };
    let patience = Duration::from_secs(if ends { 20 } else { 4 });
    let ended = tokio::time::timeout(patience, waiting).await;
    assert_eq!(ended.is_ok(), ends);
}

#[tokio::test]
async fn a_stream_ends_when_its_viewer_is_disabled() {
    ends_after(async |server| server.disable("ada").await, true).await;
}

#[tokio::test]
async fn a_stream_ends_when_its_viewer_leaves_the_group() {
    ends_after(async |server| server.remove_from_groups("ada").await, true).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_script_is_no_longer_shown_to_its_viewer() {
    let closed = SHARED.1.replace("\"ops\"", "\"others\"");
    ends_after(async |server| server.write("shared.sh", &closed), true).await;
}

#[tokio::test]
async fn a_stream_goes_on_when_somebody_else_loses_their_rights() {
    ends_after(
        async |server| {
            server.browser("eve", &["ops"]).await;
            server.remove_from_groups("eve").await;
            server.disable("eve").await;
        },
        false,
    )
    .await;
}
