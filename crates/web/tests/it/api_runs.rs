//! Starting, finding and stopping runs.

use serde_json::json;

use crate::client::Client;
use crate::server::TestServer;

const HELLO: (&str, &str) = (
    "hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# title = \"Hello\"\n# access = { run = [\"ops\"], view = [\"seers\"] }\n#\n\
     # [[param]]\n# name = \"who\"\n# default = \"world\"\n#\n# [[param]]\n# name = \"password\"\n# secret = true\n\
     # required = false\n# ///\necho \"hello $1\"\n",
);
pub const SLOW: (&str, &str) = (
    "slow.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho begun\nexec sleep 15\n",
);
const FAILS: (&str, &str) = (
    "ops/fails.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\nexit 3\n",
);

pub async fn server() -> TestServer {
    TestServer::with(&[HELLO, SLOW, FAILS]).await
}

pub async fn start(client: &Client, script: &str) -> serde_json::Value {
    let answer = client
        .post("/api/v1/runs", json!({"script": script}).to_string())
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_program_starts_a_run_and_waits_for_its_end() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    let body = json!({"script": "hello", "args": {"who": "ann", "password": "s3cret"}}).to_string();
    let answer = ada.post("/api/v1/runs?wait=20", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let run = answer.json();
    assert_eq!(
        (&run["state"], &run["outcome"], &run["exit_code"]),
        (&json!("ended"), &json!("succeeded"), &json!(0))
    );
    assert_eq!(run["args"], json!({"who": "ann", "password": "***"}));
    let location = answer.header("location").expect("Location").to_owned();
    assert_eq!(
        location,
        format!("/api/v1/runs/{}", run["id"].as_str().expect("an id"))
    );
    assert_eq!(ada.get(&location).await.json(), run);
    let output = ada.get(&format!("{location}/output")).await;
    assert_eq!(output.text(), "hello ann\n");
}

#[tokio::test]
async fn scripts_are_listed_by_what_the_caller_may() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    let listed = ada.get("/api/v1/scripts").await.json();
    let names: Vec<&str> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|s| s["name"].as_str())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let seer = server.program("sue", &["seers"]).await;
    let listed = seer.get("/api/v1/scripts").await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["items"][0]["may_run"], json!(false));
    let hello = seer.get("/api/v1/scripts/hello").await.json();
    assert_eq!(
        (&hello["params"][0]["name"], &hello["params"][0]["default"]),
        (&json!("who"), &json!("world"))
    );
    assert_eq!(
        (&hello["params"][1]["secret"], &hello["params"][1]["type"]),
        (&json!(true), &json!("text"))
    );
    assert_eq!(
        ada.get("/api/v1/scripts/ops/fails").await.status,
        200,
        "slashes stand as they are"
    );
    for hidden in [
        "/api/v1/scripts/ops%2Ffails",
        "/api/v1/scripts/ops",
        "/api/v1/scripts/",
        "/api/v1/scripts/hello/",
    ] {
        assert_eq!(ada.get(hidden).await.status, 404, "{hidden}");
    }
}

#[tokio::test]
async fn a_script_that_one_may_not_see_is_answered_like_an_unknown_one() {
    let server = server().await;
    let guest = server.program("gus", &["guests"]).await;
    let known = guest.post("/api/v1/runs", r#"{"script":"slow"}"#).await;
    let unknown = guest.post("/api/v1/runs", r#"{"script":"no-such"}"#).await;
    assert_eq!((known.status, known.text()), (404, unknown.text()));
    assert_eq!(
        guest.get("/api/v1/scripts/slow").await.text(),
        guest.get("/api/v1/scripts/no-such").await.text()
    );
    let seer = server.program("sue", &["seers"]).await;
    assert_eq!(
        seer.post("/api/v1/runs", r#"{"script":"hello"}"#)
            .await
            .status,
        403,
        "seen, not run"
    );
    let ada = server.program("ada", &["ops"]).await;
    assert_eq!(
        ada.post("/api/v1/runs", r#"{"script":"slow"}"#)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_run_of_another_user_does_not_exist() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    let bob = server.program("bob", &["ops"]).await;
    let root = server.program("root", &["admins"]).await;
    let id = start(&ada, "slow").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for path in ["", "/output", "/lines", "/search?q=a", "/events"] {
        let path = format!("/api/v1/runs/{id}{path}");
        assert_eq!(bob.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(
        bob.post(&format!("/api/v1/runs/{id}/stop"), "")
            .await
            .status,
        404
    );
    assert_eq!(bob.get("/api/v1/runs").await.json()["items"], json!([]));
    assert_eq!(root.get(&format!("/api/v1/runs/{id}")).await.status, 200);
    assert_eq!(
        ada.get("/api/v1/runs").await.json()["items"][0]["id"],
        json!(id)
    );
}

#[tokio::test]
async fn a_run_is_stopped_once_and_then_it_has_ended() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    let id = start(&ada, "slow").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let stop = format!("/api/v1/runs/{id}/stop");
    assert_eq!(ada.post(&stop, "").await.status, 202);
    let run = ended(&ada, &id).await;
    assert_eq!(run["outcome"], json!("cancelled"));
    assert_eq!(ada.post(&stop, "").await.status, 409);
    assert_eq!(ada.get(&stop).await.status, 405, "a GET changes nothing");
}

/// Asks until the run has ended.
async fn ended(client: &Client, id: &str) -> serde_json::Value {
    for _ in 0..200 {
        let run = client.get(&format!("/api/v1/runs/{id}")).await.json();
        if run["state"] == json!("ended") {
            return run;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("run {id} does not end");
}

#[tokio::test]
async fn history_is_filtered_and_paged() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    for script in ["hello", "ops/fails", "hello"] {
        let body = json!({"script": script}).to_string();
        assert_eq!(ada.post("/api/v1/runs?wait=20", body).await.status, 201);
    }
    let count = async |query: &str| {
        let page = ada.get(&format!("/api/v1/runs{query}")).await.json();
        page["items"].as_array().map(Vec::len)
    };
    assert_eq!(count("").await, Some(3));
    assert_eq!(count("?script=hello").await, Some(2));
    assert_eq!(count("?script=ops/fails&outcome=failed").await, Some(1));
    assert_eq!(count("?outcome=lost").await, Some(0));
    assert_eq!(count("?user=ada&state=ended").await, Some(3));
    assert_eq!(count("?user=nobody").await, Some(0));
    assert_eq!(count("?from=2020-01-01T00:00:00Z").await, Some(3));
    assert_eq!(count("?to=2020-01-01T00:00:00%2B02:00").await, Some(0));
    let first = ada.get("/api/v1/runs?limit=2").await.json();
    let next = first["next"].as_str().expect("more").to_owned();
    let second = ada
        .get(&format!("/api/v1/runs?limit=2&cursor={next}"))
        .await
        .json();
    assert_eq!(
        (second["items"].as_array().map(Vec::len), &second["next"]),
        (Some(1), &json!(null))
    );
}

#[tokio::test]
async fn a_filter_that_is_not_understood_is_not_left_out() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    for query in [
        "stat=ended",
        "state=done",
        "outcome=bad",
        "limit=0",
        "limit=201",
        "limit=x",
        "from=yesterday",
        "script=../x",
        "state=ended&state=ended",
        "user=Ada%00",
    ] {
        let answer = ada.get(&format!("/api/v1/runs?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{query}"
        );
    }
    assert_eq!(
        ada.get("/api/v1/runs?limit=200&state=ended").await.status,
        200
    );
    for path in ["/api/v1/runs?cursor=x", "/api/v1/runs?cursor=%00"] {
        assert!(ada.get(path).await.status < 500, "{path}");
    }
}

#[tokio::test]
async fn a_query_or_method_that_is_not_taken_is_answered_in_words_of_the_api() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    let rows = [
        (
            "POST",
            "runs?wait=abc",
            400,
            "`wait`: write a number of seconds",
        ),
        (
            "POST",
            "runs?wait=301",
            400,
            "`wait`: write a number of seconds",
        ),
        ("POST", "runs?wiat=1", 400, "unknown field `wiat`"),
        (
            "GET",
            "runs?limit=x",
            400,
            "`limit`: write a number from 1 to 200",
        ),
        ("PUT", "runs", 405, "it takes GET, HEAD, POST, OPTIONS."),
    ];
    let kind = [("content-type", "application/json")];
    for (method, path, status, says) in rows {
        let path = format!("/api/v1/{path}");
        let body: &[u8] = match method {
            "POST" => br#"{"script":"x"}"#,
            _ => b"",
        };
        let answer = ada.send(method, &path, &kind, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(says), "{path}: {detail}");
        assert!(!detail.contains("deserialize"), "{path}: {detail}");
    }
}

#[tokio::test]
async fn a_browser_spends_a_token_for_each_change() {
    let server = server().await;
    let ada = server.browser("ada", &["ops"]).await;
    let body = r#"{"script":"slow"}"#;
    let without = ada.post("/api/v1/runs", body).await;
    assert_eq!(without.status, 403, "{}", without.text());
    let token = ada.get("/api/v1/csrf").await.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let first = ada
        .with("x-csrf-token", &token)
        .post("/api/v1/runs", body)
        .await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = ada
        .with("x-csrf-token", &token)
        .post("/api/v1/runs", body)
        .await;
    assert_eq!(
        (again.status, again.header("location")),
        (303, first.header("location")),
        "spent: it leads to its run"
    );
    let next = first
        .header("x-csrf-token")
        .expect("the next token")
        .to_owned();
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    let stop = ada
        .with("x-csrf-token", &next)
        .post(&format!("/api/v1/runs/{id}/stop"), "")
        .await;
    assert_eq!(stop.status, 202, "{}", stop.text());
    let program = server.program("ada", &[]).await;
    assert_eq!(
        program.get("/api/v1/csrf").await.status,
        400,
        "a program needs none"
    );
}

#[tokio::test]
async fn who_is_not_known_gets_nothing_but_health() {
    let server = server().await;
    let anonymous = server.anonymous();
    for path in [
        "/api/v1/scripts",
        "/api/v1/runs",
        "/api/v1/me",
        "/api/v1/openapi.json",
        "/api/v1/csrf",
    ] {
        assert_eq!(anonymous.get(path).await.status, 401, "{path}");
    }
    let forged = anonymous.with("authorization", "Bearer sd_no");
    assert_eq!(forged.get("/api/v1/me").await.status, 401);
    assert_eq!(
        (
            anonymous.get("/healthz").await.status,
            anonymous.get("/readyz").await.status
        ),
        (200, 200)
    );
    let ada = server.program("ada", &["ops"]).await;
    let me = ada.get("/api/v1/me").await.json();
    assert_eq!(
        me,
        json!({"name": "ada", "groups": ["ops"], "admin": false, "by": "token"})
    );
    assert_eq!(ada.get("/api/v1/openapi.json").await.status, 200);
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    let answer = ada
        .post("/api/v1/runs?wait=1", r#"{"script":"slow"}"#)
        .await;
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (201, &json!("running"))
    );
    assert_eq!(
        ada.post("/api/v1/runs?wait=301", r#"{"script":"slow"}"#)
            .await
            .status,
        400
    );
    assert_eq!(
        ada.post("/api/v1/runs?wiat=1", r#"{"script":"slow"}"#)
            .await
            .status,
        400
    );
}
