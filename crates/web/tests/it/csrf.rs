//! The one-time token of everything that changes something, by every way that it can be wrong (rows
//! B25, B26, B31 to B33), each beside the right one.

use std::time::Duration;

use serde_json::json;

use crate::client::{Answer, Client};
use crate::pages::{fresh, post, token};
use crate::server::TestServer;

const JOB: (&str, &str) = (
    "job.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n#\n# [[param]]\n# name = \"note\"\n# ///\n",
);
const FORM: &str = "application/x-www-form-urlencoded";
const PATH: &str = "/scripts/job";

/// One request of the matrix: what it is, what it sends, and how it is answered.
struct Row {
    what: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    status: u16,
}

fn row(what: &'static str, header: &str, field: &str, status: u16) -> Row {
    let mut headers = vec![("content-type", FORM.to_owned())];
    if !header.is_empty() {
        headers.push(("x-csrf-token", header.to_owned()));
    }
    let field = if field.is_empty() {
        String::new()
    } else {
        format!("csrf_token={field}&")
    };
    Row {
        what,
        headers,
        body: format!("{field}note=kept"),
        status,
    }
}

async fn send(client: &Client, path: &str, row: &Row) -> Answer {
    let headers: Vec<(&str, &str)> = row.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    client
        .send("POST", path, &headers, row.body.as_bytes())
        .await
}

async fn runs(client: &Client) -> usize {
    let runs = client.get("/api/v1/runs").await.json();
    runs["items"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn b25_b31_a_form_is_taken_with_its_own_fresh_token_in_field_or_header_and_with_no_other() {
    let server = TestServer::with(&[JOB]).await;
    let (ada, bob) = (
        server.browser("ada", &[]).await,
        server.browser("bob", &[]).await,
    );
    let ada_elsewhere = server.browser("ada", &[]).await;
    let mint = async |client: &Client| fresh(client, PATH).await;
    let (used, old) = (mint(&ada).await, mint(&ada).await);
    assert_eq!(
        send(&ada, PATH, &row("first", "", &used, 303)).await.status,
        303
    );
    server.pass(Duration::from_secs(301));
    let mut bad_type = row("wrong content type", "", &mint(&ada).await, 415);
    bad_type.headers[0].1 = "text/plain".to_owned();
    let mut json = row("JSON where a form is taken", &mint(&ada).await, "", 415);
    json.headers[0].1 = "application/json".to_owned();
    let flipped = mint(&ada).await;
    let flipped = flipped.replacen(
        &flipped[..1],
        if flipped.starts_with('A') { "B" } else { "A" },
        1,
    );
    let (one, two, both) = (mint(&ada).await, mint(&ada).await, mint(&ada).await);
    let before = runs(&ada).await;
    let rows = [
        row("none", "", "", 403),
        row("no token at all", "", "x", 403),
        row("one letter is another", "", &flipped, 403),
        row("expired", "", &old, 403),
        row(
            "of another session of hers",
            "",
            &mint(&ada_elsewhere).await,
            403,
        ),
        row("of another user", "", &mint(&bob).await, 403),
        row("of another user, in the header", &mint(&bob).await, "", 403),
        row("header and field differ", &one, &two, 403),
        bad_type,
        json,
    ];
    for row in &rows {
        let answer = send(&ada, PATH, row).await;
        assert_eq!(answer.status, row.status, "{}", row.what);
    }
    assert_eq!(runs(&ada).await, before, "nothing has happened");
    for row in [
        row("the field of before is good still", "", &one, 303),
        row("in the header", &two, "", 303),
        row("the same in both", &both, &both, 303),
    ] {
        let answer = send(&ada, PATH, &row).await;
        assert_eq!(answer.status, row.status, "{}: {}", row.what, answer.text());
    }
    assert_eq!(runs(&ada).await, before + 3);
}

#[tokio::test]
async fn b26_b32_a_call_is_taken_with_its_own_fresh_header_and_with_no_other() {
    let server = TestServer::with(&[JOB]).await;
    let (ada, bob) = (
        server.browser("ada", &[]).await,
        server.browser("bob", &[]).await,
    );
    let mint = async |client: &Client| {
        let answer = client.get("/api/v1/csrf").await.json();
        answer["token"].as_str().expect("a token").to_owned()
    };
    let body = json!({"script": "job", "args": {"note": "a"}}).to_string();
    let call = async |kind: &str, tokens: &[&str]| {
        let mut headers = vec![("content-type", kind)];
        headers.extend(tokens.iter().map(|token| ("x-csrf-token", *token)));
        ada.send("POST", "/api/v1/runs", &headers, body.as_bytes())
            .await
    };
    let (used, old) = (mint(&ada).await, mint(&ada).await);
    let json = "application/json";
    assert_eq!(call(json, &[&used]).await.status, 201);
    let again = call(json, &[&used]).await;
    assert_eq!(again.status, 303, "it leads to the run");
    server.pass(Duration::from_secs(301));
    let (of_bob, good, other) = (mint(&bob).await, mint(&ada).await, mint(&ada).await);
    for (what, tokens, status, code) in [
        ("none", vec![], 403, "csrf_invalid"),
        ("no token at all", vec!["x"], 403, "csrf_invalid"),
        ("expired", vec![old.as_str()], 403, "csrf_expired"),
        (
            "of another user",
            vec![of_bob.as_str()],
            403,
            "csrf_invalid",
        ),
        (
            "two of them",
            vec![good.as_str(), other.as_str()],
            403,
            "csrf_invalid",
        ),
    ] {
        let answer = call(json, &tokens).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (status, Some(code)),
            "{what}"
        );
        assert_eq!(
            answer.header("x-csrf-token").map(str::len),
            Some(64),
            "the next one"
        );
    }
    assert_eq!(runs(&ada).await, 1);
    assert_eq!(call(json, &[&good]).await.status, 201);
    // What a page of another site could send without asking first is no JSON.
    for kind in ["text/plain", FORM, "multipart/form-data; boundary=x"] {
        let answer = call(kind, &[&mint(&ada).await]).await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert_eq!(runs(&ada).await, 2);
}

#[tokio::test]
async fn w79_b33_of_fifty_at_once_with_one_token_one_is_taken() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &[]).await;
    let token = ada.get("/api/v1/csrf").await.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let ada = ada.with("x-csrf-token", &token);
        let body = json!({"script": "job", "args": {"note": "a"}}).to_string();
        sent.spawn(async move { ada.post("/api/v1/runs", body).await.status });
    }
    let statuses = sent.join_all().await;
    let good = statuses.iter().filter(|status| **status / 100 == 2);
    assert_eq!(good.count(), 1, "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|status| [201, 303, 403].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(runs(&ada).await, 1);
}

#[tokio::test]
async fn b33_method_override_headers_and_fields_are_ignored() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &[]).await;
    let token = fresh(&ada, PATH).await;
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        let overriding = ada.with(name, "POST");
        let path = format!("{PATH}?csrf_token={token}&_method=POST");
        assert_eq!(
            overriding.get(&path).await.status,
            200,
            "{name}: it is read"
        );
        let deleting = ada.with(name, "DELETE");
        let answer = post(&deleting, PATH, "x", "_method=DELETE&note=a").await;
        assert_eq!(answer.status, 403, "{name}: it is a form without its token");
    }
    assert_eq!(runs(&ada).await, 0);
    assert_eq!(post(&ada, PATH, &token, "note=a").await.status, 303);
}

#[tokio::test]
async fn b34_a_token_is_worth_nothing_after_log_out_with_the_old_cookie_or_a_new_one() {
    let server = TestServer::with(&[JOB]).await;
    let (ada, again) = (
        server.browser("ada", &[]).await,
        server.browser("ada", &[]).await,
    );
    let kept = fresh(&ada, PATH).await;
    let left = post(&ada, "/logout", &fresh(&ada, PATH).await, "").await;
    assert_eq!(left.status, 303);
    let old = post(&ada, PATH, &kept, "note=a").await;
    assert_eq!(
        (old.status, old.header("location")),
        (303, Some("/login")),
        "signed out"
    );
    assert_eq!(post(&again, PATH, &kept, "note=a").await.status, 403);
    assert_eq!(runs(&again).await, 0);
    assert_eq!(
        post(&again, PATH, &fresh(&again, PATH).await, "note=a")
            .await
            .status,
        303
    );
}

#[tokio::test]
async fn a_form_that_came_too_late_is_offered_as_it_was_sent() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &[]).await;
    let other = server.browser("ada", &[]).await;
    let late = post(
        &ada,
        "/account/sessions/end-others",
        "from before a restart",
        "x=%3Cb%3E",
    )
    .await;
    assert_eq!(late.status, 403);
    let page = late.text();
    for part in [
        "Once more?",
        "action=\"/account/sessions/end-others\"",
        "name=\"x\" value=\"&#60;b&#62;\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(
        other.get("/account").await.status,
        200,
        "nothing has happened"
    );
    let done = post(&ada, "/account/sessions/end-others", &token(&page), "x=y").await;
    assert_eq!(done.status, 303);
    assert_eq!(other.get("/account").await.status, 303);
}

#[tokio::test]
async fn w83_a_cookie_and_a_token_of_two_users_are_one_request_of_nobody() {
    let server = TestServer::with(&[JOB]).await;
    let (ada, bob) = (
        server.browser("ada", &[]).await,
        server.program("bob", &[]).await,
    );
    let cookie = ada.only("cookie");
    let both = cookie.with("authorization", bob.value("authorization"));
    assert_eq!(both.get("/api/v1/me").await.status, 400);
    let call = both
        .post(
            "/api/v1/runs",
            json!({"script": "job", "args": {"note": "a"}}).to_string(),
        )
        .await;
    assert_eq!(call.status, 400);
    assert_eq!(cookie.get("/api/v1/me").await.json()["name"], "ada");
    assert_eq!(bob.get("/api/v1/me").await.json()["name"], "bob");
    assert_eq!(runs(&bob).await, 0);
}

#[tokio::test]
async fn a_cookie_of_any_shape_is_no_session_and_no_failure() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &[]).await;
    let good = ada.value("cookie").to_owned();
    let name = good.split('=').next().expect("a name").to_owned();
    let long = format!("{name}={}", "a.".repeat(3000));
    let twice = format!("{good}; {good}");
    for cookie in [
        format!("{name}="),
        name.clone(),
        format!("{name}=."),
        format!("{name}=...."),
        format!("{name}=\"{}\"", "quoted"),
        format!("{name}=%00%ff"),
        format!("{name}=-1:{}", "0".repeat(128)),
        format!("=; ;;={name}"),
        good.replace(':', "%3A"),
        long,
        twice,
    ] {
        let client = server.anonymous().with("cookie", &cookie);
        assert_eq!(client.get("/api/v1/me").await.status, 401, "{cookie:.80}");
        assert_eq!(client.get("/account").await.status, 303, "{cookie:.80}");
    }
    assert_eq!(ada.get("/api/v1/me").await.status, 200);
}
