//! What one may not see and what does not exist are answered alike, through every door: the whole
//! answer is compared, not only its status.

use serde_json::json;

use crate::client::{Answer, Client};
use crate::server::TestServer;

/// Its name is as long as [`UNKNOWN`], so that lengths tell nothing either.
const HIDDEN: &str = "vault/aaaa";
const UNKNOWN: &str = "vault/bbbb";

const FILES: [(&str, &str); 2] = [
    (
        "vault/aaaa.sh",
        "#!/bin/sh\n# /// stagedoor\n# title = \"Moon base\"\n# access = { run = [\"crew\"], view = [\"crew\"] }\n#\n\
         # [[param]]\n# name = \"count\"\n# type = \"integer\"\n# required = true\n# ///\necho moonlight\n",
    ),
    (
        "open.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho open\n",
    ),
];

const NO_RUN: &str = "01900000-0000-7000-8000-00000000abcd";

/// Everything of an answer but what is new in each: the date, one-time tokens, and the names and
/// ids that were asked for.
fn told(answer: &Answer, asked: &str) -> (u16, Vec<(String, String)>, String) {
    let once = |text: &str| {
        let mut parts = text.split("name=\"csrf_token\" value=\"");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            whole.push_str(part.split_once('"').map_or("", |(_, rest)| rest));
        }
        whole.replace(asked, "ASKED")
    };
    let new = ["date", "x-csrf-token", "set-cookie"];
    let headers = answer.headers().iter();
    let headers = headers
        .filter(|(name, _)| !new.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.replace(asked, "ASKED")));
    (answer.status, headers.collect(), once(&answer.text()))
}

/// A one-time token, from any page.
async fn token(client: &Client) -> String {
    let page = client.get("/").await.text();
    let rest = page.split("name=\"csrf_token\" value=\"").nth(1);
    let token = rest.and_then(|rest| rest.split('"').next());
    token.expect("a form stands on every page").to_owned()
}

async fn form(client: &Client, path: &str) -> Answer {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("csrf_token={}&count=x", token(client).await);
    client.send("POST", path, &kind, body.as_bytes()).await
}

/// What a browser reaches of a script.
async fn script_pages(client: &Client, name: &str) -> Vec<Answer> {
    vec![
        client.get(&format!("/scripts/{name}")).await,
        client
            .send("HEAD", &format!("/scripts/{name}"), &[], b"")
            .await,
        form(client, &format!("/scripts/{name}")).await,
        client.get(&format!("/runs?script={name}")).await,
        client.get(&format!("/?q={}", &name[6..])).await,
    ]
}

/// What a program reaches of a script.
async fn script_calls(client: &Client, name: &str) -> Vec<Answer> {
    let start = |args: serde_json::Value| json!({"script": name, "args": args}).to_string();
    let keyed = client.with("idempotency-key", "k-1");
    vec![
        client.get(&format!("/api/v1/scripts/{name}")).await,
        client
            .post("/api/v1/runs", start(json!({"count": 1})))
            .await,
        client
            .post("/api/v1/runs", start(json!({"count": "x"})))
            .await,
        client.post("/api/v1/runs?wait=1", start(json!({}))).await,
        keyed.post("/api/v1/runs", start(json!({"count": 1}))).await,
        client.get(&format!("/api/v1/runs?script={name}")).await,
        client.get("/api/v1/scripts").await,
        client.get("/api/v1/openapi.json").await,
        client.get("/metrics").await,
    ]
}

/// What a program reaches of a run.
async fn run_calls(client: &Client, id: &str) -> Vec<Answer> {
    let ranged = client.with("range", "bytes=0-3");
    let resumed = client.with("last-event-id", "3");
    let path = format!("/api/v1/runs/{id}");
    vec![
        client.get(&path).await,
        client.send("HEAD", &path, &[], b"").await,
        client.get(&format!("{path}/output")).await,
        client.get(&format!("{path}/output?stream=stderr")).await,
        ranged.get(&format!("{path}/output")).await,
        client.get(&format!("{path}/lines?from=1&n=5")).await,
        client.get(&format!("{path}/search?q=moon")).await,
        client.get(&format!("{path}/events")).await,
        resumed.get(&format!("{path}/events")).await,
        client.get(&format!("{path}/files/x.txt")).await,
        client.post(&format!("{path}/stop"), "").await,
        client.get(&format!("/api/v1/runs?cursor={id}")).await,
    ]
}

/// What a browser reaches of a run.
async fn run_pages(client: &Client, id: &str) -> Vec<Answer> {
    vec![
        client.get(&format!("/runs/{id}")).await,
        client.get(&format!("/runs/{id}?q=moon")).await,
        client.get(&format!("/runs/{id}/html")).await,
        form(client, &format!("/runs/{id}/stop")).await,
    ]
}

fn alike(hidden: &[Answer], unknown: &[Answer], names: (&str, &str)) {
    assert_eq!(hidden.len(), unknown.len());
    for (at, (one, other)) in hidden.iter().zip(unknown).enumerate() {
        assert_eq!(told(one, names.0), told(other, names.1), "door {at}");
        assert!(
            !one.text().contains("Moon base"),
            "door {at}: {}",
            one.text()
        );
        assert!(
            !one.text().contains("moonlight"),
            "door {at}: {}",
            one.text()
        );
    }
}

async fn hidden_run(server: &TestServer) -> String {
    let crew = server.program("cat", &["crew"]).await;
    let body = json!({"script": HIDDEN, "args": {"count": 1}}).to_string();
    let run = crew.post("/api/v1/runs?wait=20", body).await;
    assert_eq!(run.status, 201, "{}", run.text());
    run.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_hidden_script_is_answered_like_an_unknown_one_through_every_door() {
    let server = TestServer::with(&FILES).await;
    let names = (HIDDEN, UNKNOWN);
    let browser = server.browser("ada", &["ops"]).await;
    alike(
        &script_pages(&browser, HIDDEN).await,
        &script_pages(&browser, UNKNOWN).await,
        (&HIDDEN[6..], &UNKNOWN[6..]),
    );
    let outside = server.scoped("cat", &["crew"], "run", "open", &[]).await;
    for program in [server.program("ada", &["ops"]).await, outside] {
        let (hidden, unknown) = (
            script_calls(&program, HIDDEN).await,
            script_calls(&program, UNKNOWN).await,
        );
        alike(&hidden, &unknown, names);
        assert_eq!(hidden[0].status, 404);
    }
    // Who may see it gets something else, or the comparison would prove nothing.
    let crew = server.browser("cat", &["crew"]).await;
    let (seen, unknown) = (
        script_pages(&crew, HIDDEN).await,
        script_pages(&crew, UNKNOWN).await,
    );
    for at in [0, 1, 2, 4] {
        assert_ne!(
            told(&seen[at], &HIDDEN[6..]),
            told(&unknown[at], &UNKNOWN[6..]),
            "door {at}"
        );
    }
}

#[tokio::test]
async fn a_hidden_run_is_answered_like_an_unknown_one_through_every_door() {
    let server = TestServer::with(&FILES).await;
    let id = hidden_run(&server).await;
    let names = (id.as_str(), NO_RUN);
    let browser = server.browser("ada", &["ops"]).await;
    alike(
        &run_pages(&browser, &id).await,
        &run_pages(&browser, NO_RUN).await,
        names,
    );
    let outside = server.scoped("cat", &["crew"], "run", "open", &[]).await;
    for program in [server.program("ada", &["ops"]).await, outside] {
        let (hidden, unknown) = (
            run_calls(&program, &id).await,
            run_calls(&program, NO_RUN).await,
        );
        alike(&hidden, &unknown, names);
        assert_eq!(hidden[0].status, 404);
    }
    let crew = server.program("cat", &["crew"]).await;
    let seen = run_calls(&crew, &id).await;
    let unknown = run_calls(&crew, NO_RUN).await;
    for at in (0..9).chain([10]) {
        assert_ne!(
            told(&seen[at], &id),
            told(&unknown[at], NO_RUN),
            "door {at}"
        );
    }
}

#[tokio::test]
async fn a_user_is_not_found_out_by_asking_for_their_runs() {
    let server = TestServer::with(&FILES).await;
    hidden_run(&server).await;
    let ada = server.program("ada", &["ops"]).await;
    let (known, unknown) = (
        ada.get("/api/v1/runs?user=cat").await,
        ada.get("/api/v1/runs?user=dog").await,
    );
    // Neither name is said again.
    assert_eq!(told(&known, "user=cat"), told(&unknown, "user=dog"));
    let root = server.program("root", &["admins"]).await;
    let all = root.get("/api/v1/runs?user=cat").await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_script_that_is_not_listed_is_found_by_its_name_by_who_may_and_by_nobody_else() {
    const UNLISTED: (&str, &str) = (
        "vault/aaaa.sh",
        "#!/bin/sh\n# /// stagedoor\n# hidden = true\n# access = { run = [\"crew\"] }\n# ///\necho x\n",
    );
    let server = TestServer::with(&[UNLISTED]).await;
    let crew = server.program("cat", &["crew"]).await;
    let path = format!("/api/v1/scripts/{HIDDEN}");
    assert_eq!(crew.get(&path).await.status, 200);
    let listed = crew.get("/api/v1/scripts").await.json();
    assert_eq!(listed, json!({"items": []}));
    let ada = server.program("ada", &["ops"]).await;
    alike(
        &script_calls(&ada, HIDDEN).await,
        &script_calls(&ada, UNKNOWN).await,
        (HIDDEN, UNKNOWN),
    );
}
