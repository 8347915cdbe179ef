//! Tokens at the door: from programs only, in one place only, and within their scopes.

use serde_json::json;

use crate::server::TestServer;

const OPS: (&str, &str) = (
    "ops/hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho hello\n",
);
const OTHER: (&str, &str) = (
    "other.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho other\n",
);

async fn server() -> TestServer {
    TestServer::with(&[OPS, OTHER]).await
}

#[tokio::test]
async fn w83_a_token_that_comes_from_a_browser_is_refused_and_from_a_program_is_not() {
    let server = server().await;
    let ada = server.program("ada", &["ops"]).await;
    assert_eq!(ada.get("/api/v1/me").await.status, 200);
    let origin = format!("http://{}", server.address);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("origin", origin.as_str()),
        ("origin", "null"),
        ("cookie", "theme=dark"),
    ] {
        let browser = ada.with(name, value);
        assert_eq!(
            browser.get("/api/v1/me").await.status,
            403,
            "{name}: {value}"
        );
        let body = json!({"script": "ops/hello"}).to_string();
        let answer = browser.post("/api/v1/runs", body).await;
        assert_eq!(answer.status, 403, "{name}: {value}");
    }
}

#[tokio::test]
async fn w83_a_cookie_and_a_token_together_are_refused_whoever_they_are_of() {
    let server = server().await;
    let (ada, bob) = (
        server.browser("ada", &["ops"]).await,
        server.browser("bob", &[]).await,
    );
    let token = server.token("ada", &["ops"]).await;
    for browser in [&ada, &bob] {
        assert_eq!(browser.get("/api/v1/me").await.status, 200);
        let both = browser.with("authorization", &format!("Bearer {token}"));
        assert_eq!(both.get("/api/v1/me").await.status, 400);
        let bad = browser.with("authorization", "Bearer sd_none");
        assert_eq!(bad.get("/api/v1/me").await.status, 400);
    }
}

#[tokio::test]
async fn w83_a_token_in_an_address_is_refused_and_named_with_its_mend() {
    let server = server().await;
    let token = server.token("ada", &["ops"]).await;
    let ada = server.program("ada", &["ops"]).await;
    for name in ["api_key", "access_token", "token", "API_KEY"] {
        for client in [server.anonymous(), ada.clone()] {
            let answer = client
                .get(&format!("/api/v1/scripts?x=1&{name}={token}"))
                .await;
            assert_eq!(answer.status, 400, "{name}");
            assert!(
                answer.text().contains("Authorization: Bearer"),
                "{}",
                answer.text()
            );
            assert!(!answer.text().contains(&token));
        }
    }
    assert_eq!(ada.get("/api/v1/runs?limit=1").await.status, 200);
}

#[tokio::test]
async fn w83_nobody_is_ever_asked_for_a_password_by_the_browser_itself() {
    let server = server().await;
    let stranger = server.anonymous();
    for (name, value) in [
        ("accept", "*/*"),
        ("authorization", "Basic dTpw"),
        ("authorization", "Bearer"),
        ("authorization", "Bearer sd_unknown"),
        ("authorization", "Digest x"),
    ] {
        let answer = stranger.with(name, value).get("/api/v1/me").await;
        assert_eq!(answer.status, 401, "{name}: {value}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let forged = stranger.with("authorization", "Basic dTpw");
    let forged = forged.with("sec-fetch-site", "cross-site");
    assert_eq!(forged.post("/api/v1/runs", "{}").await.status, 403);
    assert_eq!(forged.get("/api/v1/me").await.status, 403);
}

#[tokio::test]
async fn a_token_sees_starts_and_reads_within_its_scope_only() {
    let server = server().await;
    let whole = server.program("ada", &["ops"]).await;
    let narrow = server.scoped("ada", &["ops"], "run", "ops/*", &[]).await;
    let names = |answer: serde_json::Value| -> Vec<String> {
        let items = answer["items"].as_array().expect("a list").clone();
        items
            .iter()
            .map(|item| item["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let listed = whole.get("/api/v1/scripts").await.json();
    assert_eq!(names(listed), ["other", "ops/hello"]);
    let listed = narrow.get("/api/v1/scripts").await.json();
    assert_eq!(names(listed), ["ops/hello"]);
    let start = |script: &str| json!({"script": script}).to_string();
    assert_eq!(
        narrow.post("/api/v1/runs", start("ops/hello")).await.status,
        201
    );
    let outside = narrow.post("/api/v1/runs", start("other")).await;
    let unknown = narrow.post("/api/v1/runs", start("no-such")).await;
    assert_eq!((outside.status, unknown.status), (404, 404));
    let run = whole
        .post("/api/v1/runs?wait=20", start("other"))
        .await
        .json();
    let path = format!("/api/v1/runs/{}", run["id"].as_str().expect("an id"));
    assert_eq!(whole.get(&path).await.status, 200);
    assert_eq!(narrow.get(&path).await.status, 404);
    let runs = narrow.get("/api/v1/runs").await.json();
    assert_eq!(runs["items"].as_array().expect("a list").len(), 1);
    let looking = server.scoped("ada", &["ops"], "view", "*", &[]).await;
    assert_eq!(
        looking.post("/api/v1/runs", start("other")).await.status,
        403
    );
    let away = server
        .scoped("ada", &["ops"], "run", "*", &["10.0.0.0/8"])
        .await;
    assert_eq!(away.get("/api/v1/me").await.status, 401);
}

#[tokio::test]
async fn why_a_token_was_refused_is_recorded_and_not_told() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let away = server
        .scoped("ada", &["ops"], "run", "*", &["10.0.0.0/8"])
        .await;
    let late = server.program("bob", &["ops"]).await;
    server.disable("bob").await;
    let unknown = server.anonymous().with("authorization", "Bearer sd_none");
    let mut answers = Vec::new();
    for client in [&away, &late, &unknown] {
        let answer = client.get("/api/v1/me").await;
        assert_eq!(answer.status, 401);
        answers.push(answer.text());
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    let log = root.get("/api/v1/audit-log?act=token_used").await.json();
    let items = log["items"].as_array().expect("a list");
    let said: Vec<(&str, &str)> = items
        .iter()
        .map(|item| {
            let why = item["detail"]["why"].as_str().expect("a reason");
            (item["target"].as_str().expect("a target"), why)
        })
        .collect();
    let expected = [
        ("", "there is no such token"),
        ("token 2", "the user of token 2 is disabled"),
        (
            "token 1",
            "token 1 is not for the address that it was sent from",
        ),
    ];
    assert_eq!(said, expected);
    // Each record names the one before it.
    for pair in items.windows(2) {
        assert_eq!(pair[0]["prev"], pair[1]["hash"], "{log}");
    }
}

#[tokio::test]
async fn a_token_administers_only_if_its_scope_and_its_owner_say_so() {
    let server = server().await;
    for (user, groups, may, status) in [
        ("root", &["admins"][..], "admin", 200),
        ("root", &["admins"][..], "run", 404),
        ("ada", &["ops"][..], "admin", 404),
    ] {
        let client = server.scoped(user, groups, may, "*", &[]).await;
        for path in ["/api/v1/users", "/api/v1/groups", "/api/v1/tokens"] {
            assert_eq!(client.get(path).await.status, status, "{user} {may} {path}");
        }
        assert_eq!(
            client.get("/api/v1/me").await.json()["admin"],
            status == 200
        );
    }
    let root = server.browser("root", &["admins"]).await;
    assert_eq!(root.get("/api/v1/users").await.status, 200);
    let stranger = server.anonymous();
    assert_eq!(stranger.get("/api/v1/users").await.status, 401);
}

#[tokio::test]
async fn p16_accounts_and_tokens_show_exactly_what_is_declared() {
    let server = server().await;
    let root = server.browser("root", &["admins"]).await;
    let token = server.token("ada", &["ops"]).await;
    for (path, declared) in [
        (
            "/api/v1/users",
            &["created_at", "disabled", "external", "groups", "name"][..],
        ),
        ("/api/v1/groups", &["members", "name"]),
        (
            "/api/v1/tokens",
            &[
                "created_at",
                "expires_at",
                "from",
                "id",
                "last_address",
                "last_used",
                "may",
                "name",
                "scripts",
                "user",
            ],
        ),
    ] {
        let answer = root.get(path).await;
        let items = answer.json()["items"].as_array().expect("a list").clone();
        assert!(!items.is_empty(), "{path}");
        for item in items {
            let mut keys: Vec<String> = item
                .as_object()
                .expect("an object")
                .keys()
                .cloned()
                .collect();
            keys.sort();
            assert_eq!(keys, declared, "{path}");
        }
        let text = answer.text();
        assert!(!text.contains(&token) && !text.contains("argon2"), "{text}");
    }
}
